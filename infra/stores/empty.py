"""Empty a bucket: delete every object, version, delete marker and unfinished upload.

The library's `delete_many` deletes no versions. Only for the buckets of a disposable environment, and for probes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from infra.errors import InfraError
from infra.stores.codes import Suppress

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: DeleteObjects cannot name a key with one of these characters (https://www.w3.org/TR/xml/#charsets).
_NOT_IN_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def is_empty(s3: S3Client, bucket: str) -> bool:
    """Return whether the bucket holds no object, no version and no delete marker."""
    return not _first_page(s3, bucket)


def delete_everything(s3: S3Client, bucket: str, prefix: str = "") -> None:
    """Delete everything in the bucket below `prefix`. Safe to repeat after an interruption.

    Raises:
        InfraError: the store lists an object and does not delete it.
    """
    # SeaweedFS 4.48 replaces control characters in its listing of versions, but not in that of objects.
    for pages in (_versions, _objects):
        previous = None
        while (page := next(pages(s3, bucket, prefix), None)) and page != previous:
            _delete(s3, bucket, page)
            previous = page
    if rest := _first_page(s3, bucket, prefix):
        key = rest[0]["Key"]
        raise InfraError(
            f"bucket {bucket} cannot be emptied: the store lists {key!r} and does not delete it; delete it by "
            "hand, then run this again"
        )
    with Suppress("not supported"):
        for uploads in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
            for upload in uploads.get("Uploads", []):
                s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def _first_page(s3: S3Client, bucket: str, prefix: str = "") -> list[Any]:
    return next(_versions(s3, bucket, prefix), None) or next(_objects(s3, bucket, prefix), [])


def _versions(s3: S3Client, bucket: str, prefix: str = "") -> Iterator[list[Any]]:
    """Yield versions and delete markers, up to 1,000 at a time, in the form that DeleteObjects takes."""
    with Suppress("not supported"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            if versions := [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                yield [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]


def _objects(s3: S3Client, bucket: str, prefix: str = "") -> Iterator[list[Any]]:
    """Yield the objects of a plain listing in the same form."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        if page.get("Contents"):
            yield [{"Key": entry["Key"]} for entry in page["Contents"]]


def _delete(s3: S3Client, bucket: str, objects: list[Any]) -> None:
    together = [entry for entry in objects if not _NOT_IN_XML.search(entry["Key"])]
    alone = [entry for entry in objects if _NOT_IN_XML.search(entry["Key"])]
    if together:
        alone += _not_deleted(s3, bucket, together)
    for entry in alone:  # so that the store's own error is raised
        s3.delete_object(Bucket=bucket, **entry)


def _not_deleted(s3: S3Client, bucket: str, objects: list[Any]) -> list[Any]:
    """Delete objects with one request, and return those that the store did not delete."""
    with Suppress("no batch deletion", "not supported"):
        errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors", [])
        return [{name: error[name] for name in ("Key", "VersionId") if error.get(name)} for error in errors]
    return objects
