"""Record in a tag of a bucket which environment created it.

A bucket that existed before its environment is never deleted. Pulumi's state records which one created a bucket,
and the tag does so without a state (`infra init`, or a lost state). Its value is the name of the environment, so
that an environment that adopts the bucket of another one does not delete it either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from infra.stores.codes import Suppress

if TYPE_CHECKING:
    from infra.stores.contents import Contents
    from infra.stores.store import Store

TAG = "mpr-storage-environment"


def record(store: Store, bucket: str, environment: str) -> None:
    """Record that the environment created this bucket, which is new and has no other tags.

    Does nothing on a store without bucket tags (Garage, R2), or with an access key that may not set them.
    """
    try:
        store.s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": TAG, "Value": environment}]})
    except ClientError:
        return  # the bucket then counts as one that existed before, and is kept


def is_created_by(store: Store, bucket: str, environment: str) -> bool:
    """Return whether the bucket's tag names this environment. False also if the tag cannot be read."""
    try:
        return environment_of(store, bucket) == environment
    except ClientError:
        return False


def environment_of(store: Store, bucket: str) -> str | None:
    """Return the environment that the bucket's tag names, or None if it has no such tag.

    Raises:
        ClientError: the tags cannot be read, or the store has none.
    """
    with Suppress("no configuration"):
        tags = store.s3.get_bucket_tagging(Bucket=bucket).get("TagSet", [])
        return next((tag["Value"] for tag in tags if tag["Key"] == TAG), None)
    return None


def kept(bucket: str, contents: Contents, *, is_known: bool) -> str:
    """Return the message about a bucket that is not deleted.

    Args:
        bucket: its name.
        contents: its content.
        is_known: False if nothing records what created it: an earlier version did, or the store has no tags.
    """
    if is_known:
        return f"bucket {bucket} existed before this environment and holds {contents}: it stays"
    return f"bucket {bucket} stays: nothing records that this environment created it. It holds {contents}"
