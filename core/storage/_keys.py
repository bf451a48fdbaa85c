"""Which keys are taken, and how a key becomes a path that stays in its folder.

Stores disagree about odd keys: AWS keeps ``../x`` and ``a//b`` as they stand, SeaweedFS refuses the first and
folds the second to ``a/b``. A file system has rules of its own. So the guard is here, in front of both.
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
    """`key`, if it names an object.

    Raises:
        UnsafeKeyError: it is empty, ends in ``/`` (a folder marker, no object), holds NUL, or is no UTF-8
            text of at most 1,024 bytes.
    """
    problem = key_problem(key)
    if problem:
        raise UnsafeKeyError(f"the key {key!r} {problem}", key=key)
    return key


def check_new_key(key: str) -> str:
    """`key`, if every store would keep an object under exactly this name.

    Raises:
        UnsafeKeyError: as `check_key`; or a part between slashes is empty, ``.``, ``..`` or longer than 255 bytes,
            or holds a backslash, which SeaweedFS 4.48 turns into a slash; or the last part is a name that this
            library gives to its temporary files.
    """
    problem = parts_problem(check_key(key).split("/"))
    if problem:
        raise UnsafeKeyError(
            f"the key {key!r} {problem}: some stores fold or refuse it, or it cannot be downloaded; use a "
            "relative key such as frames/match-01/0001.jpg",
            key=key,
        )
    return key


@public
def safe_path(folder: str | os.PathLike[str], key: str) -> Path:
    """The path in `folder` that stands for `key`. It never leads out of `folder`.

    Nothing is created. Symbolic links in existing parents are followed to see where they lead; the answer
    holds as long as nobody else changes these folders.

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
    """The names that make the path of `key`, of which none leads anywhere else.

    Raises:
        UnsafeKeyError: as `safe_path`, but for links.
    """
    parts = check_key(key).split("/")
    problem = parts_problem(parts)
    if problem:
        raise UnsafeKeyError(f"the key {key!r} {problem}: it cannot be a path", key=key)
    return parts


def key_problem(key: str) -> str | None:
    """Why `key` names no object, or None."""
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


def parts_problem(parts: list[str]) -> str | None:
    """Return why a key with these parts between its slashes can be no path, or None."""
    if PART_NAME.fullmatch(parts[-1]):
        return "ends in a name of a temporary file of this library"
    return next((problem for problem in map(part_problem, parts) if problem), None)


def part_problem(part: str) -> str | None:
    """Why a key with the part `part` between its slashes can be no path, or None."""
    if part == "":
        return "starts with a slash or has two in a row"
    if part in {".", ".."}:
        return f"has the part {part!r}"
    if "\\" in part:
        return "holds a backslash"
    if len(part.encode()) > MAX_NAME:
        return f"has a part of more than {MAX_NAME} bytes"
    return None
