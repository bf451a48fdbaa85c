"""Whether a file and an object are the same, so that nothing has to be moved."""

from __future__ import annotations

import os
import re

from core.storage._engine import in_worker
from core.storage._objects import ObjectInfo
from core.storage._transfer.checksums import Hash, PartsMd5, md5
from core.storage._transfer.multipart import part_size

_CHUNK = 1024 * 1024
_ETAG = re.compile(r"([0-9a-fA-F]{32})(?:-([0-9]{1,5}))?")


async def is_same(path: str | os.PathLike[str], info: ObjectInfo) -> bool:
    """Whether the file has the object's size, and a hash that its ETag can be compared with.

    What was uploaded in parts of another program's size, or encrypted with a key of KMS, has none: it counts as
    different.
    """
    try:
        if os.stat(path).st_size != info.size:  # a Path costs more than the call
            return False
    except OSError:
        return False
    found = _ETAG.fullmatch(info.etag)
    if not found:
        return False
    made = PartsMd5(part_size(info.size)) if found[2] else md5()
    digest = _digest(path, made) if info.size <= _CHUNK else await in_worker(_digest, path, made)
    return digest == (info.etag.lower().encode() if found[2] else bytes.fromhex(found[1]))


def proven_md5(info: ObjectInfo) -> str:
    """The MD5 of the whole content, if the transfer that gave `info` has proven it; otherwise empty."""
    return info.etag.lower() if info.verified_by == "md5" and "-" not in info.etag else ""


def md5_of(path: str | os.PathLike[str] | int) -> str:
    """The MD5 of a file, in hexadecimal; of a descriptor, which is closed, from where it stands.

    Raises:
        OSError: it cannot be read.
    """
    return _digest(path, md5()).hex()


def _digest(path: str | os.PathLike[str] | int, made: Hash) -> bytes:
    room = memoryview(bytearray(_CHUNK))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(room):
            made.update(room[:count])
    return made.digest()
