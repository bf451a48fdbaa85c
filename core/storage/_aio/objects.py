"""Listing, and the transfer of single objects, in the event loop of the caller."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import core.storage as sync
from core.storage._aio.documented import documented
from core.storage._config.current import current_settings
from core.storage._engine import in_worker
from core.storage._listing import list_objects as listing
from core.storage._objects import ObjectInfo, delete, info
from core.storage._progress import Report, guarded
from core.storage._transfer import download_bytes as ranges
from core.storage._transfer import upload as uploading
from core.storage._transfer.contents import BinaryReader, Buffer, BytesContent
from core.storage._transfer.download import download
from core.storage._transfer.temporary import downloaded


@documented
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
            for object_info in infos:
                yield object_info


@documented
async def download_file(
    bucket: str,
    key: str,
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int], object] | None = None,
) -> ObjectInfo:
    """Do as `core.storage.download_file`."""
    return await download(bucket, key, path, Report(guarded(progress)), current_settings())


@documented
async def download_to_temp(bucket: str, key: str) -> Path:
    """Do as `core.storage.download_to_temp`."""
    return await downloaded(bucket, key, current_settings())


@documented
@asynccontextmanager
async def temporary_download(bucket: str, key: str) -> AsyncIterator[Path]:
    """Do as `core.storage.temporary_download`."""
    path = await downloaded(bucket, key, current_settings())
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@documented
async def download_bytes(bucket: str, key: str, *, start: int = 0, length: int | None = None) -> bytes:
    """Do as `core.storage.download_bytes`."""
    ranges.check_range(start, length)
    return await ranges.download(bucket, key, start, length, current_settings())


@documented
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


@documented
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


@documented
async def get_object_info(bucket: str, key: str) -> ObjectInfo:
    """Do as `core.storage.get_object_info`."""
    return await info.object_info(bucket, key, current_settings())


@documented
async def object_exists(bucket: str, key: str) -> bool:
    """Do as `core.storage.object_exists`."""
    return await info.exists(bucket, key, current_settings())


@documented
async def delete_object(bucket: str, key: str) -> None:
    """Do as `core.storage.delete_object`."""
    await delete.delete(bucket, key, current_settings())


@documented
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
