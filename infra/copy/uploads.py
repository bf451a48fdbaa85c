"""Abort the unfinished uploads that a killed copy left: their parts are billed until then."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from core.storage import StorageError, get_s3_client
from core.storage._internal import translated
from core.storage.settings import Settings
from infra.config.identities import Role
from infra.copy.side import Side

_THREADS = 16


def abort(side: Side, role: Role, keys: Iterable[str]) -> str | None:
    """Abort the unfinished uploads of exactly these object keys, which are about to be written.

    One listing for each key, because MinIO lists unfinished uploads only for a whole key. rclone aborts its own
    uploads whenever it ends, unless it is killed.

    Returns:
        A notice if that failed; the copy can go on.
    """
    bucket = side.bucket(role)
    with ThreadPoolExecutor(_THREADS, "mpr-uploads") as pool:
        try:
            list(pool.map(lambda key: _abort(side.settings, bucket, key), keys))
        except StorageError as error:
            pool.shutdown(cancel_futures=True)
            return f"uploads that an earlier copy left unfinished could not be aborted ({error})"
    return None


def _abort(settings: Settings, bucket: str, key: str) -> None:
    client = get_s3_client(settings)
    with translated("ListMultipartUploads", bucket, key):
        pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
        uploads = [upload for page in pages for upload in page.get("Uploads", []) if upload["Key"] == key]
    for upload in uploads:
        with translated("AbortMultipartUpload", bucket, key):
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"])
