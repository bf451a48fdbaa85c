"""Downloading many objects into a folder."""

from __future__ import annotations

import errno
import filecmp
import os
import stat
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from threading import Lock
from typing import BinaryIO, TypeVar

from core.storage import _telemetry
from core.storage._keys import path_parts, safe_path
from core.storage._objects import ObjectInfo
from core.storage._public import public
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer.atomic_file import check_target, replace, replacing, sweep
from core.storage._transfer.bulk import WORKERS, Bulk, CancelledError, Counter, check_workers
from core.storage._transfer.download import fetch
from core.storage._transfer.unchanged import is_same

#: What to download: as a listing gives it, or a bucket and a key.
_Item = TypeVar("_Item", bound=ObjectInfo | tuple[str, str])


@public
def download_many(
    items: Iterable[_Item],
    folder: str | os.PathLike[str],
    *,
    workers: int = WORKERS,
    progress: Callable[[BulkProgress], object] | None = None,
) -> Generator[TransferResult[_Item], None, None]:
    """Download objects into `folder`, many at once; a result for each as it finishes, in any order.

    Nothing starts before the first result is asked for: iterate to the end, or what is left is not downloaded.
    The key is the path below `folder`, whose folders are made. Each file is whole and verified as by
    `download_file`, or not there; unlike there, it is not forced to the disk one by one. A file that is there
    with the object's size and hash is left as it is, so that the same call again goes on where one ended. Of two
    objects for one file (the same key in two buckets, or keys that the file system takes for the same), the later
    one is an error of its item. An item that fails does not stop the others. Memory does not grow with the number
    of items, which are taken from their iterator as they are needed. Leaving the iteration (an exception,
    ``close``, Ctrl-C) stops the rest and leaves no half-written file.

    ::

        for result in download_many(list_objects(BUCKET_OUT, "frames/match-01/"), "frames"):
            if result.error:
                print(result.item, result.error)

    Args:
        items: from `list_objects`, or pairs of bucket and key.
        folder: must exist.
        workers: how many objects at a time, 1 to 256.
        progress: called from this thread, a few times a second and at the end. If it raises, that is logged and
            the downloads go on.

    Raises:
        ValueError, OSError: at the call: `workers` or `folder` cannot be used.
    """
    check_workers(workers)
    target = check_target(Path(folder, "x")).parent
    return _telemetry.bulk("download_many", Bulk(items, _Downloads(target).download, workers, progress).run())


class _Downloads:
    """What the workers share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        #: Folders that exist and are known to be inside, by the keys that end there.
        self._made: set[str] = set()
        #: One thread at a time renames.
        self._lock = Lock()
        #: When the first file of this call was created, by the clock of its file system, in nanoseconds.
        self._began: int | None = None

    def download(self, item: _Item, counter: Counter) -> TransferResult[_Item]:
        path = None
        try:
            bucket, key = (item.bucket, item.key) if isinstance(item, ObjectInfo) else _pair(item)
            path = self._path(key)
            if isinstance(item, ObjectInfo) and is_same(path, item):
                return TransferResult(item, Path(path), item, skipped=True)
            with replacing(path, durable=False, rename=self._rename) as file:
                self._begin(file)
                info = fetch(bucket, key, file, counter.share(), counter.settings())
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is: every item has a result
            return TransferResult(item, Path(path) if path else None, error=error)
        return TransferResult(item, Path(path), info)

    def _begin(self, file: BinaryIO) -> None:
        if self._began is None:
            self._began = os.fstat(file.fileno()).st_mtime_ns

    def _rename(self, part: str, target: str | os.PathLike[str]) -> None:
        """Rename a finished file, unless another item of this call has written another content under the name.

        The file system decides which names are one: `A.jpg` and `a.jpg` may be. And no memory is needed for the
        names of all items.
        """
        with self._lock:
            if self._is_of_this_call(target) and not filecmp.cmp(part, target, shallow=False):
                raise FileExistsError(
                    errno.EEXIST,
                    "another item of this call has just written this file: download objects with the same name "
                    "into folders of their own",
                    str(target),
                )
            replace(part, target)

    def _is_of_this_call(self, target: str | os.PathLike[str]) -> bool:
        try:
            found = os.lstat(target)
        except FileNotFoundError:
            return False
        return stat.S_ISREG(found.st_mode) and self._began is not None and found.st_mtime_ns > self._began

    def _path(self, key: str) -> str:
        path_parts(key)
        parents = key.rpartition("/")[0]
        if parents not in self._made:
            parent = safe_path(self._folder, key).parent
            parent.mkdir(parents=True, exist_ok=True)
            sweep(str(parent))
            self._made.add(parents)
        return f"{self._folder}/{key}"


def _pair(item: object) -> tuple[str, str]:
    if isinstance(item, tuple) and len(item) == 2 and all(isinstance(one, str) for one in item):  # noqa: PLR2004
        return item
    raise TypeError(f"an item must be an ObjectInfo or a pair of bucket and key, got {item!r}")
