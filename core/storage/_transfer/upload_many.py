"""Uploading many files."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from core.storage._http.limits import WORKERS
from core.storage._public import public
from core.storage._results import BulkProgress, TransferResult

#: What to upload: a file, a bucket and a key, in the order of `upload_file`.
_Item = TypeVar("_Item", bound=tuple[str | os.PathLike[str], str, str])


@public
def upload_many(
    items: Iterable[_Item],
    *,
    workers: int = WORKERS,
    resume: bool = False,
    progress: Callable[[BulkProgress], object] | None = None,
) -> Generator[TransferResult[_Item], None, None]:
    """Upload files, many at once; a result for each as it finishes, in any order.

    Nothing starts before the first result is asked for: iterate to the end, or what is left is not uploaded.
    Each object is whole and verified as by `upload_file`, or as it was. An item that fails does not stop the
    others. Memory does not grow with the number of items, which are taken from their iterator as they are
    needed. Leaving the iteration (an exception, ``close``, Ctrl-C) stops the rest and discards parts that were
    on their way.

    ::

        frames = ((path, BUCKET_OUT, f"frames/match-01/{path.name}") for path in Path("frames").iterdir())
        failed = [result for result in upload_many(frames) if result.error]

    Args:
        items: file, bucket and key of each.
        workers: how many files at a time, 1 to 256.
        resume: ask the store first, and leave out what is there with the file's size and hash. That is a request
            more for each item.
        progress: called from this thread, a few times a second and at the end. If it raises, that is logged and
            the uploads go on.

    Raises:
        ValueError: at the call: `workers` cannot be used.
    """
    from core.storage._transfer.uploads import uploads  # noqa: PLC0415  # asyncio costs 30 ms

    return uploads(items, workers=workers, resume=resume, progress=progress)
