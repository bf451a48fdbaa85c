"""Sending one file: in one request from memory, or in parts."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from core.storage import _telemetry
from core.storage._boto.clients import current_settings
from core.storage._keys import check_new_key
from core.storage._progress import Progress, Report
from core.storage._transfer.checksums import content_md5, etag_of, is_md5
from core.storage._transfer.upload_source import THRESHOLD, UploadSource

if TYPE_CHECKING:
    from core.storage._objects import ObjectInfo
    from core.storage.settings import Settings


def upload(
    path: str | os.PathLike[str],
    bucket: str,
    key: str,
    headers: dict[str, str],
    progress: Callable[[int], object] | None,
) -> ObjectInfo:
    """Do as `upload_file`, with the headers of the object."""
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
    """Do as `upload_file`, with the headers of the object."""
    check_new_key(key)
    with _telemetry.measured("upload", bucket) as measure, _opened(path) as file:
        source = UploadSource(file, bucket, key, settings)
        if source.size <= THRESHOLD:
            return measure.moved(await _put(source, headers, report))
        from core.storage._transfer.multipart import put_parts  # noqa: PLC0415  # for large files alone

        return measure.moved(await put_parts(source, headers, report))


def _opened(path: str | os.PathLike[str]) -> BinaryIO:
    # Looked at before it is opened: opening a pipe would wait for its other end.
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder, name a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "this is no regular file, its size is not known", str(path))
    return open(path, "rb", buffering=0)  # the caller closes it


async def _put(source: UploadSource, headers: dict[str, str], report: Report) -> ObjectInfo:
    # In memory, so that what is hashed is what is sent.
    part = await source.part(0, source.size)
    source.must_be_unchanged()
    headers["Content-MD5"] = content_md5(part.md5)
    response = await source.call("PutObject", signed=headers, body=part.body, body_sha256=part.sha256)
    etag = etag_of(response.headers)
    comparable = is_md5(response.headers)
    if comparable and etag.lower() != part.md5.hex():
        raise source.damaged("PutObject", etag, part.md5.hex())
    report.advanced(source.size)
    return source.uploaded(response.headers, etag, "md5" if comparable else "content-md5")
