"""A bucket on a store: ensure, read, delete.

`ensure` creates what is missing, adopts what exists and touches only what differs, so that a second call
changes nothing. What the configuration leaves open is left as the store has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.config import BucketConfig
from infra.errors import InfraError, UsageError
from infra.stores import lifecycle, origin
from infra.stores.empty import delete_everything, is_empty
from infra.stores.settings import differing
from infra.stores.store import DENIED_CODES, GONE, Store, code_of, explained

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CORS_ID = "mpr-storage"
#: What browsers need to show frames and to upload straight to the bucket, multipart included.
_CORS_RULE: dict[str, Any] = {
    "ID": _CORS_ID,
    "AllowedMethods": ["GET", "HEAD", "PUT"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 3600,
}


@dataclass(frozen=True)
class Ensured:
    """What `ensure` did: whether it created the bucket, and which settings it changed."""

    created: bool
    changed: tuple[str, ...]


def ensure(store: Store, wanted: BucketConfig, environment: str | None = None) -> Ensured:
    """Make the bucket as `wanted`: create it or adopt the one that is there. Idempotent.

    Args:
        store: the store it is on.
        wanted: its name and settings.
        environment: recorded on the bucket if it is created here, see `infra.stores.origin`.

    Raises:
        UsageError: the name belongs to somebody else.
        InfraError: the store refused; what it did before that stays, and a second call goes on.
    """
    name = _name(wanted)
    with explained(store, f"bucket {name}"):
        created = _create(store.s3, name, store.region)
        if created and environment:
            origin.record(store, name, environment)
        actual = _read(store.s3, name)
        changed = differing(actual, wanted)
        for setting in changed:
            _APPLY[setting](store.s3, name, wanted)
    return Ensured(created, tuple(changed))


def read(store: Store, name: str) -> BucketConfig | None:
    """The bucket as it is, or None when there is none. Only what this project manages is read."""
    with explained(store, f"reading bucket {name}"):
        try:
            return _read(store.s3, name)
        except ClientError as error:
            if code_of(error) in GONE:
                return None
            raise


def delete(store: Store, name: str, *, with_content: bool) -> None:
    """Delete the bucket. Nothing happens when it is gone already.

    Args:
        store: the store it is on.
        name: the bucket.
        with_content: also delete every object, version and unfinished upload in it.

    Raises:
        InfraError: it is not empty and `with_content` is false. Looked up here and not left to the store:
            SeaweedFS 4.48 deletes a bucket with all that is in it.
    """
    with explained(store, f"deleting bucket {name}"):
        try:
            if with_content:
                delete_everything(store.s3, name)
            elif not is_empty(store.s3, name):
                raise InfraError(
                    f"bucket {name} is not empty, so it was not deleted; empty it, or set "
                    "mpr-storage:disposable to true and deploy once before you destroy"
                )
            store.s3.delete_bucket(Bucket=name)
        except ClientError as error:
            if code_of(error) not in GONE:
                raise


def _create(s3: S3Client, name: str, region: str) -> bool:
    if _exists(s3, name):
        return False  # asked first, because whoever brings keys of his own may have no right to create
    where: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=name, **where)
    except ClientError as error:
        if code_of(error) == "BucketAlreadyOwnedByYou":
            return False
        if code_of(error) == "BucketAlreadyExists":
            raise UsageError(f"bucket {name} belongs to somebody else; choose another name") from error
        raise
    return True


def _exists(s3: S3Client, name: str) -> bool:
    try:
        s3.list_objects_v2(Bucket=name, MaxKeys=1)
    except ClientError as error:
        if code_of(error) in GONE:
            return False
        raise
    return True


def _read(s3: S3Client, name: str) -> BucketConfig:
    try:
        return _settings(s3, name)
    except ClientError as error:
        if code_of(error) in DENIED_CODES:
            return BucketConfig(name=name)  # given keys may use the bucket and no more: nothing is known of it
        raise


def _settings(s3: S3Client, name: str) -> BucketConfig:
    status = s3.get_bucket_versioning(Bucket=name).get("Status")
    ours = [rule for rule in _cors_rules(s3, name) if rule.get("ID") == _CORS_ID]
    origins = (origin for rule in ours for origin in (*rule["AllowedOrigins"], *_changed(rule)))
    base = BucketConfig(name=name, versioning=status == "Enabled", cors_origins=tuple(origins))
    return lifecycle.settings(_lifecycle_rules(s3, name), base)


def _changed(rule: Mapping[str, Any]) -> list[str]:
    """A word that is no origin, if our rule allows something else than we write: then it is written anew."""
    others = {key: sorted(value) if isinstance(value, list) else value for key, value in rule.items()}
    wanted = {key: sorted(value) if isinstance(value, list) else value for key, value in _CORS_RULE.items()}
    return [] if others | {"AllowedOrigins": None} == wanted | {"AllowedOrigins": None} else ["(changed by hand)"]


def _lifecycle_rules(s3: S3Client, name: str) -> list[Any]:
    try:
        return list(s3.get_bucket_lifecycle_configuration(Bucket=name).get("Rules", []))
    except ClientError as error:
        return _none_if(error, "NoSuchLifecycleConfiguration", "NotImplemented")


def _cors_rules(s3: S3Client, name: str) -> list[Any]:
    try:
        return list(s3.get_bucket_cors(Bucket=name).get("CORSRules", []))
    except ClientError as error:
        return _none_if(error, "NoSuchCORSConfiguration", "NotImplemented")


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


def _none_if(error: ClientError, *codes: str) -> list[Any]:
    if code_of(error) in codes:
        return []
    raise error


def _name(wanted: BucketConfig) -> str:
    if wanted.name is None:
        raise UsageError("a bucket on an S3-compatible store needs a name")
    return wanted.name
