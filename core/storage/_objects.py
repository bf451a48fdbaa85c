"""What is known of one object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.storage._public import public


@public
@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a bucket, as a listing, a download or an upload saw it. Immutable."""

    #: The whole key, relative to the bucket: ``chunks/2025-04-15/match-01.mp4``.
    key: str
    #: Bytes.
    size: int
    #: Without its quotes. The MD5 of the content only for objects that were put in one piece.
    etag: str
    #: With a time zone. After an upload: the store's clock at its answer, because S3 does not say more.
    last_modified: datetime
    #: How the bytes of a transfer were proven to be the object's: ``md5``, ``sha256``, ``sha1`` or ``crc32``;
    #: ``content-md5`` when the store was sent the hash and gave none back to compare; ``size`` when the store
    #: has no hash of them that a client can check; empty when nothing was transferred.
    verified_by: str = ""
    bucket: str = ""
