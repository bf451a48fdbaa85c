"""Uploading one file."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Mapping
from typing import BinaryIO

from core.storage import _telemetry
from core.storage._config.current import current_settings
from core.storage._keys import check_new_key
from core.storage._objects import ObjectInfo
from core.storage._progress import Progress, Report
from core.storage._public import public
from core.storage._transfer.checksums import content_md5
from core.storage._transfer.content_types import content_type_of
from core.storage._transfer.multipart import put_parts
from core.storage._transfer.upload_source import THRESHOLD, UploadSource
from core.storage.settings import Settings

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
    """Upload the file `path` as the object `key` of `bucket`, replacing an existing object.

    Atomic: readers see the old object or the new one. Verified: every request carries its Content-MD5, by
    which the store refuses flipped bits, and the ETag of the response is compared (`ObjectInfo.verified_by`).
    Retried: each request. A file of up to 32 MiB is sent in one request; a larger one in parts of 16 MiB or more,
    over up to 4 connections, and the parts are discarded after any failure, KeyboardInterrupt included. Safe from
    many threads and processes. No ACL is ever sent: R2, GCS and most AWS buckets refuse one.

    Args:
        path: a regular file.
        bucket: its name, such as `core.storage.BUCKET_OUT`.
        key: the object key, relative, without parts that are empty, ``.`` or ``..``.
        content_type: by default, by the suffix of the key.
        metadata: names and values to keep with the object, ASCII; 2 KiB in all on AWS.
        progress: called in the calling thread with the number of bytes that the store newly accepted. If it raises
            an exception, that is logged and the upload continues.

    Raises:
        UnsafeKeyError: some stores would not keep the object under this key.
        BucketNotFoundError, AccessDeniedError, StoreUnreachableError: see these classes.
        IntegrityError: the file changed while it was read (nothing was put in place), or the store's ETag is
            not the hash of what was sent.
        OSError: the file cannot be read.
    """
    headers = _headers(content_type or content_type_of(key), metadata or {})
    report = Progress(progress)
    with _telemetry.span("upload_file", bucket, key) as span:
        return span.moved(report.run(put(path, bucket, key, headers, report, current_settings())))


async def put(
    path: str | os.PathLike[str],
    bucket: str,
    key: str,
    headers: dict[str, str],
    report: Report,
    settings: Settings,
) -> ObjectInfo:
    """Upload a file as `upload_file` does, with the headers of the object."""
    check_new_key(key)
    with _telemetry.measured("upload", bucket) as measure, _opened(path) as file:
        source = UploadSource(file, bucket, key, settings)
        put_content = _put_whole if source.size <= THRESHOLD else put_parts
        return measure.moved(await put_content(source, headers, report))


def _opened(path: str | os.PathLike[str]) -> BinaryIO:
    # Before it is opened, because opening a pipe would wait for its other end.
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder, name a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "this is no regular file, its size is not known", str(path))
    return open(path, "rb", buffering=0)  # the caller closes it


async def _put_whole(source: UploadSource, headers: dict[str, str], report: Report) -> ObjectInfo:
    # In memory, so that the hashed bytes are those that are sent.
    part = await source.part(0, memoryview(bytearray(source.size)))
    source.must_be_unchanged()
    headers["Content-MD5"] = content_md5(part.md5)
    response = await source.call("PutObject", signed=headers, body=part.body, body_sha256=part.sha256)
    info = source.uploaded("PutObject", response.headers, part.md5.hex())
    report.advanced(source.size)
    return info


def _headers(content_type: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an object; a TypeError or ValueError says which metadata cannot be a header."""
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
