"""Downloading one object: whole, verified, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from core.storage import _telemetry
from core.storage._config.current import current_settings
from core.storage._errors import IntegrityError
from core.storage._http import retry
from core.storage._keys import check_key
from core.storage._log import logger
from core.storage._objects import ObjectInfo
from core.storage._progress import Progress, Report
from core.storage._public import public
from core.storage._transfer.atomic_file import Replacement, check_target, sweep
from core.storage._transfer.checksums import Check
from core.storage._transfer.sink import CHUNK, new_sink
from core.storage._transfer.source import Source, is_partial
from core.storage.settings import Settings


@public
def download_file(
    bucket: str,
    key: str,
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int], object] | None = None,
) -> ObjectInfo:
    """Download the object `key` of `bucket` to the file `path`, replacing what stands there.

    Atomic: the bytes go to a hidden temporary file beside `path`, which is renamed when they are whole,
    verified and on the disk; after any failure, KeyboardInterrupt included, `path` is as it was. What a killed
    process left is removed an hour later, by the next download into the same folder. Verified:
    size always, hash where the store gives one (`ObjectInfo.verified_by` says which); a hash that does not fit
    is downloaded once more before it is an error. Retried: a connection that breaks is resumed where it broke,
    with backoff, up to 5 times in a row without getting further. Safe from many threads and processes.

    Args:
        bucket: its name, such as `core.storage.BUCKET_IN`.
        key: the object's key.
        path: the file to write. Its folder must exist. A symbolic link is replaced, not followed.
        progress: called with the number of bytes that newly arrived, always positive; what arrives a second
            time after a fault is not counted again. If it raises, that is logged and the download goes on.

    Raises:
        UnsafeKeyError: the key names no object.
        ObjectNotFoundError, BucketNotFoundError, AccessDeniedError, StoreUnreachableError: as they say.
        ObjectChangedError: the object was replaced meanwhile.
        IntegrityError: what arrived is not the object, twice.
        OSError: the file cannot be written: no folder, no space, no right.
    """
    check_key(key)
    target = check_target(path)
    sweep(str(target.parent))
    reported = Progress(progress)
    with _telemetry.span("download_file", bucket, key) as span:
        return span.moved(reported.run(_downloaded(bucket, key, target, reported.report, current_settings())))


async def _downloaded(bucket: str, key: str, target: Path, report: Report, settings: Settings) -> ObjectInfo:
    async with Replacement(target) as descriptor:
        return await fetch(bucket, key, descriptor, report, settings)


async def fetch(bucket: str, key: str, descriptor: int, report: Report, settings: Settings) -> ObjectInfo:
    """Write the object into an empty file, with the guarantees of `download_file` but for the renaming."""
    source = Source(bucket, check_key(key), settings)
    with _telemetry.measured("download", bucket) as measure:
        return _telemetry.verified(measure.moved(await _fetched(source, descriptor, report)))


async def _fetched(source: Source, descriptor: int, report: Report) -> ObjectInfo:
    try:
        check = await _receive(source, descriptor, report)
    except IntegrityError as error:
        # A bit that flipped on the way does not flip again; one that flipped in the store does.
        logger.warning("%s; it is read once more", error)
        os.ftruncate(descriptor, 0)
        check = await _receive(source, descriptor, report)
    return source.info(check.verified_by)


async def _receive(source: Source, descriptor: int, report: Report) -> Check:
    """Receive all bytes of the object, over as many connections as it takes, and their hash."""
    response = await source.open()
    sink = None
    try:
        sink = new_sink(descriptor, source, report)
        cause = await sink.drain(response)
        failures = 0
        while cause:
            failures = 1 if sink.gained >= CHUNK else failures + 1
            if failures >= retry.ATTEMPTS:
                raise source.broken(sink.position) from cause
            seconds = await retry.pause(failures)
            _telemetry.resumed(source.bucket, source.key, sink.position, source.size, cause, seconds)
            response.close()
            response = await source.resume(sink.position)
            if not is_partial(response):
                await sink.restart()
            cause = await sink.drain(response)
        return await sink.checked()
    finally:
        response.close()
        if sink:
            await sink.close()
