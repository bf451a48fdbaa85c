"""Where files are while a stage works on them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def workspace() -> Iterator[Path]:
    """An empty folder that only its owner may read, gone with its content when the block ends, however it ends."""
    with tempfile.TemporaryDirectory(prefix="mpr-example-") as folder:
        yield Path(folder)
