"""Create, read and delete a bucket of a store.

`ensure` creates or adopts a bucket and changes only the settings that differ, so a second call changes nothing.
Without `versioning` in the configuration, that of the bucket is left as it is, and so are rules of other programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.config.environment import CORS_METHODS, CORS_SECONDS, BucketConfig
from infra.errors import InfraError, UsageError
from infra.stores import lifecycle, origin
from infra.stores.codes import Suppress, means
from infra.stores.empty import delete_everything, is_empty
from infra.stores.settings import differing
from infra.stores.store import Store, explained

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CORS_ID = "mpr-storage"
_CORS_RULE: dict[str, Any] = {
    "ID": _CORS_ID,
    "AllowedMethods": list(CORS_METHODS),
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": CORS_SECONDS,
}


@dataclass(frozen=True)
class Ensured:
    """Whether `ensure` created the bucket, or would, and the settings that it changed."""

    created: bool
    changed: tuple[str, ...]


def ensure(store: Store, wanted: BucketConfig, environment: str | None = None) -> Ensured:
    """Create the bucket or adopt an existing one, and give it the wanted settings. Idempotent.

    Args:
        store: the store.
        wanted: the name and settings of the bucket.
        environment: recorded on the bucket if this call creates it, see `infra.stores.origin`.

    Raises:
        UsageError: the bucket belongs to another account.
        InfraError: the store refused a request; the changes before it stay, and a second call makes the others.
    """
    name = _name(wanted)
    with explained(store, f"bucket {name}"):
        created = _create(store.s3, name, store.region)
        if created and environment:
            origin.record(store, name, environment)
        changed = differing(_read(store.s3, name), wanted)
        for setting in changed:
            _APPLY[setting](store.s3, name, wanted)
    return Ensured(created, tuple(changed))


def preview(store: Store, wanted: BucketConfig) -> Ensured:
    """Return what `ensure` would do; changes nothing.

    Raises:
        InfraError: the store refused a request.
    """
    name = _name(wanted)
    with explained(store, f"bucket {name}"):
        if not _exists(store.s3, name):
            return Ensured(created=True, changed=())
        return Ensured(created=False, changed=tuple(differing(_read(store.s3, name), wanted)))


def read(store: Store, name: str) -> BucketConfig | None:
    """Return the bucket with the settings that this project manages, or None if it does not exist."""
    with explained(store, f"reading bucket {name}"), Suppress("no bucket"):
        return _read(store.s3, name)
    return None


def delete(store: Store, name: str, *, with_content: bool) -> None:
    """Delete the bucket; do nothing if it does not exist.

    Args:
        store: the store.
        name: the name of the bucket.
        with_content: also delete every object, version and unfinished upload in it.

    Raises:
        InfraError: the bucket is not empty and `with_content` is false.
    """
    with explained(store, f"deleting bucket {name}"), Suppress("no bucket"):
        if with_content:
            delete_everything(store.s3, name)
        elif not is_empty(store.s3, name):  # SeaweedFS 4.48 would delete it with its content
            raise InfraError(
                f"bucket {name} is not empty, so it was not deleted; empty it, or set "
                "mpr-storage:disposable to true and deploy once before you destroy"
            )
        store.s3.delete_bucket(Bucket=name)


def _create(s3: S3Client, name: str, region: str) -> bool:
    if _exists(s3, name):  # checked first, because externally managed keys may not be allowed to create buckets
        return False
    location: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=name, **location)
    except ClientError as error:
        if means(error, "own bucket"):
            return False
        if means(error, "bucket of another account"):
            raise UsageError(f"bucket {name} belongs to another account; choose another name") from error
        raise
    return True


def _exists(s3: S3Client, name: str) -> bool:
    with Suppress("no bucket"):
        s3.list_objects_v2(Bucket=name, MaxKeys=1)
        return True
    return False


def _read(s3: S3Client, name: str) -> BucketConfig:
    with Suppress("access denied"):  # externally managed keys may not be allowed to read settings
        return _settings(s3, name)
    return BucketConfig(name=name)


def _settings(s3: S3Client, name: str) -> BucketConfig:
    status = s3.get_bucket_versioning(Bucket=name).get("Status")
    own = [rule for rule in _cors_rules(s3, name) if rule.get("ID") == _CORS_ID]
    origins = (origin for rule in own for origin in (*rule["AllowedOrigins"], *_changed(rule)))
    base = BucketConfig(name=name, versioning=status == "Enabled", cors_origins=tuple(origins))
    return lifecycle.settings(_lifecycle_rules(s3, name), base)


def _changed(rule: Mapping[str, Any]) -> list[str]:
    """Return a text that equals no origin if the rule differs from `_CORS_RULE`, so that it is written again."""
    actual, wanted = (
        {key: sorted(value) if isinstance(value, list) else value for key, value in one.items()}
        for one in ({**rule, "AllowedOrigins": None}, {**_CORS_RULE, "AllowedOrigins": None})
    )
    return [] if actual == wanted else ["(changed by hand)"]


def _lifecycle_rules(s3: S3Client, name: str) -> list[Any]:
    with Suppress("no configuration", "not supported"):
        return list(s3.get_bucket_lifecycle_configuration(Bucket=name).get("Rules", []))
    return []


def _cors_rules(s3: S3Client, name: str) -> list[Any]:
    with Suppress("no configuration", "not supported"):
        return list(s3.get_bucket_cors(Bucket=name).get("CORSRules", []))
    return []


def _set_versioning(s3: S3Client, name: str, wanted: BucketConfig) -> None:
    status: Any = "Enabled" if wanted.versioning else "Suspended"
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})


def _set_lifecycle(s3: S3Client, name: str, wanted: BucketConfig) -> None:
    rules = lifecycle.rules(wanted, _lifecycle_rules(s3, name))
    if rules:
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    else:
        s3.delete_bucket_lifecycle(Bucket=name)


def _set_cors(s3: S3Client, name: str, wanted: BucketConfig) -> None:
    rules = [rule for rule in _cors_rules(s3, name) if rule.get("ID") != _CORS_ID]
    if wanted.cors_origins:
        rules.append(_CORS_RULE | {"AllowedOrigins": list(wanted.cors_origins)})
    if rules:
        s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": rules})
    else:
        s3.delete_bucket_cors(Bucket=name)


_APPLY = {
    "versioning": _set_versioning,
    "noncurrentDays": _set_lifecycle,
    "expire": _set_lifecycle,
    "abortMultipartDays": _set_lifecycle,
    "corsOrigins": _set_cors,
}


def _name(wanted: BucketConfig) -> str:
    if wanted.name is None:
        raise UsageError("a bucket on an S3-compatible store needs a name")
    return wanted.name
