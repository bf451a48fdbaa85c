"""Atomic file writes."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from core.storage import _telemetry
from core.storage._keys import PART_NAME

#: Seconds after which a part is left over.
_STALE = 3600
#: Folders that this process has looked through.
_swept: set[str] = set()
#: Flags of a new file that nobody else has: of two processes with one target, neither harms the other.
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)


def check_target(path: str | os.PathLike[str]) -> Path:
    """`path`, if a file can be put there.

    Raises:
        IsADirectoryError: it is a folder.
        FileNotFoundError: the folder that it is to stand in does not exist; it is not created, because a
            mistyped path would otherwise fill a new tree.
        NotADirectoryError: that folder is a file.
        FileExistsError: something stands there that is no regular file, such as a device.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "the target is a folder, name a file in it", str(target))
    if not target.parent.exists():
        raise FileNotFoundError(errno.ENOENT, "the folder does not exist, create it first", str(target.parent))
    if not target.parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "this is a file, not a folder", str(target.parent))
    if target.exists() and not target.is_file():
        raise FileExistsError(errno.EEXIST, "the target is no regular file, it is not replaced", str(target))
    return target


def replace(part: str, target: str | os.PathLike[str]) -> None:
    """Rename a finished file to its name. A file or link that has the name is replaced.

    Raises:
        FileExistsError: something else has the name, such as a pipe or a device.
    """
    with suppress(FileNotFoundError):
        mode = os.lstat(target).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
            raise FileExistsError(errno.EEXIST, "the target is no regular file, it is not replaced", str(target))
    os.replace(part, target)


@contextmanager
def replacing(
    target: str | os.PathLike[str],
    *,
    durable: bool = True,
    rename: Callable[[str, str | os.PathLike[str]], None] = replace,
) -> Iterator[BinaryIO]:
    """Yield a new file that replaces `target` when the block ends, and is removed when the block raises.

    It is hidden and in the folder of the target, because a rename is atomic only within one file system, and its
    short name does not grow with the target's, whose own may already be as long as the file system allows. Its
    mode is that of any new file. A link is replaced, not followed.

    Args:
        target: the file to write.
        durable: whether the content is on the disk before the name is.
        rename: gives the new file its name.
    """
    part = os.path.join(os.path.dirname(target), f".mpr-{os.urandom(4).hex()}.part")
    descriptor = os.open(part, _NEW, 0o666)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            yield file
            if durable:
                os.fsync(file.fileno())
        rename(part, target)
    except BaseException:
        # Also on KeyboardInterrupt and SystemExit: only `kill -9` leaves a part behind.
        with suppress(FileNotFoundError):
            os.unlink(part)
        raise


def sweep(folder: str) -> None:
    """Remove what killed processes left in a folder, once for each folder and process.

    A part goes if it was last written to an hour ago: a download that gets nothing for minutes is given up.
    """
    if folder in _swept:
        return
    _swept.add(folder)
    removed = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for one in entries:
            if PART_NAME.fullmatch(one.name) and one.is_file(follow_symlinks=False):
                removed += _remove_stale(one)
    if removed:
        _telemetry.swept(folder, removed)


def _remove_stale(part: os.DirEntry[str]) -> bool:
    """Whether it was, and is gone."""
    with suppress(OSError):
        if time.time() - part.stat(follow_symlinks=False).st_mtime > _STALE:
            os.unlink(part.path)
            return True
    return False


def check_space(file: BinaryIO, size: int) -> None:
    """Refuse what cannot fit, before it is downloaded.

    Raises:
        OSError: with ENOSPC.
    """
    room = os.fstatvfs(file.fileno())
    if not room.f_blocks:
        return  # some file systems (FUSE) do not say how large they are
    free = room.f_bavail * room.f_frsize
    if size > free:
        raise OSError(errno.ENOSPC, f"the object has {size} bytes, the file system has {free} free")
