"""Check the checker of `make words`, and this repository with it."""

from __future__ import annotations

import pytest

from tests import words


def found(text: str) -> list[tuple[int, str]]:
    return [(finding.line, finding.word) for finding in words.findings("page.md", text)]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("The store answered.\n", "answered"),
        ("def test_that_nobody_reads():\n", "nobody"),
        ("answer = client.get()\n", "answer"),
        ("Whoever has it\n", "Whoever"),
        ("four characters of a key id\n", "key id"),
    ],
)
def test_a_word_is_found_in_prose_and_in_names(text, word):
    assert found(f"a line\n{text}") == [(2, word)]


@pytest.mark.parametrize(
    "text",
    ["HTTP/1.1 103 Early Hints", 'user = "nobody"', "AKIANOBODY", "an access key ID", "momentous", "studied"],
)
def test_a_term_and_a_part_of_a_word_are_not_found(text):
    assert found(text) == []


def test_a_finding_names_the_file_the_line_and_the_words_to_use():
    (finding,) = words.findings("docs/page.md", "\n\nanew\n")
    assert str(finding) == "docs/page.md:3: 'anew': say again, new"


def test_this_repository_has_none_of_the_words():
    if not (words.ROOT / ".git").exists():
        pytest.skip("lists the files of a clone: there is no .git here")
    assert words.main() == 0, "`make words` prints each word with its file and line"
