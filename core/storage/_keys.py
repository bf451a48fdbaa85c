"""Valid object keys, and their conversion to paths.

Stores differ in odd keys: AWS keeps ``../x`` and ``a//b`` unchanged, SeaweedFS refuses the first and folds the
second to ``a/b``. File systems have rules of their own. So this library checks keys before both.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from core.storage._errors import UnsafeKeyError
from core.storage._public import public

#: Bytes of UTF-8, on every store
#: (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
MAX_KEY = 1024
#: Bytes of one file name, on every common file system (NAME_MAX).
MAX_NAME = 255
#: The name of a file that is being downloaded. No key ends in one: the file would be removed as left over.
PART_NAME = re.compile(r"\.mpr-[0-9a-f]{8}\.part")


def check_key(key: str) -> str:
    """Return `key` if it names an object.

    Raises:
        TypeError: it is no text.
        UnsafeKeyError: it is empty, ends in ``/`` (a folder marker, no object), holds NUL, or is no UTF-8
            text of at most 1,024 bytes.
    """
    if not isinstance(key, str):
        raise TypeError(f"the key must be text (a str), got {type(key).__name__}")
    problem = key_problem(key)
    if problem:
        raise UnsafeKeyError(f"the key {key!r} {problem}", key=key)
    return key


def check_new_key(key: str) -> str:
    """Return `key` if every store keeps an object under exactly this name.

    Raises:
        UnsafeKeyError: as `check_key`; or a part between slashes is empty, ``.``, ``..`` or longer than 255 bytes,
            or holds a backslash, which SeaweedFS 4.48 turns into a slash; or the last part is a name that this
            library gives to its temporary files.
    """
    _parts_of(
        key,
        "some stores change or refuse it, or it cannot be downloaded; use a relative key such as "
        "frames/match-01/0001.jpg",
    )
    return key


@public
def safe_path(folder: str | os.PathLike[str], key: str) -> Path:
    """Return the path in `folder` for `key`. It never leads out of `folder`.

    Nothing is created. Symbolic links in existing parents are resolved for the check, which holds as long as no
    other process changes these folders.

    Raises:
        UnsafeKeyError: the key names no object (`check_key`), is absolute, has a part that is empty, ``.``,
            ``..`` or longer than 255 bytes, holds a backslash (a separator on other systems: the same key
            would be another path there), ends in the name of a temporary file of this library, or a link on the
            way leads out of `folder`.
    """
    path = Path(folder, *path_parts(key))
    if not path.parent.resolve().is_relative_to(Path(folder).resolve()):
        raise UnsafeKeyError(f"the key {key!r} leads out of {folder} through a symbolic link", key=key)
    return path


def path_parts(key: str) -> list[str]:
    """Return the parts of the path for `key`.

    Raises:
        UnsafeKeyError: as `safe_path`, except for links.
    """
    return _parts_of(key, "it cannot be a path")


def key_problem(key: str) -> str | None:
    """Return why `key` names no object, or None."""
    if not key:
        return "is empty"
    if key.endswith("/"):
        return "names a folder, not an object"
    if "\0" in key:
        return "holds a NUL character"
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "is no valid Unicode text"
    return f"is {size} bytes long; S3 takes {MAX_KEY}" if size > MAX_KEY else None


def name_problem(name: str) -> str | None:
    """Return why the last part of an object key cannot be this, or None."""
    if PART_NAME.fullmatch(name):
        return "ends in a name of a temporary file of this library"
    return part_problem(name)


def part_problem(part: str) -> str | None:
    """Return why a path cannot have this part, or None."""
    if part == "":
        return "starts with a slash or has two in a row"
    if part in {".", ".."}:
        return f"has the part {part!r}"
    if "\\" in part:
        return "holds a backslash"
    if len(part.encode()) > MAX_NAME:
        return f"has a part of more than {MAX_NAME} bytes"
    return None


def _parts_of(key: str, consequence: str) -> list[str]:
    parts = check_key(key).split("/")
    problem = name_problem(parts[-1]) or next(filter(None, map(part_problem, parts)), None)
    if problem:
        raise UnsafeKeyError(f"the key {key!r} {problem}: {consequence}", key=key)
    return parts
