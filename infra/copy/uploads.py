"""Unfinished uploads that a killed copy left: their parts take room, and cost money, until they are discarded."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from core.storage import StorageError, get_s3_client
from core.storage._internal import translated
from core.storage.settings import Settings
from infra.copy.side import Side
from infra.identities import Role

_THREADS = 16


def discard(side: Side, role: Role, keys: Iterable[str]) -> str | None:
    """Discard what was begun and not finished under exactly these keys, which are about to be written.

    Looked up key by key: MinIO lists unfinished uploads of a whole key alone. rclone discards its own after every
    end but a kill.

    Returns:
        Why it could not be done, for the user to know: it stands in the way of nothing.
    """
    bucket = side.bucket(role)
    with ThreadPoolExecutor(_THREADS, "mpr-uploads") as pool:
        try:
            list(pool.map(lambda key: _discard(side.settings, bucket, key), keys))
        except StorageError as error:
            pool.shutdown(cancel_futures=True)
            return f"uploads that an earlier copy left unfinished could not be discarded ({error})"
    return None


def _discard(settings: Settings, bucket: str, key: str) -> None:
    client = get_s3_client(settings)
    with translated("ListMultipartUploads", bucket, key):
        pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
        found = [one["UploadId"] for page in pages for one in page.get("Uploads", []) if one["Key"] == key]
    for upload in found:
        with translated("AbortMultipartUpload", bucket, key):
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
