"""Which object keys can be copied, and their spelling in the input and output of rclone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from core.storage import ObjectInfo, UnsafeKeyError
from core.storage._internal import check_new_key

FOLDED = "have a backslash, or a part that is empty, . or ..: some stores change or refuse such keys"
FOLDER_WITH_CONTENT = "end in a slash and have content, which some stores drop"
HIDDEN = "are an object and the folder of another: the target would no longer list what is below"

#: rclone replaces some characters (https://rclone.org/overview/#restricted-filenames), and quotes a character that
#: is itself a replacement with this one; so it does parts of one or two full-width dots.
_QUOTE = "\u201b"
_QUOTED = re.compile("[\u201b\uff0f\u2400-\u241f\u2421]")
_DOTS = re.compile(r"(\A|/)(\uff0e\uff0e?)(?=/|\Z)")
#: Line ends, which a list of lines cannot hold, and their replacements.
_LINE_BREAKS = {ord("\n"): "\u240a", ord("\r"): "\u240d"}


def listed(key: str) -> str:
    """Return the object key as rclone reads and writes it, which differs for every two keys."""
    quoted = _QUOTED.sub(lambda match: _QUOTE + match[0], key)
    dotted = _DOTS.sub(lambda match: match[1] + "".join(_QUOTE + dot for dot in match[2]), quoted)
    return dotted.translate(_LINE_BREAKS)


def problem(info: ObjectInfo) -> str | None:
    """Return why the target may store the object under another key or not at all; None for nearly every object."""
    if info.key.endswith("/"):
        return FOLDER_WITH_CONTENT
    try:
        check_new_key(info.key)
    except UnsafeKeyError:
        return FOLDED
    return None


def is_marker(info: ObjectInfo) -> bool:
    """Return whether the object is a folder marker: a name without content, which no copy needs."""
    return info.key.endswith("/") and info.size == 0


def hidden(new: Iterable[str], all_keys: Mapping[str, object]) -> set[str]:
    """Return the new keys that are another object's folder or are in one, where a store lists only one of both."""
    folders = {folder for key in all_keys for folder in _folders(key)}
    return {key for key in new if key in folders or any(folder in all_keys for folder in _folders(key))}


def _folders(key: str) -> Iterator[str]:
    end = key.find("/")
    while end != -1:
        yield key[:end]
        end = key.find("/", end + 1)
