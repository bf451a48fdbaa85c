"""A bucket on Amazon S3 with everything that makes it safe.

Each setting is a resource beside the bucket: pulumi-aws 7 has deprecated those of the bucket itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import s3

from infra import names
from infra.config import BucketConfig, EnvironmentConfig
from infra.identities import Role
from infra.policies import partition_of, tls_only
from infra.targets import _defaults
from infra.targets._options import Options

#: What browsers need to show frames and to upload straight to the bucket, multipart included.
_CORS: Any = {"allowed_methods": ["GET", "HEAD", "PUT"], "allowed_headers": ["*"], "expose_headers": ["ETag"]}
_CORS_SECONDS = 3600
#: Nobody can read an object whose key only one customer had. New buckets refuse them since 2026; say so, or
#: the provider sees a change.
_NO_CUSTOMER_KEYS = {"blocked_encryption_types": ["SSE-C"]}


@dataclass(frozen=True)
class Hardened:
    """A bucket and the resources that it is made of."""

    name: pulumi.Output[str]
    parts: list[pulumi.Resource]


def hardened(role: Role, config: EnvironmentConfig, key: pulumi.Input[str] | None, options: Options) -> Hardened:
    """Create the bucket, or take over the one of this name, with every setting explicit."""
    wanted = _defaults.bucket(role, config)
    title = names.bucket(config.environment, role)
    bucket = s3.Bucket(
        title,
        bucket=wanted.name,
        force_destroy=config.disposable,
        tags=config.tags,
        opts=options.bucket(wanted.name, keeps=["tags", "tagsAll"]),
    )
    common: dict[str, Any] = {"bucket": bucket.bucket, "opts": options.kept()}
    ownership = s3.BucketOwnershipControls(title, rule={"object_ownership": "BucketOwnerEnforced"}, **common)
    private = s3.BucketPublicAccessBlock(
        title,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        **common,
    )
    document = bucket.bucket.apply(lambda name: tls_only(name, partition_of(config.region)))
    # After the public access block: two changes of a bucket's access at once are refused with a conflict.
    after = options.kept(depends_on=[private])
    policy = s3.BucketPolicy(title, bucket=bucket.bucket, policy=pulumi.Output.json_dumps(document), opts=after)
    encryption = s3.BucketServerSideEncryptionConfiguration(title, rules=[_encryption(key)], **common)
    parts = [bucket, ownership, private, policy, encryption, *_optional(title, wanted, common, options)]
    return Hardened(bucket.bucket, parts)


def _optional(
    title: str, wanted: BucketConfig, common: dict[str, Any], options: Options
) -> Iterator[pulumi.Resource]:
    """The settings that not every bucket has."""
    versioning = None
    if wanted.versioning is not None:
        status: Any = {"status": "Enabled" if wanted.versioning else "Suspended"}
        versioning = s3.BucketVersioning(
            title, bucket=common["bucket"], versioning_configuration=status, opts=options.left()
        )
        yield versioning
    # Rules about noncurrent versions want the versioning to be settled.
    after = options.kept(depends_on=[versioning] if versioning else [])
    yield s3.BucketLifecycleConfiguration(title, bucket=common["bucket"], rules=list(_rules(wanted)), opts=after)
    if wanted.cors_origins:
        rule: Any = {**_CORS, "allowed_origins": list(wanted.cors_origins), "max_age_seconds": _CORS_SECONDS}
        # Not kept: it guards nothing, and goes when no origin is configured any more.
        yield s3.BucketCorsConfiguration(title, bucket=common["bucket"], cors_rules=[rule], opts=options.plain())


def _encryption(key: pulumi.Input[str] | None) -> Any:
    if key is None:
        return {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}, **_NO_CUSTOMER_KEYS}
    by_default = {"sse_algorithm": "aws:kms", "kms_master_key_id": key}
    # A key for the bucket saves a request to KMS, which costs money, for each object.
    return {"apply_server_side_encryption_by_default": by_default, "bucket_key_enabled": True, **_NO_CUSTOMER_KEYS}


def _rules(wanted: BucketConfig) -> Iterator[Any]:
    """Lifecycle rules, each with an explicit filter: without one, the provider sees a change forever."""
    for one in wanted.expire:
        yield _rule(f"mpr-expire-{one.prefix}", one.prefix, expiration={"days": one.days})
    if wanted.noncurrent_days:
        action = {"noncurrent_days": wanted.noncurrent_days}
        yield _rule("mpr-noncurrent", "", noncurrent_version_expiration=action)
    if wanted.abort_multipart_days:
        action = {"days_after_initiation": wanted.abort_multipart_days}
        yield _rule("mpr-abort-multipart", "", abort_incomplete_multipart_upload=action)


def _rule(name: str, prefix: str, **action: dict[str, int]) -> Any:
    return {"id": name, "status": "Enabled", "filter": {"prefix": prefix}, **action}
