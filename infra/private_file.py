"""Files that hold secrets: mode 0600 from their first byte, and whole or absent."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_PRIVATE = 0o600


def write(path: Path, text: str) -> None:
    """Write the file atomically and durably: a reader sees the old content or the new, never a part.

    Raises:
        OSError: the folder cannot be written; nothing is left behind.
    """
    # The name ends like the target's, so that whatever keeps that out of version control covers this too.
    part = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    # O_EXCL: a file or link that somebody placed there beforehand is refused, not followed. The mode is given
    # here, because a chmod afterwards leaves a moment in which others can open the file.
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        part.replace(path)
    except BaseException:  # an interruption as well: the part holds the secret
        part.unlink(missing_ok=True)
        raise


def write_once(path: Path, text: str) -> Path:
    """Write the file unless there is one; its path."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write(path, text)
    return path
