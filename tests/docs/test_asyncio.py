"""Check docs/how-to/asyncio.md: its blocks run in order, as printed."""

from __future__ import annotations

import asyncio

import pytest
from fastapi import HTTPException


def test_the_blocks_run_as_printed(run_blocks, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    namespace = run_blocks("docs/how-to/asyncio.md", "docs-asyncio")
    assert capsys.readouterr().out == "b'{}'\n"
    assert (tmp_path / "summary.json").read_bytes() == b"{}"
    assert asyncio.run(namespace["overlay"]("7d44")).body == b"{}"
    with pytest.raises(HTTPException) as caught:
        asyncio.run(namespace["overlay"]("absent"))
    assert caught.value.status_code == 404
