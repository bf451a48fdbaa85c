"""Downloading to a temporary file."""

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

    The file keeps the suffix of the key, because ffmpeg and OpenCV go by it, and nothing else of the key. Only its
    owner may read it (mode 0600). Atomic, verified and retried as `download_file`: after a failure there is no
    file. `temporary_download` also deletes the file.

    Raises:
        StorageError, OSError: as `download_file`.
    """
    return run(downloaded(bucket, key, current_settings()))


async def downloaded(bucket: str, key: str, settings: Settings) -> Path:
    """Do as `download_to_temp`."""
    suffix = _SUFFIX.search(check_key(key))
    descriptor, name = tempfile.mkstemp(prefix="mpr-", suffix=suffix[0] if suffix else "")
    try:
        with _telemetry.span("download_to_temp", bucket, key) as span:
            span.moved(await fetch(bucket, key, descriptor, Report(), settings))
    except BaseException:
        os.unlink(name)
        raise
    finally:
        os.close(descriptor)
    return Path(name)


@public
@contextmanager
def temporary_download(bucket: str, key: str) -> Iterator[Path]:
    """Download as `download_to_temp` for one ``with`` block, and delete the file when the block ends.

    Raises:
        StorageError, OSError: as `download_file`.
    """
    with temporary(bucket, key, current_settings()) as path:
        yield path


@contextmanager
def temporary(bucket: str, key: str, settings: Settings) -> Iterator[Path]:
    """Download as `temporary_download` does, with `settings`."""
    path = run(downloaded(bucket, key, settings))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
