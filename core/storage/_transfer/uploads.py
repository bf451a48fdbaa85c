"""Sending many files."""

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
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer.bulk import Bulk, check_workers
from core.storage._transfer.checksums import etag_of
from core.storage._transfer.content_types import content_type_of
from core.storage._transfer.counter import Counter
from core.storage._transfer.put import put
from core.storage._transfer.unchanged import is_same
from core.storage.settings import Settings

_Item = TypeVar("_Item", bound=tuple[str | os.PathLike[str], str, str])
_LENGTH = 3


def uploads(
    items: Iterable[_Item],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
    settings: Settings | None = None,
) -> Generator[TransferResult[_Item], None, None]:
    """Do as `upload_many`, with `settings`; by default with those that are current when the first item begins."""
    check_workers(workers)
    work = partial(_upload, resume=resume)
    return _telemetry.bulk("upload_many", Bulk(items, work, workers, progress, settings).run())


async def _upload(item: _Item, counter: Counter, *, resume: bool) -> TransferResult[_Item]:
    path = None
    try:
        name, bucket, key = _checked(item)
        path = Path(name)
        found = await _present(bucket, key, counter.settings()) if resume else None
        if found is not None and await is_same(path, found):
            return TransferResult(item, path, found, skipped=True)
        headers = {"Content-Type": content_type_of(key)}
        info = await put(name, bucket, key, headers, counter.share(), counter.settings())
    except Exception as error:  # noqa: BLE001  # whatever it is: every item has a result
        return TransferResult(item, path, error=error)
    return TransferResult(item, path, info)


async def _present(bucket: str, key: str, settings: Settings) -> ObjectInfo | None:
    """Return the object that has the key now, if there is one."""
    try:
        headers = (await exchange(Request("HeadObject", bucket, key), settings)).headers
    except ObjectNotFoundError:
        return None
    modified = header_time(headers, "last-modified")
    return ObjectInfo(key, int(headers.get("content-length", "-1")), etag_of(headers), modified, bucket=bucket)


def _checked(item: Any) -> tuple[str | os.PathLike[str], str, str]:
    if isinstance(item, tuple) and len(item) == _LENGTH and all(isinstance(one, str) for one in item[1:]):
        return item
    raise TypeError(f"an item must be a file, a bucket and a key, got {item!r}")
