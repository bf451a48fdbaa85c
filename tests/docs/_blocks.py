"""The code blocks of a page, and the comparison of an output shown there with a real one."""

from __future__ import annotations

import re

#: Stands in an output that a page shows: a whole line of it for any lines, or a part of a line for any text.
ELLIPSIS = "..."


def blocks(page: str, language: str) -> list[str]:
    """Return the content of each fenced block of this language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[str]:
    """Return the commands of a console block, without prompts and comments."""
    return [line[2:].partition("  #")[0].strip() for line in block.splitlines() if line.startswith("$ ")]


def matches(shown: str, printed: str) -> bool:
    """Return whether `printed` is what a page shows, line for line; spaces at the end of a line do not count."""
    lines = [
        r"(?:.*\n)*?" if line == ELLIPSIS else ".*".join(map(re.escape, line.split(ELLIPSIS))) + r"\n"
        for line in shown.splitlines()
    ]
    return re.fullmatch("".join(lines), "".join(f"{line.rstrip()}\n" for line in printed.splitlines())) is not None
