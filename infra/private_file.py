"""Files that hold secrets, with mode 0600 from the first byte, written atomically; folders with mode 0700."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from infra import temporary_file
from infra.errors import UsageError

_PRIVATE = 0o600
_PRIVATE_FOLDER = 0o700


def write(path: Path, text: str) -> None:
    """Write the file atomically: temporary file, fsync, rename.

    Raises:
        OSError: the folder cannot be written; the temporary file is removed.
    """
    with temporary_file.written(path, text, mode=_PRIVATE) as temporary:
        temporary.replace(path)


def is_replaceable(path: Path) -> bool:
    """Return whether `write` replaces no more than a file: not a link, a device or a pipe, such as /dev/stdout."""
    return not path.is_symlink() and (path.is_file() or not path.exists())


def write_once(path: Path, text: str) -> Path:
    """Write the file unless it exists; return its path. Of two processes at once, the first one's text stays.

    Raises:
        UsageError: its folder cannot be created.
        OSError: the file cannot be written; the temporary file is removed.
    """
    if not path.exists():
        make_folders(path.parent)
        with temporary_file.written(path, text, mode=_PRIVATE) as temporary, suppress(FileExistsError):
            os.link(temporary, path)  # in contrast to a rename, it replaces no file
    return path


def make_folders(*paths: Path) -> None:
    """Create each folder and its missing parents with mode 0700, whatever the umask.

    If a folder exists, the permissions of other users are removed from it. A symbolic link is left as it is: the
    user chose the folder that it points to, and may share that one.

    Raises:
        UsageError: a folder cannot be created, or is not writable.
    """
    for path in paths:
        try:
            _create(path)
            if not path.is_symlink():
                _narrow(path)
            if not os.access(path, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise UsageError(
                f"the folder {path} cannot be used: {error.strerror}. It is for private files: it must be a folder"
                " that belongs to you and that you may write"
            ) from error


def _create(folder: Path) -> None:
    if folder.is_dir():
        return
    if folder.parent != folder:
        _create(folder.parent)
    try:
        folder.mkdir(_PRIVATE_FOLDER)
    except FileExistsError:
        if not folder.is_dir():  # another process did not create it meanwhile
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    else:
        folder.chmod(_PRIVATE_FOLDER)  # the umask may have removed permissions of the user


def _narrow(folder: Path) -> None:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & ~_PRIVATE_FOLDER:
        folder.chmod(mode & _PRIVATE_FOLDER)
