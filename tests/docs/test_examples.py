"""The Python blocks of docs/reference run in order, and print what their comments say."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPO
from tests.docs._blocks import blocks

_PRINTED = re.compile(r"^ *print\(.*\)  # (.*)$", re.MULTILINE)


@pytest.mark.parametrize(("page", "lines"), [("library", 24), ("errors", 1)])
def test_the_blocks_of_a_page_print_what_it_shows(page, lines, run_blocks, capsys):
    path = f"docs/reference/{page}.md"
    python = "".join(blocks((REPO / path).read_text(encoding="utf-8"), "python"))
    shown = _PRINTED.findall(python)
    assert len(shown) == python.count("print(") >= lines
    run_blocks(path, f"docs-{page}")
    assert capsys.readouterr().out.splitlines() == shown
