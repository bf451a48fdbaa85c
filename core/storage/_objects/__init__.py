"""The description of one object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from core.storage._public import public


@public
@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a bucket, as a listing, a download or an upload returned it. Immutable."""

    #: The whole key, relative to the bucket: ``chunks/2025-04-15/match-01.mp4``.
    key: str
    #: Bytes.
    size: int
    #: Without its quotes. The MD5 of the content only for objects that were uploaded in one part.
    etag: str
    #: With a time zone. After an upload: the Date of the store's response, because S3 returns no more.
    last_modified: datetime
    #: The hash that proved the transferred bytes to be the object's: ``md5``, ``sha256``, ``sha1`` or ``crc32``;
    #: ``content-md5`` if the store was sent the hash and returned none to compare; ``size`` if the store has no
    #: hash of them that a client can check; empty if nothing was transferred.
    verified_by: str = ""
    bucket: str = ""


#: An object as a listing describes it, or a bucket and a key. The functions for many items have one overload for
#: each kind, and one for both: mypy infers `object` for a list of both kinds if there is only a type variable.
AnyObjectItem = ObjectInfo | tuple[str, str]
ObjectItem = TypeVar("ObjectItem", bound=AnyObjectItem)
#: A variable, so that results keep the class of a named tuple. Its name is in the messages of type checkers.
BucketAndKey = TypeVar("BucketAndKey", bound=tuple[str, str])


def pair_of(item: object) -> tuple[str, str]:
    """Return the bucket and the key of an item; raise a TypeError for what is none."""
    if isinstance(item, ObjectInfo):
        return item.bucket, item.key
    if isinstance(item, tuple) and len(item) == 2 and all(isinstance(text, str) for text in item):  # noqa: PLR2004
        return item
    raise TypeError(f"an item must be an ObjectInfo or a pair of bucket and key, got {item!r}")
