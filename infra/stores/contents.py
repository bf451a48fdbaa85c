"""Count the content of a bucket, to report it before it is deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.stores.codes import Suppress
from infra.stores.store import Store, explained

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
    """Count all versions of all objects, and the unfinished uploads; return None if the bucket does not exist.

    Raises:
        InfraError: the store refused the request, or did not respond.
    """
    with explained(store, f"counting the objects of bucket {bucket}"), Suppress("no bucket"):
        return count_with(store.s3, bucket)
    return None


def count_with(s3: S3Client, bucket: str) -> Contents:
    """Count with any client; what its access key may not list is None.

    Raises:
        ClientError: the store refused the request, also if the access key may not list the objects.
    """
    objects, size = 0, 0
    older: int | None = None
    with Suppress("access denied"):
        objects, older, size = _versions(s3, bucket)
    if not (objects or older):  # the store has no versions, or its listing of versions holds no objects
        objects, size = _current_objects(s3, bucket)
    return Contents(objects, older, _uploads(s3, bucket), size)


def _versions(s3: S3Client, bucket: str) -> tuple[int, int, int]:
    """Return the numbers of objects and of older versions, and the bytes of both."""
    objects = older = size = 0
    with Suppress("not supported"):
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
    with Suppress("access denied"):
        with Suppress("not supported"):
            pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
            return sum(len(page.get("Uploads", [])) for page in pages)
        return 0
    return None


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
