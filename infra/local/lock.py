"""A lock between processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from infra.errors import UsageError


@contextmanager
def exclusive(path: Path, *, busy: str | None = None) -> Iterator[None]:
    """Lock the file at `path`; create it and its folder if necessary. The kernel unlocks it when the process ends.

    Args:
        path: the lock file.
        busy: the message of the error if another process holds the lock; None: wait for that process.

    Raises:
        UsageError: another process holds the lock, and `busy` is given.
    """
    while True:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
            except BlockingIOError:
                raise UsageError(busy) from None
            # The process that held the lock may have deleted the file: then another process can lock a new one.
            if _is_same_file(file, path):
                yield
                return


def _is_same_file(file: IO[bytes], path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
