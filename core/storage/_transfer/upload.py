"""Uploading one object: from a file, an open file object, or bytes in memory."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from core.storage import _telemetry
from core.storage._config.current import current_settings
from core.storage._engine import run
from core.storage._keys import check_key, check_new_key
from core.storage._objects import ObjectInfo
from core.storage._progress import Progress, Report
from core.storage._public import public
from core.storage._transfer.checksums import content_md5
from core.storage._transfer.content_types import content_type_of
from core.storage._transfer.contents import (
    BinaryReader,
    Buffer,
    BytesContent,
    Content,
    content_of_file,
    content_of_object,
    opened,
)
from core.storage._transfer.multipart import part_size, put_parts
from core.storage._transfer.upload_source import Part, UploadSource
from core.storage.settings import Settings

#: Bytes. A content up to this size is uploaded in one request, from memory; a larger one in parts.
THRESHOLD = 32 * 1024 * 1024

#: The name of a header (https://www.rfc-editor.org/rfc/rfc9110#name-tokens).
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@public
def upload_file(
    path: str | os.PathLike[str] | BinaryReader,
    bucket: str,
    key: str,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str] | None = None,
    progress: Callable[[int], object] | None = None,
) -> ObjectInfo:
    """Upload a file or an open file object as the object `key` of `bucket`, replacing an existing object.

    Atomic: readers see the old object or the new one. Verified: every request carries its Content-MD5, by
    which the store refuses flipped bits, and the ETag of the response is compared (`ObjectInfo.verified_by`).
    Retried: each request. A file of up to 32 MiB is sent in one request; a larger one in parts of 16 MiB or more,
    over up to 4 connections, and the parts are discarded after any failure, KeyboardInterrupt included. Safe from
    many threads and processes. No ACL is ever sent: R2, GCS and most AWS buckets refuse one.

    Args:
        path: a regular file; or a binary file object, which is read from its position to its end, and not closed.
            One without a known size, such as a pipe, goes in parts of 16 MiB through 80 MiB of memory, up to
            156 GiB.
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
        TypeError, ValueError: the file object is opened as text, closed, or returns other data than was requested.
    """
    report = Progress(progress)
    settings = current_settings()
    return report.run(upload(path, bucket, key, headers_of(key, content_type, metadata), report, settings))


@public
def upload_bytes(
    data: Buffer,
    bucket: str,
    key: str,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> ObjectInfo:
    """Upload bytes as the object `key` of `bucket`, replacing an existing object. They are not copied.

    Atomic, verified and retried as `upload_file`, over 32 MiB in parts. The data must not change until the call
    returns. Safe from many threads and processes.

    Args:
        data: a bytes-like object: bytes, bytearray, memoryview, array, a contiguous array of numpy.
        bucket: its name, such as `core.storage.BUCKET_OUT`.
        key: the object key, relative, without parts that are empty, ``.`` or ``..``.
        content_type: by default, by the suffix of the key.
        metadata: names and values to keep with the object, ASCII; 2 KiB in all on AWS.

    Raises:
        UnsafeKeyError: some stores would not keep the object under this key.
        BucketNotFoundError, AccessDeniedError, StoreUnreachableError: see these classes.
        IntegrityError: the store's ETag is not the hash of what was sent.
        TypeError, ValueError: the data is no bytes, such as text, or not contiguous.
    """
    headers = headers_of(key, content_type, metadata)
    return run(upload_content(BytesContent(data), bucket, key, headers, current_settings()))


async def upload(
    path: str | os.PathLike[str] | BinaryReader,
    bucket: str,
    key: str,
    headers: dict[str, str],
    report: Report,
    settings: Settings,
) -> ObjectInfo:
    """Do as `upload_file`, with the headers of the object."""
    with _telemetry.span("upload_file", bucket, key) as span, content_of(path) as content:
        return span.moved(await put(content, bucket, key, headers, report, settings))


async def upload_content(
    content: BytesContent, bucket: str, key: str, headers: dict[str, str], settings: Settings
) -> ObjectInfo:
    """Do as `upload_bytes`, with the headers of the object."""
    with _telemetry.span("upload_bytes", bucket, key) as span:
        return span.moved(await put(content, bucket, key, headers, Report(), settings))


async def put(
    content: Content, bucket: str, key: str, headers: dict[str, str], report: Report, settings: Settings
) -> ObjectInfo:
    """Upload a content with the headers of its object, with the guarantees of `upload_file`."""
    source = UploadSource(content, bucket, check_new_key(key), settings)
    with _telemetry.measured("upload", bucket) as measure:
        if content.size is not None and content.size > THRESHOLD:
            return measure.moved(await put_parts(source, headers, report))
        buffer = content.buffer(part_size(0) if content.size is None else content.size)
        part = await source.next_part(buffer)
        assert part is not None  # noqa: S101  # the first part exists, also of an empty content
        if content.size is None and len(part.body) == len(buffer):
            return measure.moved(await put_parts(source, headers, report, part))
        return measure.moved(await _put_whole(source, part, headers, report))


async def _put_whole(source: UploadSource, part: Part, headers: dict[str, str], report: Report) -> ObjectInfo:
    source.check_unchanged()
    headers["Content-MD5"] = content_md5(part.md5)
    response = await source.call("PutObject", signed=headers, body=part.body, body_sha256=part.sha256)
    info = source.uploaded("PutObject", response.headers, part.md5.hex())
    report.advanced(len(part.body))
    return info


@contextmanager
def content_of(source: str | os.PathLike[str] | BinaryReader) -> Iterator[Content]:
    """Return the content of a file or an open file object; a file is closed at the end."""
    if isinstance(source, (str, os.PathLike)):
        with opened(source) as file:
            yield content_of_file(file)
    else:
        yield content_of_object(source)


def headers_of(
    key: str, content_type: str | None = None, metadata: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the headers of an object; a TypeError or ValueError says which metadata cannot be a header."""
    check_key(key)
    if content_type is not None and not isinstance(content_type, str):
        raise TypeError(f"content_type must be text such as 'video/mp4', got {content_type!r}")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise TypeError(f"metadata must be a mapping such as {{'camera': 'north'}}, got {metadata!r}")
    headers = {"Content-Type": content_type or content_type_of(key)}
    for name, value in (metadata or {}).items():
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
