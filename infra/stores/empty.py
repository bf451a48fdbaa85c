"""Emptying a bucket: every object, version, delete marker and unfinished upload.

Only for buckets that a disposable environment created.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.errors import InfraError
from infra.stores.store import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Stores that cannot delete in batches say one of these; then each object goes by itself (boto3#2293).
_NO_BATCH = {"NotImplemented", "InvalidArgument", "InvalidRequest", "MissingContentMD5"}
#: Keys with one of these cannot be named in a batch (https://www.w3.org/TR/xml/#charsets).
_NOT_IN_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def is_empty(s3: S3Client, bucket: str) -> bool:
    """Whether the bucket holds no object, no version and no delete marker."""
    return not _first(s3, bucket)


def delete_everything(s3: S3Client, bucket: str, prefix: str = "") -> None:
    """Delete all that is in the bucket under `prefix`. Safe to repeat after an interruption.

    Raises:
        InfraError: the store lists something and does not delete it.
    """
    # SeaweedFS (4.48) lists versions without their control characters, and objects with them.
    for pages in (_versions, _objects):
        before = None
        while (page := next(pages(s3, bucket, prefix), None)) and page != before:
            _delete(s3, bucket, page)
            before = page
    if left := _first(s3, bucket, prefix):
        key = left[0]["Key"]
        raise InfraError(
            f"bucket {bucket} cannot be emptied: the store lists {key!r} and does not delete it; delete it by "
            "hand, then run this again"
        )
    for found in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        for upload in found.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def _first(s3: S3Client, bucket: str, prefix: str = "") -> list[Any]:
    return next(_versions(s3, bucket, prefix), None) or next(_objects(s3, bucket, prefix), [])


def _versions(s3: S3Client, bucket: str, prefix: str = "") -> Iterator[list[Any]]:
    """Versions and delete markers, up to 1000 at a time, as `delete_objects` takes them."""
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            if found := [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                yield [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
    except ClientError as error:
        if code_of(error) != "NotImplemented":
            raise  # and a store without versions has none


def _objects(s3: S3Client, bucket: str, prefix: str = "") -> Iterator[list[Any]]:
    """The same, of the objects that a listing shows."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        if page.get("Contents"):
            yield [{"Key": one["Key"]} for one in page["Contents"]]


def _delete(s3: S3Client, bucket: str, objects: list[Any]) -> None:
    alone = [one for one in objects if _NOT_IN_XML.search(one["Key"])]
    _one_by_one(s3, bucket, alone)
    together = [one for one in objects if one not in alone] if alone else objects
    if not together:
        return
    try:
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": together, "Quiet": True})
    except ClientError as error:
        if code_of(error) not in _NO_BATCH:
            raise
        _one_by_one(s3, bucket, together)
        return
    for failed in answer.get("Errors", []):
        # Asked for again by itself, so that the store's own refusal comes out.
        s3.delete_object(Bucket=bucket, Key=failed.get("Key", ""), **_version(failed.get("VersionId")))


def _one_by_one(s3: S3Client, bucket: str, objects: list[Any]) -> None:
    for one in objects:
        s3.delete_object(Bucket=bucket, **one)


def _version(version: str | None) -> Any:
    return {"VersionId": version} if version else {}
