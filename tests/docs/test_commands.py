"""Check docs/how-to/commands.md: the output of `status` that it shows is what the command prints."""

from __future__ import annotations

import os
from datetime import datetime

import pytest

from infra import cli
from infra.config import stack_files
from infra.env import files
from tests.conftest import REPO
from tests.docs._blocks import blocks, commands, matches
from tests.docs.test_readme import local_environment

__all__ = ["local_environment"]

PAGE = (REPO / "docs/how-to/commands.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("local_environment")
def test_the_output_of_status_is_what_the_page_shows(seaweed_store, capsys, monkeypatch):
    monkeypatch.chdir(stack_files.ROOT)
    assert cli.run(["init", "local"]) == 0
    seaweed_store.s3.put_object(Bucket="mpr-local-in", Key="a", Body=b"video")
    shown = [block for block in blocks(PAGE, "console") if "./mpr status" in block]
    assert [commands(block) for block in shown] == [
        ["./mpr status local"],
        ["./mpr status"],
    ]
    written = datetime.fromisoformat("2026-11-28T17:04:33Z").timestamp()
    os.utime(files.path("local", "app"), (written, written))
    for block, arguments in zip(shown, (["local"], []), strict=True):
        capsys.readouterr()
        assert cli.run(["status", *arguments]) == 0
        printed = capsys.readouterr().out
        assert matches(block.partition("\n")[2], printed), f"the page must show this output:\n{printed}"
