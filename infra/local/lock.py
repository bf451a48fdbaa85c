"""A lock between processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from infra.errors import UsageError
from infra.private_file import make_folders


@contextmanager
def locked(path: Path, *, shared: bool = False, blocked: Callable[[], None] = lambda: None) -> Iterator[IO[bytes]]:
    """Lock the file at `path` and return it; create it and its folder if necessary.

    The kernel unlocks it when the process ends.

    Args:
        path: the lock file.
        shared: whether other processes may hold the lock as well, if they share it too.
        blocked: called if another process holds the lock, before this waits for it. It may raise instead.

    Raises:
        UsageError: the file cannot be written or locked.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        with _open(path) as file:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                blocked()
                fcntl.flock(file, kind)
            except OSError as error:  # a file system without locks
                raise _unusable(path, error) from error
            # The process that held the lock may have deleted the file: then another process can lock a new one.
            if _is_same_file(file, path):
                yield file
                return


def _open(path: Path) -> IO[bytes]:
    try:
        if not path.parent.is_dir():
            make_folders(path.parent)
        return path.open("ab")
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot lock {path}: {error.strerror}, so nothing was changed; make its folder writable, then run this "
        "again"
    )


def _is_same_file(file: IO[bytes], path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
