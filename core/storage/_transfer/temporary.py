"""Downloading to a temporary file, for programs that want a file and nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from core.storage import _telemetry
from core.storage._boto.clients import current_settings
from core.storage._keys import check_key
from core.storage._public import public

if TYPE_CHECKING:
    from core.storage.settings import Settings

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,16}$")


@public
def download_to_temp(bucket: str, key: str) -> Path:
    """Download an object to a new file in the folder for temporary files; the caller deletes it.

    The file keeps the suffix of the key, because ffmpeg and OpenCV go by it, takes nothing else from the key,
    and only its owner may read it (mode 0600). Whole, verified and retried as `download_file`; after a failure
    nothing is left. `temporary_download` deletes it for you.

    Raises:
        StorageError, OSError: as `download_file`.
    """
    return downloaded(bucket, key, current_settings())


def downloaded(bucket: str, key: str, settings: Settings) -> Path:
    """Do as `download_to_temp`, with `settings`."""
    import tempfile  # noqa: PLC0415  # 5 ms

    from core.storage._engine import run  # noqa: PLC0415  # asyncio costs 30 ms
    from core.storage._progress import Progress  # noqa: PLC0415  # as above
    from core.storage._transfer.fetch import fetch  # noqa: PLC0415  # as above

    suffix = _SUFFIX.search(check_key(key))
    descriptor, name = tempfile.mkstemp(prefix="mpr-", suffix=suffix[0] if suffix else "")
    path = Path(name)
    try:
        with _telemetry.span("download_to_temp", bucket, key) as span:
            span.moved(run(fetch(bucket, key, descriptor, Progress(None), settings)))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return path


@public
@contextmanager
def temporary_download(bucket: str, key: str) -> Iterator[Path]:
    """`download_to_temp` for one ``with`` block; the file is deleted when the block ends, however it ends.

    Raises:
        StorageError, OSError: as `download_file`.
    """
    with temporary(bucket, key, current_settings()) as path:
        yield path


@contextmanager
def temporary(bucket: str, key: str, settings: Settings) -> Iterator[Path]:
    """Do as `temporary_download`, with `settings`."""
    path = downloaded(bucket, key, settings)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
