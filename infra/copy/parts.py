"""In which parts objects go, so that the target's ETags can be compared with the source's.

The ETag of an object in parts is the MD5 of the MD5s of its parts: in the same parts it comes out the same on
every store that makes it so. That proves the copy without reading it again, and `core.storage` can go on checking
downloads by the size that it noted with the object. A store tells the size of the first part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from core.storage import ObjectInfo, StorageError
from core.storage._internal import PART_SIZE, Request, call
from core.storage._internal import part_size as own_part_size
from infra.copy.side import Side
from infra.identities import Role

_MIB = 1024 * 1024
#: Bytes. Up to here what was put in one piece is put in one piece; above, an interruption would cost too much.
WHOLE = 1024 * _MIB
#: Bytes of a part that rclone can send, and that fit into memory a few at a time.
_LEAST, _MOST = 5 * _MIB, 256 * _MIB
_THREADS = 16
_OF_PARTS = re.compile(r"[^-]+-([0-9]{1,5})")


class Batch(NamedTuple):
    """What one run of rclone copies."""

    #: Bytes; None: each in one piece.
    part_size: int | None
    objects: list[ObjectInfo]


def batches(side: Side, role: Role, wanted: Iterable[ObjectInfo]) -> list[Batch]:
    """The objects by the size of their parts. A request for each that was uploaded in parts.

    Raises:
        InfraError, UnreachableError: as `Side.told`.
    """
    found: dict[int | None, list[ObjectInfo]] = {}
    in_parts = []
    for one in wanted:
        if _count(one):
            in_parts.append(one)
        else:
            found.setdefault(None if one.size < WHOLE else own_part_size(one.size), []).append(one)
    with side.told(), ThreadPoolExecutor(_THREADS, "mpr-parts") as pool:
        for one, size in zip(in_parts, pool.map(lambda one: _size_of(side, role, one), in_parts), strict=True):
            found.setdefault(size, []).append(one)
    return [Batch(size, objects) for size, objects in found.items()]


def _size_of(side: Side, role: Role, one: ObjectInfo) -> int:
    count = _count(one)
    own = own_part_size(one.size)
    if count == 1:  # any size that holds it makes the same one part
        return next((size for size in (own, _MOST) if size >= one.size), own)
    try:
        headers = call(Request("HeadObject", side.bucket(role), one.key, "partNumber=1"), side.settings).headers
    except StorageError as error:
        if error.code in _NO_SUCH_QUESTION or isinstance(error, FileNotFoundError):
            return own  # rclone tells of an object that has gone
        raise
    return usable(headers, one.size, count)


#: How a store refuses a HEAD of a part. There is no body, and so no code but the status.
_NO_SUCH_QUESTION = {"400", "416", "501"}


def usable(headers: Mapping[str, str], size: int, count: int) -> int:
    """The size of the parts of an object of `size` bytes in `count` parts, by the headers of its first.

    That of this library's own uploads where the store does not say, or rclone cannot send such parts.
    """
    for text in (headers.get("content-length", ""), headers.get(PART_SIZE, "")):
        found = int(text) if text.isdecimal() else 0
        if _LEAST <= found <= _MOST and -(-size // found) == count:
            return found
    return own_part_size(size)


def _count(one: ObjectInfo) -> int:
    found = _OF_PARTS.fullmatch(one.etag)
    return int(found[1]) if found else 0
