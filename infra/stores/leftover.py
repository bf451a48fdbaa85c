"""Find the buckets of a store that an environment created and that no configuration names any more."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from infra.stores import origin
from infra.stores.codes import means
from infra.stores.store import Store, explained

_WORKERS = 8  # a store may have hundreds of buckets, each with a request of its own


def find(store: Store, environment: str, configured: Collection[str]) -> list[str] | None:
    """Return the buckets whose tag names the environment, without those that are configured, by name.

    Returns None if that is not known: the store has no bucket tags (Garage), or the access key may not list its
    buckets.

    Raises:
        UnreachableError: the store does not respond.
        InfraError: the store refused a request for another reason.
    """
    with explained(store, "looking for buckets that are no longer configured"):
        try:
            listed = [bucket["Name"] for bucket in store.s3.list_buckets()["Buckets"]]
            others = sorted(set(listed) - set(configured))
            with ThreadPoolExecutor(_WORKERS) as workers:
                created_by = list(workers.map(lambda bucket: _environment_of(store, bucket), others))
        except ClientError as error:
            if means(error, "access denied", "not supported"):
                return None
            raise
    return [bucket for bucket, name in zip(others, created_by, strict=True) if name == environment]


def _environment_of(store: Store, bucket: str) -> str | None:
    try:
        return origin.environment_of(store, bucket)
    except ClientError as error:
        # Deleted since it was listed, or a bucket of another account, which this environment did not create.
        if means(error, "no bucket", "access denied"):
            return None
        raise
