"""Check docs/asyncio.md: its blocks run in order, as printed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import HTTPException

from tests.conftest import REPO
from tests.docs._blocks import blocks

PAGE = (REPO / "docs" / "asyncio.md").read_text(encoding="utf-8")


def test_the_blocks_run_as_printed(seaweed, monkeypatch, capsys, tmp_path):
    bucket = "docs-asyncio"
    client = seaweed.client("s3")
    client.create_bucket(Bucket=bucket)
    client.close()
    variables = {
        "S3_ENDPOINT_URL": seaweed.endpoint,
        "S3_BUCKET_OUT": bucket,
        "AWS_ACCESS_KEY_ID": seaweed.access_key_id,
        "AWS_SECRET_ACCESS_KEY": seaweed.secret_access_key,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    for block in blocks(PAGE, "python"):
        exec(compile(block, "docs/asyncio.md", "exec", dont_inherit=True), namespace)  # noqa: S102  # the page's own code
    assert capsys.readouterr().out == "b'{}'\n"
    assert (tmp_path / "summary.json").read_bytes() == b"{}"
    assert asyncio.run(namespace["overlay"]("7d44")).body == b"{}"
    with pytest.raises(HTTPException) as caught:
        asyncio.run(namespace["overlay"]("absent"))
    assert caught.value.status_code == 404
