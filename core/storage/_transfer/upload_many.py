"""Uploading many objects."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Generator, Iterable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, overload

from core.storage import _telemetry
from core.storage._errors import ObjectNotFoundError
from core.storage._http.limits import WORKERS
from core.storage._objects import ObjectInfo
from core.storage._objects.info import object_info
from core.storage._public import public
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer.bulk import Bulk, Counter
from core.storage._transfer.contents import Buffer, BytesContent
from core.storage._transfer.unchanged import is_same
from core.storage._transfer.upload import content_of, headers_of, put
from core.storage.settings import Settings

#: A file or bytes, a bucket and a key, in the order of `upload_file`. See `AnyObjectItem`.
AnyUploadItem = tuple[str | os.PathLike[str] | Buffer, str, str]
UploadItem = TypeVar("UploadItem", bound=AnyUploadItem)
#: Variables, so that results keep the type of the file or bytes. Their names are in the messages of type checkers.
FileBucketAndKey = TypeVar("FileBucketAndKey", bound=tuple[str | os.PathLike[str], str, str])
BytesBucketAndKey = TypeVar("BytesBucketAndKey", bound=tuple[Buffer, str, str])
_LENGTH = 3


@overload
def upload_many(
    items: Iterable[FileBucketAndKey],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
) -> Generator[TransferResult[FileBucketAndKey], None, None]: ...
@overload
def upload_many(
    items: Iterable[BytesBucketAndKey],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
) -> Generator[TransferResult[BytesBucketAndKey], None, None]: ...
@overload
def upload_many(
    items: Iterable[AnyUploadItem],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
) -> Generator[TransferResult[AnyUploadItem], None, None]: ...
@public
def upload_many(
    items: Iterable[UploadItem],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
) -> Generator[TransferResult[UploadItem], None, None]:
    """Upload files or bytes, many at once; yield a result for each when it finishes, in any order.

    Nothing starts before the first result is requested: iterate to the end, or the rest is not uploaded. Each
    object is complete and verified as by `upload_file`, or unchanged. An item that fails does not stop the
    others. Memory does not grow with the number of items, which are taken from their iterator when they are
    needed: of bytes in memory, about 7 items per worker are held at a time. Leaving the iteration (an
    exception, ``close``, Ctrl-C) stops the rest and discards the parts that were already sent.

    ::

        frames = ((path, BUCKET_OUT, f"frames/match-01/{path.name}") for path in Path("frames").iterdir())
        failed = [result for result in upload_many(frames) if result.error]

    Args:
        items: a file or a bytes-like object, with the bucket and the object key of each.
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
    items: Iterable[UploadItem],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
    settings: Settings | None = None,
) -> Generator[TransferResult[UploadItem], None, None]:
    """Upload files as `upload_many` does, with `settings`; by default those that are current at the first item."""
    return _telemetry.bulk("upload_many", bulk_of(items, workers, progress, settings, resume=resume).run())


def bulk_of(
    items: Iterable[UploadItem] | AsyncIterable[UploadItem],
    workers: int,
    progress: Callable[[BulkProgress], object] | None,
    settings: Settings | None = None,
    *,
    resume: bool,
) -> Bulk[UploadItem]:
    """Return the transfers of `upload_many`."""
    return Bulk(items, partial(_upload, resume=resume), workers, progress, settings)


async def _upload(item: UploadItem, counter: Counter, *, resume: bool) -> TransferResult[UploadItem]:
    path = None
    try:
        source, bucket, key = _checked(item)
        path = Path(source) if isinstance(source, (str, os.PathLike)) else None
        with nullcontext(BytesContent(source)) if path is None else content_of(path) as content:
            if (
                resume
                and (info := await _existing(bucket, key, counter.settings()))
                and await is_same(content, info)
            ):
                return TransferResult(item, path, info, skipped=True)
            headers = headers_of(key)
            info = await put(content, bucket, key, headers, counter.report(), counter.settings())
    except Exception as error:  # noqa: BLE001  # whatever it is: every item has a result
        return TransferResult(item, path, error=error)
    return TransferResult(item, path, info)


async def _existing(bucket: str, key: str, settings: Settings) -> ObjectInfo | None:
    try:
        return await object_info(bucket, key, settings)
    except ObjectNotFoundError:
        return None


def _checked(item: Any) -> tuple[Any, str, str]:
    if isinstance(item, tuple) and len(item) == _LENGTH and all(isinstance(text, str) for text in item[1:]):
        return item
    raise TypeError(f"an item must be a file or bytes, a bucket and a key, got {item!r:.200}")
