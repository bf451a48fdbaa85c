"""Atomic writes of files that hold secrets, with mode 0600 from the first byte."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_PRIVATE = 0o600


def write(path: Path, text: str) -> None:
    """Write the file atomically: temporary file, fsync, rename.

    Raises:
        OSError: the folder cannot be written; the temporary file is removed.
    """
    # The name ends like that of the file, so that git ignores it by the same pattern.
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    # O_EXCL refuses an existing file or link. The mode is given here, because others could open the file before a
    # chmod.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:  # also KeyboardInterrupt: the temporary file holds the secret
        temporary.unlink(missing_ok=True)
        raise


def write_once(path: Path, text: str) -> Path:
    """Write the file unless it exists; return its path."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write(path, text)
    return path
