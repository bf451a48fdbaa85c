"""Uploading many files."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from core.storage import _telemetry
from core.storage._errors import ObjectNotFoundError
from core.storage._http.clock import header_time
from core.storage._http.limits import WORKERS
from core.storage._http.request import Request, exchange
from core.storage._objects import ObjectInfo
from core.storage._public import public
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer.bulk import Bulk, Counter
from core.storage._transfer.checksums import etag_of
from core.storage._transfer.content_types import content_type_of
from core.storage._transfer.unchanged import is_same
from core.storage._transfer.upload import put
from core.storage.settings import Settings

#: A file, a bucket and a key, in the order of `upload_file`.
_Item = TypeVar("_Item", bound=tuple[str | os.PathLike[str], str, str])
_LENGTH = 3


@public
def upload_many(
    items: Iterable[_Item],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
) -> Generator[TransferResult[_Item], None, None]:
    """Upload files, many at once; yield a result for each when it finishes, in any order.

    Nothing starts before the first result is requested: iterate to the end, or the rest is not uploaded.
    Each object is complete and verified as by `upload_file`, or unchanged. An item that fails does not stop the
    others. Memory does not grow with the number of items, which are taken from their iterator when they are
    needed. Leaving the iteration (an exception, ``close``, Ctrl-C) stops the rest and discards the parts that were
    already sent.

    ::

        frames = ((path, BUCKET_OUT, f"frames/match-01/{path.name}") for path in Path("frames").iterdir())
        failed = [result for result in upload_many(frames) if result.error]

    Args:
        items: file, bucket and key of each.
        workers: how many files at a time, 1 to 256.
        resume: first request the description of each object, and skip a file whose object has the same size and
            hash. That is one more request for each item.
        progress: called from this thread, a few times a second and at the end. If it raises an exception, that is
            logged and the uploads continue.

    Raises:
        ValueError: at the call: `workers` cannot be used.
    """
    return uploads(items, workers=workers, resume=resume, progress=progress)


def uploads(
    items: Iterable[_Item],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
    settings: Settings | None = None,
) -> Generator[TransferResult[_Item], None, None]:
    """Upload files as `upload_many` does, with `settings`; by default those that are current at the first item."""
    work = partial(_upload, resume=resume)
    return _telemetry.bulk("upload_many", Bulk(items, work, workers, progress, settings).run())


async def _upload(item: _Item, counter: Counter, *, resume: bool) -> TransferResult[_Item]:
    path = None
    try:
        file, bucket, key = _checked(item)
        path = Path(file)
        existing = await _existing(bucket, key, counter.settings()) if resume else None
        if existing is not None and await is_same(path, existing):
            return TransferResult(item, path, existing, skipped=True)
        headers = {"Content-Type": content_type_of(key)}
        info = await put(file, bucket, key, headers, counter.report(), counter.settings())
    except Exception as error:  # noqa: BLE001  # whatever it is: every item has a result
        return TransferResult(item, path, error=error)
    return TransferResult(item, path, info)


async def _existing(bucket: str, key: str, settings: Settings) -> ObjectInfo | None:
    try:
        headers = (await exchange(Request("HeadObject", bucket, key), settings)).headers
    except ObjectNotFoundError:
        return None
    modified = header_time(headers, "last-modified")
    return ObjectInfo(key, int(headers.get("content-length", "-1")), etag_of(headers), modified, bucket=bucket)


def _checked(item: Any) -> tuple[str | os.PathLike[str], str, str]:
    if isinstance(item, tuple) and len(item) == _LENGTH and all(isinstance(text, str) for text in item[1:]):
        return item
    raise TypeError(f"an item must be a file, a bucket and a key, got {item!r}")
