"""Which environment created a bucket, recorded in a tag of the bucket.

A bucket that existed before its environment is never deleted. Pulumi's state records who created a bucket; the
tag does where there is no state (`infra init`), and where the state was lost. The value is the name of the
environment, so that an environment which adopts another one's bucket does not delete it either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from infra.stores.contents import Contents
    from infra.stores.store import Store

TAG = "mpr-storage-environment"


def record(store: Store, bucket: str, environment: str) -> None:
    """Record that the environment created this bucket, which is new and has no other tags.

    A store without bucket tags (Garage, R2), or whose key may not set them, records nothing.
    """
    try:
        store.s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": TAG, "Value": environment}]})
    except ClientError:
        return  # then the bucket counts as one that existed before: it is kept


def is_created_by(store: Store, bucket: str, environment: str) -> bool:
    """Return whether the bucket's tag names this environment. False also if the tag cannot be read."""
    try:
        tags = store.s3.get_bucket_tagging(Bucket=bucket).get("TagSet", [])
    except ClientError:
        return False
    return {"Key": TAG, "Value": environment} in tags


def kept(bucket: str, contents: Contents, *, is_known: bool) -> str:
    """Return the sentence about a bucket that is not deleted.

    Args:
        bucket: its name.
        contents: what it holds.
        is_known: False if nothing records who created it: an earlier version made it, or the store has no tags.
    """
    if is_known:
        return f"bucket {bucket} was there before this environment and holds {contents}: it stays"
    return f"bucket {bucket} stays: nothing records that this environment created it. It holds {contents}"
