"""Downloading many objects into a folder."""

from __future__ import annotations

import errno
import filecmp
import os
from collections.abc import AsyncIterable, Callable, Generator, Iterable
from pathlib import Path
from typing import overload

from core.storage import _telemetry
from core.storage._engine import in_worker
from core.storage._http.limits import WORKERS
from core.storage._keys import check_key, path_parts, safe_path
from core.storage._objects import AnyObjectItem, BucketAndKey, ObjectInfo, ObjectItem, pair_of
from core.storage._public import public
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer.atomic_file import Replacement, check_folder, sweep
from core.storage._transfer.bulk import Bulk, Counter
from core.storage._transfer.download import fetch
from core.storage._transfer.download_bytes import content_of
from core.storage._transfer.source import Source
from core.storage._transfer.unchanged import is_same_file


@overload
def download_many(
    items: Iterable[BucketAndKey],
    folder: str | os.PathLike[str] | None,
    *,
    workers: int = WORKERS,
    progress: Callable[[BulkProgress], object] | None = None,
) -> Generator[TransferResult[BucketAndKey], None, None]: ...
@overload
def download_many(
    items: Iterable[ObjectInfo],
    folder: str | os.PathLike[str] | None,
    *,
    workers: int = WORKERS,
    progress: Callable[[BulkProgress], object] | None = None,
) -> Generator[TransferResult[ObjectInfo], None, None]: ...
@overload
def download_many(
    items: Iterable[AnyObjectItem],
    folder: str | os.PathLike[str] | None,
    *,
    workers: int = WORKERS,
    progress: Callable[[BulkProgress], object] | None = None,
) -> Generator[TransferResult[AnyObjectItem], None, None]: ...
@public
def download_many(
    items: Iterable[ObjectItem],
    folder: str | os.PathLike[str] | None,
    *,
    workers: int = WORKERS,
    progress: Callable[[BulkProgress], object] | None = None,
) -> Generator[TransferResult[ObjectItem], None, None]:
    """Download objects, many at once; yield a result for each when it finishes, in any order.

    Nothing starts before the first result is requested: iterate to the end, or the rest is not downloaded.
    The key is the path below `folder`; missing folders are created. Each file is atomic and verified as by
    `download_file`, but not forced to the disk one by one. A file that exists with the object's size and hash is
    skipped, so that the same call continues after an interruption. Of two objects for one file (the same key in
    two buckets, or keys that the file system does not distinguish), the later one is an error of its item. An item
    that fails does not stop the others. Memory does not grow with the number of items, which are taken from their
    iterator when they are needed. Leaving the iteration (an exception, ``close``, Ctrl-C) stops the rest and
    leaves no incomplete file. Without a folder, the content is in `TransferResult.data`, verified as by
    `download_bytes`; about 5 objects per worker are in memory at a time.

    ::

        for result in download_many(list_objects(BUCKET_OUT, "frames/match-01/"), "frames"):
            if result.error:
                print(result.item, result.error)

    Args:
        items: from `list_objects`, or pairs of bucket and key.
        folder: must exist; None for downloads into memory.
        workers: how many objects at a time, 1 to 256.
        progress: called from this thread, a few times a second and at the end. If it raises an exception, that is
            logged and the downloads continue.

    Raises:
        ValueError, OSError: at the call: `workers` or `folder` cannot be used.
    """
    return _telemetry.bulk("download_many", bulk_of(items, folder, workers, progress).run())


def bulk_of(
    items: Iterable[ObjectItem] | AsyncIterable[ObjectItem],
    folder: str | os.PathLike[str] | None,
    workers: int,
    progress: Callable[[BulkProgress], object] | None,
) -> Bulk[ObjectItem]:
    """Return the transfers of `download_many`."""
    work = _into_memory if folder is None else _Downloads(check_folder(folder)).download
    return Bulk(items, work, workers, progress)


async def _into_memory(item: ObjectItem, counter: Counter) -> TransferResult[ObjectItem]:
    try:
        bucket, key = pair_of(item)
        data, info = await content_of(Source(bucket, check_key(key), counter.settings()), counter.report())
    except Exception as error:  # noqa: BLE001  # whatever it is: every item has a result
        return TransferResult(item, error=error)
    return TransferResult(item, info=info, data=data)


class _Downloads:
    """The state that the workers of one call share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        #: Parents of keys whose folders exist inside `folder`.
        self._parents: set[str] = set()
        #: When the first file of this call was created, by the clock of its file system, in nanoseconds.
        self._began: int | None = None

    async def download(self, item: ObjectItem, counter: Counter) -> TransferResult[ObjectItem]:
        path = None
        try:
            bucket, key = pair_of(item)
            path = await self._path(key)
            if isinstance(item, ObjectInfo) and await is_same_file(path, item):
                return TransferResult(item, Path(path), item, skipped=True)
            async with Replacement(path, durable=False, check=self._check_replaced) as descriptor:
                if self._began is None:
                    self._began = os.fstat(descriptor).st_mtime_ns
                info = await fetch(bucket, key, descriptor, counter.report(), counter.settings())
        except Exception as error:  # noqa: BLE001  # whatever it is: every item has a result
            return TransferResult(item, Path(path) if path else None, error=error)
        return TransferResult(item, Path(path), info)

    def _check_replaced(self, part: str, target: str | os.PathLike[str], status: os.stat_result) -> None:
        """Refuse to replace a file that another item of this call has written, with other content.

        Only the file system knows which names are the same (`A.jpg` and `a.jpg` may be), and a set of all names
        would grow with the number of items.
        """
        is_of_this_call = self._began is not None and status.st_mtime_ns > self._began
        if is_of_this_call and not filecmp.cmp(part, target, shallow=False):
            raise FileExistsError(
                errno.EEXIST,
                "another item of this call has just written this file: download objects with the same name "
                "into folders of their own",
                str(target),
            )

    async def _path(self, key: str) -> str:
        path_parts(key)
        parents = key.rpartition("/")[0]
        if parents not in self._parents:
            await in_worker(self._make_parents, key)
            self._parents.add(parents)
        return f"{self._folder}/{key}"

    def _make_parents(self, key: str) -> None:
        parent = safe_path(self._folder, key).parent
        parent.mkdir(parents=True, exist_ok=True)
        sweep(str(parent))
