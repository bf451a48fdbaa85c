"""Choose the part sizes of a copy so that the target's ETags can be compared with the source's.

The ETag of an object in parts is the MD5 of the MD5s of its parts: the same parts give the same ETag on every
store that computes it so. That verifies the copy without reading it again, and `core.storage` can still verify
downloads by the part size in the object's metadata. A store returns the size of the first part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from core.storage import ObjectInfo, StorageError
from core.storage._internal import PART_SIZE, Request, call
from core.storage._internal import part_size as default_part_size
from infra.config.identities import Role
from infra.copy.side import Side
from infra.stores.codes import means

_MIB = 1024 * 1024
#: Bytes. An object without parts is copied without parts up to here; above, an interruption would cost too much.
WHOLE = 1024 * _MIB
#: The bytes of a part that rclone can send, and of which a few fit into memory.
_LEAST, _MOST = 5 * _MIB, 256 * _MIB
_THREADS = 16
_ETAG_OF_PARTS = re.compile(r"[^-]+-([0-9]{1,5})")


class Batch(NamedTuple):
    """The objects of one run of rclone."""

    #: Bytes; None if the objects are copied without parts.
    part_size: int | None
    objects: list[ObjectInfo]


def batches(side: Side, role: Role, wanted: Iterable[ObjectInfo]) -> list[Batch]:
    """Return the objects by part size, after a request for each that was uploaded in parts.

    Raises:
        StorageError: the store did not respond, or refused a request.
    """
    by_size: dict[int | None, list[ObjectInfo]] = {}
    in_parts = []
    for info in wanted:
        if _count(info):
            in_parts.append(info)
        else:
            by_size.setdefault(None if info.size < WHOLE else default_part_size(info.size), []).append(info)
    with side.named_in_errors(), ThreadPoolExecutor(_THREADS, "mpr-parts") as pool:
        sizes = pool.map(lambda info: _part_size(side, role, info), in_parts)
        for info, size in zip(in_parts, sizes, strict=True):
            by_size.setdefault(size, []).append(info)
    return [Batch(size, objects) for size, objects in by_size.items()]


def _part_size(side: Side, role: Role, info: ObjectInfo) -> int:
    count = _count(info)
    default = default_part_size(info.size)
    if count == 1:  # every size that is large enough gives the same part
        return next((size for size in (default, _MOST) if size >= info.size), default)
    try:
        headers = call(Request("HeadObject", side.bucket(role), info.key, "partNumber=1"), side.settings).headers
    except StorageError as error:
        if means(error.code or "", "no part number", "no object"):  # rclone reports an object that is missing
            return default
        raise
    return usable(headers, info.size, count)


def usable(headers: Mapping[str, str], size: int, count: int) -> int:
    """Return the part size of an object of `size` bytes in `count` parts, by the headers of its first part.

    That is the library's default if the headers do not tell, or rclone cannot send such parts.
    """
    for text in (headers.get("content-length", ""), headers.get(PART_SIZE, "")):
        part_size = int(text) if text.isdecimal() else 0
        if _LEAST <= part_size <= _MOST and -(-size // part_size) == count:
            return part_size
    return default_part_size(size)


def _count(info: ObjectInfo) -> int:
    match = _ETAG_OF_PARTS.fullmatch(info.etag)
    return int(match[1]) if match else 0
