"""One start, stop or removal at a time, across processes."""

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
    """Hold the lock file `path`, after waiting for whoever holds it. The kernel frees it if the holder dies.

    Raises:
        UsageError: with the sentence `busy`, if there is one and somebody holds it.
    """
    while True:
        with path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
            except BlockingIOError:
                raise UsageError(busy) from None
            # Whoever held it may have removed the store, and this file with it: then it guards nothing.
            if _is_still_at(file, path):
                yield
                return


def _is_still_at(file: IO[bytes], path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
