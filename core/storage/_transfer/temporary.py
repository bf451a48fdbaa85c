"""Downloading to a temporary file, for programs that want a file and nothing else."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.storage import _telemetry
from core.storage._config.current import current_settings
from core.storage._engine import run
from core.storage._keys import check_key
from core.storage._progress import Report
from core.storage._public import public
from core.storage._transfer.download import fetch
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
    suffix = _SUFFIX.search(check_key(key))
    descriptor, name = tempfile.mkstemp(prefix="mpr-", suffix=suffix[0] if suffix else "")
    path = Path(name)
    try:
        with _telemetry.span("download_to_temp", bucket, key) as span:
            span.moved(run(fetch(bucket, key, descriptor, Report(), settings)))
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
