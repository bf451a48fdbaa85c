"""Docstrings in the style of Google, as Markdown."""

from __future__ import annotations

import re

#: The sections whose entries become a list, and the line above each list.
_SECTIONS = {"Args": "Arguments:", "Raises": "Errors:", "Attributes": "Attributes:"}
_CODE = re.compile(r":?:\n\n(?: {4}.*\n|\n)+")
_ENTRY = re.compile(r"^(\*?[\w, ]+): (.*)$", re.DOTALL)


def markdown(docstring: str) -> str:
    """Return a docstring as Markdown, without its example: the page has one that a test runs."""
    text = _CODE.sub(".\n\n", f"{docstring}\n").replace("\n\n.\n", "\n").strip()
    paragraphs = [_section(paragraph) for paragraph in re.split(r"\n\n(?=\S)", text)]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph.strip())


def _section(paragraph: str) -> str:
    name, _, body = paragraph.partition(":\n")
    if name == "Returns":
        return "Returns: " + _joined(body)
    if name not in _SECTIONS:
        return paragraph
    entries = [_joined(entry) for entry in re.split(r"\n(?= {4}\S)", body)]
    return "\n".join([_SECTIONS[name], "", *(f"- {_named(entry)}" for entry in entries)])


def _named(entry: str) -> str:
    match = _ENTRY.match(entry)
    if not match:
        return entry
    return ", ".join(f"`{name}`" for name in match[1].split(", ")) + f": {match[2]}"


def _joined(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
