"""The mistakes of a configuration, such as ``buckets.out.expire[0].days: must be at least 1, got 0``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

_PASSWORD = re.compile(r"(//)\S*@|[^\s/@]+:(?!//)\S*@")  # with its user, also without a scheme


def nearest(word: str, known: Sequence[str]) -> str:
    """Return a suggestion for a misspelt word: the nearest known word, or all known words."""
    return close(word, known) or f"known are {', '.join(known)}"


def close(word: str, known: Sequence[str]) -> str | None:
    """Return a suggestion with the nearest known word, or None if no known word is near."""
    matches = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {matches[0]}?" if matches else None


def shown(value: object) -> str:
    """Return a value as messages show it: short, and never the inside of a mapping, which may hold a secret."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if value == "" else _PASSWORD.sub(r"\1***@", str(value))[:60]


@dataclass
class Reader:
    """One mapping of the configuration, its path, and the mistakes found so far in the whole."""

    values: Mapping[str, object]
    path: str = ""
    problems: list[str] = field(default_factory=list)
    #: Whether the values are those of a stack file, which is committed: secrets are encrypted in it.
    is_file: bool = False

    def note(self, key: str, problem: str) -> None:
        """Note a mistake in the value of `key`; in the mapping itself if `key` is empty."""
        self.problems.append(f"{self.at(key)}: {problem}")

    def at(self, key: str) -> str:
        """Return the path of `key`, as messages show it."""
        return f"{self.path}.{key}" if self.path and key else self.path or key

    def nested(self, key: str, values: Mapping[str, object]) -> Reader:
        """Return the reader of the mapping under `key`."""
        return Reader(values, self.at(key), self.problems, self.is_file)
