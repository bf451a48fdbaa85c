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

#: Seconds since its last write after which a temporary file is left over from a killed process: a download that
#: receives nothing fails within minutes.
_STALE = 3600
#: Random texts for the names of temporary files.
_numbers: list[str] = []
#: Folders that this process has swept.
_swept: set[str] = set()
#: Flags that create a new file or fail: two processes with one target never write to the same temporary file.
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)


def check_target(path: str | os.PathLike[str]) -> Path:
    """Return `path` if a file can be written there; otherwise raise the OSError that says why.

    A missing folder is not created, because a mistyped path would otherwise fill a new tree.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"the path must be a str or an os.PathLike, got {type(path).__name__}")
    target = Path(path)
    if "\0" in str(target):
        raise ValueError(f"the path {str(target)!r} holds a NUL character: no file can have such a name")
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "the target is a folder, name a file in it", str(target))
    check_folder(target.parent)
    if target.exists() and not target.is_file():
        raise FileExistsError(errno.EEXIST, "the target is no regular file, it is not replaced", str(target))
    return target


def check_folder(path: str | os.PathLike[str]) -> Path:
    """Return `path` if it is a folder; otherwise raise the OSError that says why."""
    folder = Path(path)
    if not folder.exists():
        raise FileNotFoundError(errno.ENOENT, "the folder does not exist, create it first", str(folder))
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "this is a file, not a folder", str(folder))
    return folder


class Replacement:
    """A context manager with a new file that replaces `target` at the end, and is removed after an exception.

    The file is hidden and in the folder of the target, because a rename is atomic only within one file system. Its
    short name does not grow with the target's, which may already be as long as the file system allows. Its
    mode is that of any new file. A symbolic link is replaced, not followed.
    """

    def __init__(
        self,
        target: str | os.PathLike[str],
        *,
        durable: bool = True,
        check: Callable[[str, str | os.PathLike[str], os.stat_result], None] | None = None,
    ) -> None:
        """Prepare the new file; with `durable`, it is forced to the disk before the rename.

        `check` is called with its path, the target and the status of that before a regular file is replaced, and
        raises an exception to keep that file.
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
            # A forked child that drops its copy of this object must not remove the parent's file.
            if not replaced and os.getpid() == self._process:
                with suppress(FileNotFoundError):
                    os.unlink(self._part)

    def _replace(self) -> None:
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
    """Return eight random hexadecimal digits; one system call makes many."""
    if not _numbers:
        digits = os.urandom(4 * 64).hex()
        _numbers.extend(digits[start : start + 8] for start in range(0, len(digits), 8))
    return _numbers.pop()


def sweep(folder: str) -> None:
    """Remove the temporary files that killed processes left in a folder, once per folder and process."""
    if folder in _swept:
        return
    _swept.add(folder)
    removed = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not PART_NAME.fullmatch(entry.name) or not entry.is_file(follow_symlinks=False):
                continue
            with suppress(OSError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > _STALE:
                    os.unlink(entry.path)
                    removed += 1
    if removed:
        _telemetry.swept(folder, removed)


os.register_at_fork(after_in_child=_numbers.clear)
