"""Downloading one object: whole, verified, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.storage._public import public

if TYPE_CHECKING:
    from core.storage._objects import ObjectInfo


@public
def download_file(
    bucket: str,
    key: str,
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int], object] | None = None,
) -> ObjectInfo:
    """Download the object `key` of `bucket` to the file `path`, replacing what stands there.

    Atomic: the bytes go to a hidden temporary file beside `path`, which is renamed when they are whole,
    verified and on the disk; after any failure, KeyboardInterrupt included, `path` is as it was. What a killed
    process left is removed an hour later, by the next download into the same folder. Verified:
    size always, hash where the store gives one (`ObjectInfo.verified_by` says which); a hash that does not fit
    is downloaded once more before it is an error. Retried: a connection that breaks is resumed where it broke,
    with backoff, up to 5 times in a row without getting further. Safe from many threads and processes.

    Args:
        bucket: its name, such as `core.storage.BUCKET_IN`.
        key: the object's key.
        path: the file to write. Its folder must exist. A symbolic link is replaced, not followed.
        progress: called with the number of bytes that newly arrived, always positive; what arrives a second
            time after a fault is not counted again. If it raises, that is logged and the download goes on.

    Raises:
        UnsafeKeyError: the key names no object.
        ObjectNotFoundError, BucketNotFoundError, AccessDeniedError, StoreUnreachableError: as they say.
        ObjectChangedError: the object was replaced meanwhile.
        IntegrityError: what arrived is not the object, twice.
        OSError: the file cannot be written: no folder, no space, no right.
    """
    from core.storage._transfer.fetch import download  # noqa: PLC0415  # asyncio costs 30 ms

    return download(bucket, key, path, progress)
