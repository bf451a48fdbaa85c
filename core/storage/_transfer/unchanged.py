"""Comparing a content with an object by size and hash, so that an unchanged one is not transferred."""

from __future__ import annotations

import os

from core.storage._engine import in_worker
from core.storage._objects import ObjectInfo
from core.storage._transfer.checksums import ETAG, Hash, md5, md5_check
from core.storage._transfer.contents import Content, FileContent, opened
from core.storage._transfer.multipart import part_size

_CHUNK = 1024 * 1024


async def is_same_file(path: str | os.PathLike[str], info: ObjectInfo) -> bool:
    """Return whether there is a file with the object's content, as `is_same`."""
    try:
        if os.stat(path).st_size != info.size:  # a Path costs more than the call
            return False
        with opened(path) as file:
            return await is_same(FileContent(file), info)
    except OSError:
        return False


async def is_same(content: Content, info: ObjectInfo) -> bool:
    """Return whether the content has the object's size, and the hash in its ETag.

    An object in parts of another program's size, or encrypted with a key of KMS, has no such hash: it counts as
    different, as does what can be read only once.
    """
    if content.sequential or content.size != info.size or not ETAG.fullmatch(info.etag):
        return False
    check = md5_check(info.etag, part_size(info.size))
    if info.size <= _CHUNK:
        _update(check.hash, content)
    else:
        await in_worker(_update, check.hash, content)
    return check.received() == check.expected


def proven_md5(info: ObjectInfo) -> str:
    """Return the MD5 of the whole content if the transfer that returned `info` verified it, else an empty text."""
    return info.etag.lower() if info.verified_by == "md5" and "-" not in info.etag else ""


def md5_of(path: str | os.PathLike[str] | int) -> str:
    """Return the MD5 of a file in hexadecimal; a descriptor stays open."""
    checksum = md5()
    with open(path, "rb", buffering=0, closefd=not isinstance(path, int)) as file:
        _update(checksum, FileContent(file))
    return str(checksum.hexdigest())


def _update(checksum: Hash, content: Content) -> None:
    buffer, position = content.buffer(_CHUNK), 0
    while data := content.read(position, buffer):
        checksum.update(data)
        position += len(data)
