"""What each kind of store can and cannot do, as a table.

Adding a kind is adding a row. A store that is in no row is taken to follow AWS; what it cannot do shows when
it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from infra.config import BucketConfig, EnvironmentConfig
from infra.errors import UsageError
from infra.identities import ROLES, Role
from infra.stores.settings import ATTRIBUTES


@dataclass(frozen=True)
class Kind:
    """One kind of store."""

    name: str
    #: How its Server header starts.
    server: str
    #: Policy actions that it knows under another name.
    rename: Mapping[str, str] = field(default_factory=dict)
    #: Settings of a bucket that it cannot honour, each with what to do instead.
    unsupported: Mapping[str, str] = field(default_factory=dict)
    #: What its users must know who hold identities to prefixes.
    prefixes: str = ""
    #: Beside an object ``a`` it lists no ``a/b``, though it takes both and gives them back.
    hides_below_objects: bool = False


GENERIC = Kind("this store", "")
KINDS = (
    Kind(
        "SeaweedFS",
        "SeaweedFS",
        # 4.48 refuses the AWS names of these two ("not a valid action"). Uploads it lists to whoever has PutObject
        # on the bucket itself, which has it on every object anyway: identities held to prefixes get neither.
        rename={
            "s3:ListBucketMultipartUploads": "s3:PutObject",
            "s3:ListMultipartUploadParts": "s3:ListParts",
        },
        prefixes="SeaweedFS compares keys without regard to case, so that frames/ covers Frames/ as well",
    ),
    Kind(
        "MinIO",
        "MinIO",
        unsupported={
            "corsOrigins": "MinIO has one CORS setting for the whole server, MINIO_API_CORS_ALLOW_ORIGIN",
            "abortMultipartDays": "MinIO deletes the parts of stale uploads by itself after 24 hours",
        },
        hides_below_objects=True,
    ),
    Kind(
        "Versity S3 Gateway",
        "VERSITYGW",
        unsupported=dict.fromkeys(
            ("noncurrentDays", "expire", "abortMultipartDays"),
            "it has no lifecycle rules (1.8); delete what is old from its folder by a timer of the system",
        ),
    ),
)

#: Days until the parts of an unfinished upload go, where the store can and nothing else was asked for.
ABORT_MULTIPART_DAYS = 7


def named(server: str) -> Kind:
    """The kind of a store by the Server header of its answers."""
    return next((kind for kind in KINDS if server.startswith(kind.server)), GENERIC)


def bucket_settings(config: EnvironmentConfig, kind: Kind) -> tuple[dict[Role, BucketConfig], list[str]]:
    """The settings of both buckets as this kind of store can have them.

    Also a notice for each setting that it cannot have, and what stands in its place.

    Raises:
        UsageError: a setting was asked for that this kind cannot honour, with what to do instead.
    """
    problems = [
        f"buckets.{role}.{name}: not supported by {kind.name}; {instead}"
        for role in ROLES
        for name, instead in kind.unsupported.items()
        if getattr(config.bucket(role), ATTRIBUTES[name])
    ]
    if problems:
        raise UsageError("\n".join(problems))
    notices = [
        f"{name}: not supported by {kind.name}, skipped: {instead}" for name, instead in kind.unsupported.items()
    ]
    if (
        "abortMultipartDays" in kind.unsupported or config.credentials == "static"
    ):  # given keys may not change a bucket
        return {role: config.bucket(role) for role in ROLES}, notices
    return {role: _with_default(config.bucket(role)) for role in ROLES}, notices


def _with_default(bucket: BucketConfig) -> BucketConfig:
    return replace(bucket, abort_multipart_days=bucket.abort_multipart_days or ABORT_MULTIPART_DAYS)
