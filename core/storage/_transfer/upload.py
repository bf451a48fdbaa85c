"""Uploading one file: the object is whole, or it is not there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from core.storage._public import public
from core.storage._transfer.content_types import content_type_of

if TYPE_CHECKING:
    from core.storage._objects import ObjectInfo

#: The name of a header (https://www.rfc-editor.org/rfc/rfc9110#name-tokens).
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@public
def upload_file(
    path: str | os.PathLike[str],
    bucket: str,
    key: str,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str] | None = None,
    progress: Callable[[int], object] | None = None,
) -> ObjectInfo:
    """Upload the file `path` as the object `key` of `bucket`, replacing an object that is there.

    Atomic: readers see the old object or the new one. Verified: every request carries its Content-MD5, by
    which the store refuses flipped bits, and the ETag that comes back is compared (`ObjectInfo.verified_by`).
    Retried, each request. Up to 32 MiB go in one request; above, parts of 16 MiB or more go over up to 4
    connections, and the parts are discarded after any failure, KeyboardInterrupt included. Safe from many threads
    and processes. No ACL is ever sent: R2, GCS and most AWS buckets refuse one.

    Args:
        path: a regular file.
        bucket: its name, such as `core.storage.BUCKET_OUT`.
        key: the object's key, relative, without parts that are empty, ``.`` or ``..``.
        content_type: by default, by the suffix of the key.
        metadata: names and values to keep with the object, ASCII; 2 KiB in all on AWS.
        progress: called with the number of bytes that the store has newly taken, in the calling thread. If
            it raises, that is logged and the upload goes on.

    Raises:
        UnsafeKeyError: some stores would not keep the object under this key.
        BucketNotFoundError, AccessDeniedError, StoreUnreachableError: as they say.
        IntegrityError: the file changed while it was read (nothing was put in place), or the store's ETag is
            not the hash of what was sent.
        OSError: the file cannot be read.
    """
    from core.storage._transfer.put import upload  # noqa: PLC0415  # asyncio costs 30 ms

    return upload(path, bucket, key, _headers(content_type or content_type_of(key), metadata or {}), progress)


def _headers(content_type: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an object.

    Raises:
        TypeError: a name or value is no text.
        ValueError: it cannot be a header, or two names differ in case alone.
    """
    headers = {"Content-Type": content_type}
    for name, value in metadata.items():
        if {type(name), type(value)} != {str}:
            raise TypeError(f"metadata must map text to text, got {name!r}: {value!r}")
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"a name of metadata must be letters, digits, hyphens and dots, got {name!r}")
        header = f"x-amz-meta-{name.lower()}"
        if header in headers:
            raise ValueError(f"two names of metadata differ in case alone, and S3 has no case there: {name!r}")
        headers[header] = value
    for header, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"content types and metadata must be printable ASCII, got {header}: {value!r}")
    return headers
