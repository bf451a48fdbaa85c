"""Downloading an object, or a range of it, into memory."""

from __future__ import annotations

from core.storage import _telemetry
from core.storage._config.current import current_settings
from core.storage._engine import run
from core.storage._keys import check_key
from core.storage._objects import ObjectInfo
from core.storage._progress import Report
from core.storage._public import public
from core.storage._transfer.download import received
from core.storage._transfer.sink import MemorySink
from core.storage._transfer.source import MAX_POSITION, Source
from core.storage.settings import Settings


@public
def download_bytes(bucket: str, key: str, *, start: int = 0, length: int | None = None) -> bytes:
    """Return the content of the object `key` of `bucket`, or a range of it.

    A whole object is verified as by `download_file`: its size always, and its hash if the store has one. A
    range is verified by its length and by the ETag of the object, because no store has a hash of it. Retried
    and resumed as `download_file`. Uses memory for twice the bytes. Safe from many threads and processes.

    Args:
        bucket: its name, such as `core.storage.BUCKET_IN`.
        key: the object key.
        start: the first byte, from 0.
        length: the number of bytes, fewer if the object ends before; by default, up to its end.

    Raises:
        TypeError, ValueError: `start` or `length` is no whole number, or negative, or over 2**63 - 1.
        UnsafeKeyError: the key is not the name of an object.
        ObjectNotFoundError, BucketNotFoundError, AccessDeniedError, StoreUnreachableError: see these classes.
        ObjectChangedError: the object was replaced during the download.
        IntegrityError: what arrived is not the object, twice.
        StorageError: with the code ``InvalidRange``: `start` is not before the end of the object.
    """
    check_range(start, length)
    return run(download(bucket, key, start, length, current_settings()))


async def download(bucket: str, key: str, start: int, length: int | None, settings: Settings) -> bytes:
    """Do as `download_bytes`."""
    source = Source(bucket, check_key(key), settings, start, length)
    with _telemetry.span("download_bytes", bucket, key) as span:
        content, info = await content_of(source, Report())
        span.moved(info)
    return content


async def content_of(source: Source, report: Report) -> tuple[bytes, ObjectInfo]:
    """Return the bytes of an object or a range, and the description of the object."""
    sinks: list[MemorySink] = []

    def new_sink() -> MemorySink:
        sinks[:] = [MemorySink(source, report)]
        return sinks[0]

    info = await received(source, new_sink)
    return bytes(sinks[0].content), info


def check_range(start: int, length: int | None) -> None:
    """Raise a TypeError or ValueError for what is no range."""
    for name, number, least in (("start", start, 0), ("length", length, 1)):
        if number is None and name == "length":
            continue
        if type(number) is not int:
            raise TypeError(f"{name} must be a whole number of bytes (an int), got {number!r}")
        if abs(number) > MAX_POSITION:  # Python refuses to print over 4,300 digits
            raise ValueError(
                f"{name} must be from {least} to {MAX_POSITION}, got a number of {number.bit_length()} bits"
            )
        if number < least:
            raise ValueError(f"{name} must be at least {least}, got {number}")
