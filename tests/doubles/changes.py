"""What differs between a resource as it is and as it is wanted, the way that bridged providers see it.

They compare the wanted inputs with the state as it was last read, not with the inputs of last time: so a drift
that `refresh` has seen is repaired by the next `up`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from tests.doubles.handler import UNKNOWN, Handler, Props

#: Where bridged providers note which inputs they filled in themselves.
DEFAULTS = "__defaults"

ADD, DELETE, UPDATE = "add", "delete", "update"


@dataclass(frozen=True)
class Changes:
    """The differing properties by path, and what they take."""

    paths: dict[str, str]
    replaces: list[str]
    delete_before_replace: bool

    def __bool__(self) -> bool:
        return bool(self.paths)


def between(
    handler: Handler, names: Collection[str], outputs: Props, news: Props, ignored: Collection[str] = ()
) -> Changes:
    """The changes that take a resource from the outputs to the inputs `news`."""
    old, new = handler.normal(outputs), handler.normal(news)
    compared = [one for one in sorted(names) if one in news or one not in handler.computed]
    paths = {
        path: kind
        for name in compared
        for path, kind in _differences(old.get(name), new.get(name), name)
        if not any(_is_within(path, one) for one in ignored)
    }
    replaces = [path for path in paths if _top(path) in handler.replaces]
    return Changes(paths, replaces, bool(replaces) and _keeps_its_name(handler, outputs, news))


def inputs_of(names: Collection[str], outputs: Props, inputs: Props | None) -> Props:
    """The inputs that belong to what was read: those of last time brought up to date, or all of an import."""
    if not inputs:
        found = {name: value for name, value in outputs.items() if name in names and not is_empty(value)}
        return found | {DEFAULTS: []}
    return {name: _refreshed(value, outputs.get(name), name) for name, value in inputs.items()}


def is_empty(value: Any) -> bool:
    """Whether a value says no more than none at all."""
    return value in (None, "", 0, False) or value == [] or value == {}  # noqa: PLR1714  # unhashable


def _refreshed(old: Any, new: Any, name: str) -> Any:
    if name == DEFAULTS:
        return old
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: _refreshed(value, new.get(key), key) for key, value in old.items()}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [_refreshed(before, after, "") for before, after in zip(old, new, strict=True)]
    return old if is_empty(old) and is_empty(new) else new


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, str]]:
    if new is UNKNOWN:
        yield path, UPDATE
    elif isinstance(new, dict) and isinstance(old, dict | None):
        yield from _in_mapping(old or {}, new, path)
    elif isinstance(new, list) and isinstance(old, list | None):
        yield from _in_list(old or [], new, path)
    elif not (old == new or (is_empty(old) and is_empty(new))):
        yield path, ADD if is_empty(old) else DELETE if is_empty(new) else UPDATE


def _in_mapping(old: Props, new: Props, path: str) -> Iterator[tuple[str, str]]:
    for key in sorted(old.keys() | new.keys()):
        yield from _differences(old.get(key), new.get(key), f"{path}.{key}")


def _in_list(old: list[Any], new: list[Any], path: str) -> Iterator[tuple[str, str]]:
    for index in range(max(len(old), len(new))):
        at = f"{path}[{index}]"
        if index >= len(old):
            yield at, ADD
        elif index >= len(new):
            yield at, DELETE
        else:
            yield from _differences(old[index], new[index], at)


def _top(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


def _is_within(path: str, outer: str) -> bool:
    return path == outer or path.startswith((f"{outer}.", f"{outer}["))


def _keeps_its_name(handler: Handler, outputs: Props, news: Props) -> bool:
    """Two resources cannot have one name, so the old one of a given name goes first."""
    name = handler.named
    return (
        name is not None
        and name in news
        and name not in news.get(DEFAULTS, [])
        and news[name] == outputs.get(name)
    )
