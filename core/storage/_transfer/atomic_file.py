"""Atomic file writes."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core.storage import _telemetry
from core.storage._engine import in_worker
from core.storage._keys import PART_NAME

#: Seconds after which a part is left over.
_STALE = 3600
#: Numbers for the names of new files, which no other process has.
_numbers: list[str] = []
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


class Replacement:
    """A new file that replaces `target` when its block ends, and is removed when the block raises.

    It is hidden and in the folder of the target, because a rename is atomic only within one file system, and its
    short name does not grow with the target's, whose own may already be as long as the file system allows. Its
    mode is that of any new file. A link is replaced, not followed.
    """

    def __init__(
        self,
        target: str | os.PathLike[str],
        *,
        durable: bool = True,
        check: Callable[[str, str | os.PathLike[str], os.stat_result], None] | None = None,
    ) -> None:
        """Prepare it.

        Args:
            target: the file to write.
            durable: whether the content is on the disk before the name is.
            check: gets the path of the new file, the target and its status, if that is a regular file, and raises
                if it must stay.
        """
        self._target = target
        self._durable = durable
        self._check = check
        self._part = os.path.join(os.path.dirname(target), f".mpr-{_random()}.part")
        self._descriptor = -1
        self._process = os.getpid()

    async def __aenter__(self) -> int:
        """Return the descriptor of the new file."""
        self._descriptor = os.open(self._part, _NEW, 0o666)
        return self._descriptor

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        replaced = False
        try:
            try:
                if kind is None and self._durable:
                    await in_worker(os.fsync, self._descriptor)
            finally:
                os.close(self._descriptor)
            if kind is None:
                self._replace()
                replaced = True
        finally:
            if not replaced and os.getpid() == self._process:  # not in a child, which drops its copy of this
                with suppress(FileNotFoundError):
                    os.unlink(self._part)

    def _replace(self) -> None:
        """Rename the new file, unless the name belongs to what is no file, such as a pipe or a device."""
        with suppress(FileNotFoundError):
            status = os.lstat(self._target)
            mode = status.st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
                raise FileExistsError(
                    errno.EEXIST, "the target is no regular file, it is not replaced", str(self._target)
                )
            if self._check and stat.S_ISREG(mode):
                self._check(self._part, self._target, status)
        os.replace(self._part, self._target)


def _random() -> str:
    """Return eight random digits, many of which are made in one call of the system."""
    if not _numbers:
        digits = os.urandom(4 * 64).hex()
        _numbers.extend(digits[start : start + 8] for start in range(0, len(digits), 8))
    return _numbers.pop()


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


def write_at(descriptor: int, data: memoryview, position: int) -> None:
    """Write all of the data; a system may take less at once, before it says what is wrong."""
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], position + written)


def check_space(descriptor: int, size: int) -> None:
    """Refuse what cannot fit, before it is downloaded.

    Raises:
        OSError: with ENOSPC.
    """
    room = os.fstatvfs(descriptor)
    if not room.f_blocks:
        return  # some file systems (FUSE) do not say how large they are
    free = room.f_bavail * room.f_frsize
    if size > free:
        raise OSError(errno.ENOSPC, f"the object has {size} bytes, the file system has {free} free")


os.register_at_fork(after_in_child=_numbers.clear)
