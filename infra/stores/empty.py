"""Emptying a bucket: every object, version, delete marker and unfinished upload.

Only for buckets of an environment that says it is disposable.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.stores.store import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Stores that cannot delete in batches say one of these; then each object goes by itself (boto3#2293).
_NO_BATCH = {"NotImplemented", "InvalidArgument", "InvalidRequest", "MissingContentMD5"}


def is_empty(s3: S3Client, bucket: str) -> bool:
    """Whether the bucket holds no object, no version and no delete marker."""
    return not next(_pages(s3, bucket), ())


def delete_everything(s3: S3Client, bucket: str, prefix: str = "") -> None:
    """Delete all that is in the bucket under `prefix`. Safe to repeat after an interruption."""
    while page := next(_pages(s3, bucket, prefix), ()):
        _delete(s3, bucket, list(page))
    for found in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        for upload in found.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def _pages(s3: S3Client, bucket: str, prefix: str = "") -> Iterator[list[Any]]:
    """What is in the bucket, up to 1000 at a time, as `delete_objects` takes it."""
    try:
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if found:
                yield [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
    except ClientError as error:
        if code_of(error) != "NotImplemented":
            raise
        for plain in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            if plain.get("Contents"):
                yield [{"Key": one["Key"]} for one in plain["Contents"]]


def _delete(s3: S3Client, bucket: str, objects: list[Any]) -> None:
    try:
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    except ClientError as error:
        if code_of(error) not in _NO_BATCH:
            raise
        for one in objects:
            s3.delete_object(Bucket=bucket, **one)
        return
    for failed in answer.get("Errors", []):
        # Asked for again by itself, so that the store's own refusal comes out; without this, a loop.
        s3.delete_object(Bucket=bucket, Key=failed.get("Key", ""), **_version(failed.get("VersionId")))


def _version(version: str | None) -> Any:
    return {"VersionId": version} if version else {}
