"""Bulk transfers in the event loop of the caller."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from typing import overload

from core.storage import _telemetry
from core.storage._aio.documented import documented
from core.storage._config.current import current_settings
from core.storage._http.limits import WORKERS
from core.storage._objects import AnyObjectItem, BucketAndKey, ObjectInfo, ObjectItem, delete
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer import download_many as downloads
from core.storage._transfer import upload_many as uploads
from core.storage._transfer.upload_many import AnyUploadItem, BytesBucketAndKey, FileBucketAndKey, UploadItem


@overload
def download_many(
    items: Iterable[BucketAndKey] | AsyncIterable[BucketAndKey],
    folder: str | os.PathLike[str] | None,
    *,
    workers: int = WORKERS,
    progress: Callable[[BulkProgress], object] | None = None,
) -> AsyncGenerator[TransferResult[BucketAndKey], None]: ...
@overload
def download_many(
    items: Iterable[ObjectInfo] | AsyncIterable[ObjectInfo],
    folder: str | os.PathLike[str] | None,
    *,
    workers: int = WORKERS,
    progress: Callable[[BulkProgress], object] | None = None,
) -> AsyncGenerator[TransferResult[ObjectInfo], None]: ...
@overload
def download_many(
    items: Iterable[AnyObjectItem] | AsyncIterable[AnyObjectItem],
    folder: str | os.PathLike[str] | None,
    *,
    workers: int = WORKERS,
    progress: Callable[[BulkProgress], object] | None = None,
) -> AsyncGenerator[TransferResult[AnyObjectItem], None]: ...
@documented
def download_many(
    items: Iterable[ObjectItem] | AsyncIterable[ObjectItem],
    folder: str | os.PathLike[str] | None,
    *,
    workers: int = WORKERS,
    progress: Callable[[BulkProgress], object] | None = None,
) -> AsyncGenerator[TransferResult[ObjectItem], None]:
    """Do as `core.storage.download_many`."""
    bulk = downloads.bulk_of(items, folder, workers, progress)
    return _telemetry.bulk_here("download_many", bulk.run_here())


@overload
def upload_many(
    items: Iterable[FileBucketAndKey] | AsyncIterable[FileBucketAndKey],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
) -> AsyncGenerator[TransferResult[FileBucketAndKey], None]: ...
@overload
def upload_many(
    items: Iterable[BytesBucketAndKey] | AsyncIterable[BytesBucketAndKey],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
) -> AsyncGenerator[TransferResult[BytesBucketAndKey], None]: ...
@overload
def upload_many(
    items: Iterable[AnyUploadItem] | AsyncIterable[AnyUploadItem],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
) -> AsyncGenerator[TransferResult[AnyUploadItem], None]: ...
@documented
def upload_many(
    items: Iterable[UploadItem] | AsyncIterable[UploadItem],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
) -> AsyncGenerator[TransferResult[UploadItem], None]:
    """Do as `core.storage.upload_many`."""
    bulk = uploads.bulk_of(items, workers, progress, resume=resume)
    return _telemetry.bulk_here("upload_many", bulk.run_here())


@overload
def delete_many(
    items: Iterable[BucketAndKey] | AsyncIterable[BucketAndKey],
) -> AsyncGenerator[TransferResult[BucketAndKey], None]: ...
@overload
def delete_many(
    items: Iterable[ObjectInfo] | AsyncIterable[ObjectInfo],
) -> AsyncGenerator[TransferResult[ObjectInfo], None]: ...
@overload
def delete_many(
    items: Iterable[AnyObjectItem] | AsyncIterable[AnyObjectItem],
) -> AsyncGenerator[TransferResult[AnyObjectItem], None]: ...
@documented
def delete_many(
    items: Iterable[ObjectItem] | AsyncIterable[ObjectItem],
) -> AsyncGenerator[TransferResult[ObjectItem], None]:
    """Do as `core.storage.delete_many`."""
    return _telemetry.bulk_here("delete_many", delete.results_here(items, current_settings()))
