from __future__ import annotations

import pytest

from tests.docs._blocks import blocks, commands, matches


def test_the_blocks_of_a_language_are_found_in_order():
    page = "a\n```yaml\none: 1\n```\n```console\n$ two\n```\n\n```yaml\nthree:\n  - 3\n```\n"
    assert blocks(page, "yaml") == ["one: 1\n", "three:\n  - 3\n"]
    assert blocks(page, "console") == ["$ two\n"]


def test_the_commands_of_a_console_block_have_no_prompt_and_no_comment():
    assert commands("$ make up   # once\nthe output\n$ make down\n") == ["make up", "make down"]


@pytest.mark.parametrize(
    ("shown", "printed", "matching"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n", "a\nc\n", False),
        ("a\n", "a\nb\n", False),
        ("a\n...\n", "a\nb\nc\n", True),
        ("a\n...\nc\n", "a\nc\n", True),
        ("a\n...\nc\n", "b\nc\n", False),
        ("a ... c\n", "a b c\n", True),
        ("a ... c\n", "a b\nc\n", False),
        ("a.c\n", "abc\n", False),
    ],
)
def test_an_output_matches_line_for_line_but_for_the_ellipses(shown, printed, matching):
    assert matches(shown, printed) is matching
