"""Which keys can be copied, and how rclone is told of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from core.storage import ObjectInfo, UnsafeKeyError
from core.storage._internal import check_new_key

FOLDED = "have a backslash, or a part that is empty, . or ..: some stores fold or refuse such keys"
FOLDER_WITH_CONTENT = "end in a slash and have content, which some stores drop"
HIDDEN = "are an object and the folder of another: the target would no longer list what is below"

#: rclone shows some characters by others (https://rclone.org/overview/#restricted-filenames). A key that itself
#: holds one of those others has it quoted with this; so have parts that are one or two full-width dots.
_QUOTE = "\u201b"
_QUOTED = re.compile("[\u201b\uff0f\u2400-\u241f\u2421]")
_DOTS = re.compile(r"(\A|/)(\uff0e\uff0e?)(?=/|\Z)")
#: What cannot stand in a list of lines, as rclone shows it.
_LINE_BREAKS = {ord("\n"): "\u240a", ord("\r"): "\u240d"}


def listed(key: str) -> str:
    """The key as rclone reads and writes it; another one for every key."""
    quoted = _QUOTED.sub(lambda found: _QUOTE + found[0], key)
    dotted = _DOTS.sub(lambda found: found[1] + "".join(_QUOTE + dot for dot in found[2]), quoted)
    return dotted.translate(_LINE_BREAKS)


def problem(one: ObjectInfo) -> str | None:
    """Why a copy of the object could end under another key, or nowhere; None for nearly every object."""
    if one.key.endswith("/"):
        return FOLDER_WITH_CONTENT
    try:
        check_new_key(one.key)
    except UnsafeKeyError:
        return FOLDED
    return None


def is_marker(one: ObjectInfo) -> bool:
    """Whether it is a folder marker: a name without content, which no copy needs."""
    return one.key.endswith("/") and one.size == 0


def hidden(new: Iterable[str], all_keys: Mapping[str, object]) -> set[str]:
    """The new keys that are, or are below, another object's folder, where a store lists but one of them."""
    folders = {folder for key in all_keys for folder in _folders(key)}
    return {key for key in new if key in folders or any(folder in all_keys for folder in _folders(key))}


def _folders(key: str) -> Iterator[str]:
    at = key.find("/")
    while at != -1:
        yield key[:at]
        at = key.find("/", at + 1)
