"""Reading nested configuration with every mistake collected, each under its path.

A `Reader` walks mappings and lists and returns typed values. A wrong value is noted as
``buckets.out.expire[0].days: must be at least 1, got 0`` and read as its default, so that one pass finds
every mistake. Nothing here knows what the keys mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

_DIGITS = 9  # more is no number of days, and Python refuses to convert very long ones


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint for a misspelt `word`: the nearest of the known ones, or all of them."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


@dataclass
class Reader:
    """One mapping of the configuration, its path, and the mistakes found so far in the whole."""

    values: Mapping[str, object]
    path: str = ""
    problems: list[str] = field(default_factory=list)

    def at(self, key: str) -> str:
        """The path of `key`, as messages show it."""
        return f"{self.path}.{key}" if self.path else key

    def note(self, key: str, problem: str) -> None:
        """Note a mistake in the value of `key`."""
        self.problems.append(f"{self.at(key)}: {problem}")

    def only(self, *known: str) -> None:
        """Note every key that is not among the known ones, with the nearest right one."""
        for key in self.values:
            if key not in known:
                self.note(str(key), f"unknown key, {nearest(str(key), known)}")

    def text(self, key: str, *, choices: Sequence[str] = (), required: bool = False) -> str | None:
        """A non-empty string, one of `choices` if given; None when it is absent."""
        value = self.values.get(key)
        if value is None:
            if required:
                self.note(key, "is required" + (f", one of {', '.join(choices)}" if choices else ""))
            return None
        if not isinstance(value, str) or not value:
            self.note(key, f"must be text, got {_shown(value)}")
            return None
        if choices and value not in choices:
            self.note(key, f"must be one of {', '.join(choices)}, got {_shown(value)}")
            return None
        return value

    def flag(self, key: str) -> bool | None:
        """True or false (Pulumi hands top-level values over as text); None when it is absent."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str) and value in {"true", "false"}:
            return value == "true"
        self.note(key, f"must be true or false, got {_shown(value)}")
        return None

    def days(self, key: str, *, required: bool = False, least: int = 1) -> int | None:
        """A whole number of days, at least `least`; None when it is absent."""
        value = self.values.get(key)
        if value is None:
            if required:
                self.note(key, "is required, a number of days")
            return None
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.note(key, f"must be a whole number of days, got {_shown(value)}")
            return None
        if value < least:
            self.note(key, f"must be at least {least}, got {value}")
            return None
        return value

    def texts(self, key: str, *, like: re.Pattern[str] | None = None, shape: str = "") -> tuple[str, ...]:
        """A list of non-empty strings without repetition; empty when it is absent.

        Each must match `like` as a whole, if given; `shape` says in words what that is.
        """
        found: list[str] = []
        for index, value in enumerate(self._items(key)):
            if not isinstance(value, str) or not value:
                self.note(f"{key}[{index}]", f"must be text, got {_shown(value)}")
            elif value in found:
                self.note(f"{key}[{index}]", f"{value} is listed twice")
            elif like and not like.fullmatch(value):
                self.note(f"{key}[{index}]", f"must be {shape}, got {_shown(value)}")
            else:
                found.append(value)
        return tuple(found)

    def section(self, key: str) -> Reader:
        """The mapping under `key`; empty when it is absent."""
        return self._nested(key, self.values.get(key))

    def sections(self, key: str) -> Iterator[Reader]:
        """The mappings of the list under `key`."""
        for index, value in enumerate(self._items(key)):
            yield self._nested(f"{key}[{index}]", value)

    def words_or_sections(self, key: str) -> Iterator[str | Reader]:
        """The entries of the list under `key`, each a word or a mapping."""
        for index, value in enumerate(self._items(key)):
            if isinstance(value, str) and value:
                yield value
            elif isinstance(value, Mapping):
                yield self._nested(f"{key}[{index}]", value)
            else:
                self.note(f"{key}[{index}]", f"must be a word or a mapping, got {_shown(value)}")

    def pairs(self, key: str) -> dict[str, str]:
        """The mapping under `key` from text to text; empty when it is absent."""
        section = self.section(key)
        return {str(name): section.text(name) or "" for name in section.values}

    def _items(self, key: str) -> Sequence[object]:
        value = self.values.get(key)
        if value is None or isinstance(value, list):
            return value or ()
        self.note(key, f"must be a list, got {_shown(value)}")
        return ()

    def _nested(self, key: str, value: object) -> Reader:
        if value is not None and not isinstance(value, Mapping):
            self.note(key, f"must be a mapping, got {_shown(value)}")
            value = None
        return Reader(value or {}, self.at(key), self.problems)


def _shown(value: object) -> str:
    """A value as messages show it: short, and never the inside of a mapping, which may hold a secret."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
    return repr(text) if text == "" else str(text)[:60]
