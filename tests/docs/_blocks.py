"""The code blocks of a page, and the comparison of an output shown there with a real one."""

from __future__ import annotations

import re
from typing import NamedTuple

#: Stands in an output that a page shows: a whole line of it for any lines, or a part of a line for any text.
ELLIPSIS = "..."

_BLOCK = re.compile(r"(?:^<!-- not run: ([^\n]+) -->\n)?^```([\w-]+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    content: str
    #: Why no test runs it, from the comment `<!-- not run: reason -->` in the line before it.
    not_run: str = ""


def all_blocks(page: str) -> list[Block]:
    """Return every fenced block that names a language, in order."""
    return [Block(language, content, reason) for reason, language, content in _BLOCK.findall(page)]


def blocks(page: str, language: str) -> list[str]:
    """Return the content of each fenced block of this language, in order."""
    return [block.content for block in all_blocks(page) if block.language == language]


def commands(block: str) -> list[str]:
    """Return the commands of a console block, without prompts and comments."""
    return [line[2:].partition("  #")[0].strip() for line in block.splitlines() if line.startswith("$ ")]


def output(block: str) -> str:
    """Return the lines of a console block that are no commands."""
    return "".join(line for line in block.splitlines(keepends=True) if not line.startswith("$ "))


def matches(shown: str, printed: str) -> bool:
    """Return whether `printed` is what a page shows, line for line; spaces at the end of a line do not count.

    A masked access key ID of the page stands for any.
    """
    shown = re.sub(r"\.\.\.[A-Z0-9]{4}\b", ELLIPSIS, shown)
    lines = [
        r"(?:.*\n)*?" if line == ELLIPSIS else ".*".join(map(re.escape, line.split(ELLIPSIS))) + r"\n"
        for line in shown.splitlines()
    ]
    return re.fullmatch("".join(lines), "".join(f"{line.rstrip()}\n" for line in printed.splitlines())) is not None
