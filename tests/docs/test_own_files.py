"""The Python blocks of pages that take files or names of the user for granted: here, those of the tests."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.storage import list_objects
from core.storage.keys import ManifestKey
from tests.conftest import REPO
from tests.docs._blocks import blocks, matches


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """A folder with two frames."""
    folder = tmp_path / "made"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number:08}.jpg").write_bytes(b"frame")
    return folder


def test_the_blocks_of_transfers_run_as_printed(run_blocks, frames, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames").mkdir()
    run_blocks("docs/reference/transfers.md", "docs-transfers", folder=frames, items=())
    keys = [info.key for info in list_objects("docs-transfers")]
    assert keys == ["frames/match-02/00000000.jpg", "frames/match-02/00000001.jpg"]
    assert "frames" in capsys.readouterr().out, "the bar of rich"


def test_the_blocks_of_the_frame_cache_run_as_printed(run_blocks, frames, tmp_path):
    run_blocks(
        "docs/how-to/frame-cache.md",
        "docs-frame-cache",
        video=None,
        folder=tmp_path,
        decode=lambda *_: frames.iterdir(),
        timelines=["match-01"],
    )
    assert ManifestKey("match-01").key in [info.key for info in list_objects("docs-frame-cache")]


def test_the_block_of_keys_has_the_values_that_it_shows(run_blocks):
    names = run_blocks("docs/how-to/keys.md", "docs-keys")
    (block,) = blocks((REPO / "docs/how-to/keys.md").read_text(encoding="utf-8"), "python")
    shown = re.findall(r"^(\S.*?)  # (.*)$", block, re.MULTILINE)
    assert len(shown) == 3
    for expression, value in shown:
        found = eval(expression, names)  # noqa: S307  # the page's own code
        assert matches(f"{value}\n", str(found)) or matches(f"{value}\n", repr(found)), expression


def test_the_block_of_operating_sets_the_level_of_the_log(run_blocks):
    logger = logging.getLogger("core.storage")
    before = logger.level
    try:
        run_blocks("docs/how-to/operating.md", "docs-operating", logging=SimpleNamespace(**vars(logging)))
        assert logger.level == logging.INFO
    finally:
        logger.setLevel(before)
