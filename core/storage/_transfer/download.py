"""Downloading one object to a file."""

from __future__ import annotations

import os
from collections.abc import Callable

from core.storage import _telemetry
from core.storage._config.current import current_settings
from core.storage._errors import IntegrityError, StoreUnreachableError
from core.storage._http import retry
from core.storage._keys import check_key
from core.storage._log import logger
from core.storage._objects import ObjectInfo
from core.storage._progress import Progress, Report
from core.storage._public import public
from core.storage._transfer.atomic_file import Replacement, check_target, sweep
from core.storage._transfer.checksums import Check
from core.storage._transfer.sink import CHUNK, FileSink, LargeFileSink, Sink
from core.storage._transfer.source import PARTIAL_CONTENT, Source
from core.storage.settings import Settings


@public
def download_file(
    bucket: str,
    key: str,
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int], object] | None = None,
) -> ObjectInfo:
    """Download the object `key` of `bucket` to the file `path`, replacing an existing file.

    Atomic: the bytes go to a hidden temporary file in the folder of `path`, which is renamed when it is complete,
    verified and on the disk; after any failure, KeyboardInterrupt included, `path` is unchanged. What a killed
    process left is removed an hour later, by the first download of a process into its folder. Verified: the size
    always, the hash if the store has one (`ObjectInfo.verified_by` says which); after a wrong hash the object is
    downloaded once more before that is an error. Retried: a download whose connection breaks is resumed at that
    byte, with backoff, until 5 in a row broke before they delivered 1 MiB. Safe from many threads and processes.

    Args:
        bucket: its name, such as `core.storage.BUCKET_IN`.
        key: the object key.
        path: the file to write. Its folder must exist. A symbolic link is replaced, not followed.
        progress: called with the number of bytes that newly arrived, always positive; bytes that arrive a second
            time after a failure are not counted again. If it raises an exception, that is logged and the download
            continues.

    Raises:
        UnsafeKeyError: the key is not the name of an object.
        ObjectNotFoundError, BucketNotFoundError, AccessDeniedError, StoreUnreachableError: see these classes.
        ObjectChangedError: the object was replaced during the download.
        IntegrityError: what arrived is not the object, twice.
        OSError: the file cannot be written: no folder, no space, no permission.
    """
    report = Progress(progress)
    return report.run(download(bucket, key, path, report, current_settings()))


async def download(
    bucket: str, key: str, path: str | os.PathLike[str], report: Report, settings: Settings
) -> ObjectInfo:
    """Do as `download_file`."""
    check_key(key)
    target = check_target(path)
    sweep(str(target.parent))
    with _telemetry.span("download_file", bucket, key) as span:
        async with Replacement(target) as descriptor:
            info = await fetch(bucket, key, descriptor, report, settings)
        return span.moved(info)


async def fetch(bucket: str, key: str, descriptor: int, report: Report, settings: Settings) -> ObjectInfo:
    """Write the object with this checked key into an empty file, as `download_file` does except for the rename."""
    source = Source(bucket, key, settings)

    def new_sink() -> Sink:
        return (FileSink if source.size <= CHUNK else LargeFileSink)(descriptor, source, report)

    return await received(source, new_sink)


async def received(source: Source, new_sink: Callable[[], Sink]) -> ObjectInfo:
    """Receive and check all bytes of the source, and return the description of the object."""
    with _telemetry.measured("download", source.bucket) as measure:
        try:
            check = await _receive(source, new_sink)
        except IntegrityError as error:
            # A bit that flipped on the way does not flip again; one that flipped in the store does.
            logger.warning("%s; it is read once more", error)
            check = await _receive(source, new_sink, again=True)
        return _telemetry.verified(measure.moved(source.info(check.verified_by)))


async def _receive(source: Source, new_sink: Callable[[], Sink], *, again: bool = False) -> Check:
    """Receive all bytes over as many connections as needed, and return their check."""
    response = await source.open()
    sink = None
    try:
        sink = new_sink()
        if again:
            await sink.restart()
        cause = await sink.drain(response)
        failures = 0
        while cause:
            failures = 1 if sink.gained >= CHUNK else failures + 1
            if failures >= retry.ATTEMPTS:
                raise source.error(
                    StoreUnreachableError,
                    f"the connection broke {retry.ATTEMPTS} times at byte {sink.position} of {source.size} of "
                    f"{source.bucket}/{source.key}; nothing was kept, try again later",
                ) from cause
            seconds = await retry.pause(failures)
            _telemetry.resumed(source.bucket, source.key, sink.position, source.size, cause, seconds)
            response.close()
            response = await source.open(sink.position)
            if response.status != PARTIAL_CONTENT:  # the server ignores ranges
                await sink.restart()
            cause = await sink.drain(response)
        return await sink.checked()
    finally:
        response.close()
        if sink:
            await sink.close()
