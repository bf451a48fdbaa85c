"""A temporary file, written and synced, that becomes another file at once: by a rename, or by a link."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written(path: Path, text: str, *, mode: int) -> Iterator[Path]:
    """Write the text to a temporary file in the folder of `path`, and remove that file at the end.

    Args:
        path: the file that it is to become.
        text: its content, written as UTF-8.
        mode: its permissions, from which the umask removes some.

    Raises:
        OSError: the folder cannot be written.
    """
    # The name ends like that of the file, so that git ignores it by the same pattern.
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    # O_EXCL refuses an existing file or link. The mode is given here, because others could open the file before a
    # chmod.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:  # also after KeyboardInterrupt: the file may hold a secret
        temporary.unlink(missing_ok=True)
