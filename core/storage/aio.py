"""The functions of `core.storage` for asyncio, in the event loop of the caller.

The same names, arguments, guarantees and errors: the coroutines here do what the functions there do, in the
loop of the caller instead of one in a background thread. Iterators are asynchronous; `download_many`,
`upload_many` and `delete_many` take both kinds of iterables. A cancellation leaves nothing half-written: it
waits until that is cleaned up. uvloop works, too.

::

    from core.storage import BUCKET_IN, BUCKET_OUT, aio

    async for video in aio.list_objects(BUCKET_IN, "chunks/2026-11-23/", suffixes=(".mp4",)):
        async with aio.temporary_download(BUCKET_IN, video.key) as path:
            await aio.upload_file(await render(path), BUCKET_OUT, f"overlays/{video.key}")

`open_object` and `FrameCache` are not here, because their interfaces are synchronous: use `download_bytes` with
ranges, and `asyncio.to_thread`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import core.storage as sync
from core.storage import _telemetry
from core.storage._config.current import current_settings
from core.storage._engine import in_worker
from core.storage._http.limits import WORKERS
from core.storage._listing import list_objects as listing
from core.storage._objects import ObjectInfo, ObjectItem, delete, info
from core.storage._progress import Report, guarded
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer import download_bytes as ranges
from core.storage._transfer import download_many as downloads
from core.storage._transfer import upload as uploading
from core.storage._transfer import upload_many as uploads
from core.storage._transfer.contents import BinaryReader, Buffer, BytesContent
from core.storage._transfer.download import download
from core.storage._transfer.temporary import downloaded
from core.storage._transfer.upload_many import UploadItem

__all__ = [
    "delete_many",
    "delete_object",
    "download_bytes",
    "download_file",
    "download_many",
    "download_to_temp",
    "get_object_info",
    "get_presigned_url",
    "list_objects",
    "object_exists",
    "temporary_download",
    "upload_bytes",
    "upload_file",
    "upload_many",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Progress = Callable[[BulkProgress], object] | None


def _documented(function: _Function) -> _Function:
    """Give a function the documentation of its synchronous twin."""
    function.__doc__ = getattr(sync, function.__name__).__doc__
    return function


@_documented
async def list_objects(
    bucket: str,
    prefix: str = "",
    *,
    suffixes: str | Iterable[str] = (),
    limit: int | None = None,
    workers: int = 1,
) -> AsyncGenerator[ObjectInfo, None]:
    """Do as `core.storage.list_objects`."""
    listing.check_limits(limit, workers)
    async with aclosing(listing.chosen(bucket, prefix, suffixes, limit, workers, current_settings())) as pages:
        async for infos in pages:
            for one in infos:
                yield one


@_documented
async def download_file(
    bucket: str,
    key: str,
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int], object] | None = None,
) -> ObjectInfo:
    """Do as `core.storage.download_file`."""
    return await download(bucket, key, path, Report(guarded(progress)), current_settings())


@_documented
async def download_to_temp(bucket: str, key: str) -> Path:
    """Do as `core.storage.download_to_temp`."""
    return await downloaded(bucket, key, current_settings())


@_documented
@asynccontextmanager
async def temporary_download(bucket: str, key: str) -> AsyncIterator[Path]:
    """Do as `core.storage.temporary_download`."""
    path = await downloaded(bucket, key, current_settings())
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@_documented
async def download_bytes(bucket: str, key: str, *, start: int = 0, length: int | None = None) -> bytes:
    """Do as `core.storage.download_bytes`."""
    ranges.check_range(start, length)
    return await ranges.download(bucket, key, start, length, current_settings())


@_documented
def download_many(
    items: Iterable[ObjectItem] | AsyncIterable[ObjectItem],
    folder: str | os.PathLike[str] | None,
    *,
    workers: int = WORKERS,
    progress: _Progress = None,
) -> AsyncGenerator[TransferResult[ObjectItem], None]:
    """Do as `core.storage.download_many`."""
    bulk = downloads.bulk_of(items, folder, workers, progress)
    return _telemetry.bulk_here("download_many", bulk.run_here())


@_documented
async def upload_file(
    path: str | os.PathLike[str] | BinaryReader,
    bucket: str,
    key: str,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str] | None = None,
    progress: Callable[[int], object] | None = None,
) -> ObjectInfo:
    """Do as `core.storage.upload_file`."""
    headers = uploading.headers_of(key, content_type, metadata)
    return await uploading.upload(path, bucket, key, headers, Report(guarded(progress)), current_settings())


@_documented
async def upload_bytes(
    data: Buffer,
    bucket: str,
    key: str,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> ObjectInfo:
    """Do as `core.storage.upload_bytes`."""
    headers = uploading.headers_of(key, content_type, metadata)
    return await uploading.upload_content(BytesContent(data), bucket, key, headers, current_settings())


@_documented
def upload_many(
    items: Iterable[UploadItem] | AsyncIterable[UploadItem],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: _Progress = None,
) -> AsyncGenerator[TransferResult[UploadItem], None]:
    """Do as `core.storage.upload_many`."""
    bulk = uploads.bulk_of(items, workers, progress, resume=resume)
    return _telemetry.bulk_here("upload_many", bulk.run_here())


@_documented
async def get_object_info(bucket: str, key: str) -> ObjectInfo:
    """Do as `core.storage.get_object_info`."""
    return await info.object_info(bucket, key, current_settings())


@_documented
async def object_exists(bucket: str, key: str) -> bool:
    """Do as `core.storage.object_exists`."""
    return await info.exists(bucket, key, current_settings())


@_documented
async def delete_object(bucket: str, key: str) -> None:
    """Do as `core.storage.delete_object`."""
    await delete.delete(bucket, key, current_settings())


@_documented
def delete_many(
    items: Iterable[ObjectItem] | AsyncIterable[ObjectItem],
) -> AsyncGenerator[TransferResult[ObjectItem], None]:
    """Do as `core.storage.delete_many`."""
    return _telemetry.bulk_here("delete_many", delete.results_here(items, current_settings()))


@_documented
async def get_presigned_url(
    bucket: str,
    key: str,
    expires: int = 3600,
    *,
    method: str = "GET",
    content_type: str | None = None,
    filename: str | None = None,
) -> str:
    """Do as `core.storage.get_presigned_url`."""

    def presign() -> str:
        return sync.get_presigned_url(
            bucket, key, expires, method=method, content_type=content_type, filename=filename
        )

    return await in_worker(presign)  # botocore may fetch credentials
