"""Count what a bucket holds, so that it can be said before it is deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from infra.stores.store import DENIED_CODES, GONE, Store, code_of, explained

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Contents:
    """The number of objects, versions and unfinished uploads in a bucket, and the bytes of all versions."""

    objects: int = 0
    #: Noncurrent versions and delete markers; None if the access key may not list them.
    older_versions: int | None = 0
    #: None if the access key may not list them.
    uploads: int | None = 0
    size: int = 0

    def __str__(self) -> str:
        """Return a phrase such as "12 objects, 3 older versions (34.5 kB)"."""
        from rich.filesize import decimal  # noqa: PLC0415  # only a deletion needs it

        counted = [_number(self.objects, "object") if self.objects else "no objects"]
        counted += [_number(self.older_versions, "older version")] if self.older_versions else []
        counted += [_number(self.uploads, "unfinished upload")] if self.uploads else []
        unknown = ["older versions"] if self.older_versions is None else []
        unknown += ["unfinished uploads"] if self.uploads is None else []
        notes = [decimal(self.size)] if self.size else []
        notes += [f"{' and '.join(unknown)} could not be counted"] if unknown else []
        return ", ".join(counted) + (f" ({'; '.join(notes)})" if notes else "")


def count(store: Store, bucket: str) -> Contents | None:
    """Count all versions of all objects, and the unfinished uploads; None if there is no such bucket.

    Raises:
        InfraError: the store refused, or did not answer.
    """
    with explained(store, f"counting the objects of bucket {bucket}"):
        try:
            return count_with(store.s3, bucket)
        except ClientError as error:
            if code_of(error) in GONE:
                return None
            raise


def count_with(s3: S3Client, bucket: str) -> Contents:
    """Count with any client: what its access key may not list is None.

    Raises:
        ClientError: the store refused; also if the access key may not list the objects.
    """
    older: int | None
    try:
        objects, older, size = _versions(s3, bucket)
    except ClientError as error:
        objects, older, size = 0, _none_of(error), 0
    if not (objects or older):  # no versions can be listed, or the store lists objects alone
        objects, size = _current_objects(s3, bucket)
    return Contents(objects, older, _uploads(s3, bucket), size)


def _versions(s3: S3Client, bucket: str) -> tuple[int, int, int]:
    """Return the numbers of objects and of older versions, and the bytes of both."""
    objects = older = size = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = page.get("Versions", [])
        current = sum(bool(version.get("IsLatest")) for version in versions)
        objects += current
        older += len(versions) - current + len(page.get("DeleteMarkers", []))
        size += sum(version.get("Size", 0) for version in versions)
    return objects, older, size


def _current_objects(s3: S3Client, bucket: str) -> tuple[int, int]:
    """Return the number of objects and their bytes, as a plain listing shows them."""
    objects = size = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        listed = page.get("Contents", [])
        objects += len(listed)
        size += sum(entry["Size"] for entry in listed)
    return objects, size


def _uploads(s3: S3Client, bucket: str) -> int | None:
    try:
        pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
        return sum(len(page.get("Uploads", [])) for page in pages)
    except ClientError as error:
        return _none_of(error)


def _none_of(error: ClientError) -> int | None:
    """Return 0 for what a store does not have, None for what this access key may not list.

    Raises:
        ClientError: the request failed for another reason.
    """
    if code_of(error) == "NotImplemented":
        return 0
    if code_of(error) in DENIED_CODES:
        return None
    raise error


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
