"""Downloading many objects into a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from core.storage._http.limits import WORKERS
from core.storage._objects import ObjectInfo
from core.storage._public import public
from core.storage._results import BulkProgress, TransferResult

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
    from core.storage._transfer.downloads import downloads  # noqa: PLC0415  # asyncio costs 30 ms

    return downloads(items, folder, workers, progress)
