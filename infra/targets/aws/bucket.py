"""A bucket on Amazon S3 with everything that makes it safe.

Each setting is a resource beside the bucket: pulumi-aws 7 has deprecated those of the bucket itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pulumi
from pulumi_aws import s3

from infra.config import naming
from infra.config.environment import (
    ABORT_RULE,
    CORS_METHODS,
    CORS_SECONDS,
    EXPIRY_RULE,
    NONCURRENT_RULE,
    BucketConfig,
)
from infra.config.identities import Role
from infra.policies import Policy
from infra.targets import defaults
from infra.targets.aws.partition import partition_of
from infra.targets.options import Options
from infra.targets.program import BucketResources

_CORS: Any = {
    "allowed_methods": list(CORS_METHODS),
    "allowed_headers": ["*"],
    "expose_headers": ["ETag"],
    "max_age_seconds": CORS_SECONDS,
}
#: An object encrypted with SSE-C is unreadable without the customer's key. AWS refuses SSE-C in new buckets since
#: 2026; the setting is explicit, because the provider otherwise reports a change.
_NO_CUSTOMER_KEYS = {"blocked_encryption_types": ["SSE-C"]}


def create_bucket(role: Role, key: pulumi.Input[str] | None, options: Options) -> BucketResources:
    """Create the bucket, or adopt the one of this name, with every setting explicit."""
    config = options.config
    wanted = defaults.bucket(role, config)
    title = naming.bucket(config.environment, role)
    bucket = s3.Bucket(
        title,
        bucket=wanted.name,
        force_destroy=options.deletes_content,
        tags=config.tags,
        opts=options.bucket(title, wanted.name, keeps=["tags", "tagsAll"]),
    )
    common: dict[str, Any] = {"bucket": bucket.bucket, "opts": options.kept(title)}
    ownership = s3.BucketOwnershipControls(
        f"{title}-ownership", rule={"object_ownership": "BucketOwnerEnforced"}, **common
    )
    private = s3.BucketPublicAccessBlock(
        f"{title}-public-access-block",
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        **common,
    )
    document = bucket.bucket.apply(lambda name: _tls_only(name, partition_of(config.region)))
    # After the public access block: two changes of a bucket's access at once are refused with a conflict.
    after = options.kept(title, depends_on=[private])
    policy = s3.BucketPolicy(
        f"{title}-policy", bucket=bucket.bucket, policy=pulumi.Output.json_dumps(document), opts=after
    )
    encryption = s3.BucketServerSideEncryptionConfiguration(
        f"{title}-encryption", rules=[_encryption(key)], **common
    )
    parts = [bucket, ownership, private, policy, encryption, *_optional(title, wanted, common, options)]
    return BucketResources(bucket.bucket, parts)


def _optional(
    title: str, wanted: BucketConfig, common: dict[str, Any], options: Options
) -> Iterator[pulumi.Resource]:
    """Create the resources for settings that not every bucket has."""
    versioning = None
    if wanted.versioning is not None:
        status: Any = {"status": "Enabled" if wanted.versioning else "Suspended"}
        versioning = s3.BucketVersioning(
            f"{title}-versioning",
            bucket=common["bucket"],
            versioning_configuration=status,
            opts=options.left(title),
        )
        yield versioning
    # Rules about noncurrent versions want the versioning to be settled.
    after = options.kept(title, depends_on=[versioning] if versioning else [])
    yield s3.BucketLifecycleConfiguration(
        f"{title}-lifecycle", bucket=common["bucket"], rules=list(_rules(wanted)), opts=after
    )
    if wanted.cors_origins:
        rule: Any = {**_CORS, "allowed_origins": list(wanted.cors_origins)}
        # Not kept: it guards nothing, and goes when no origin is configured any more.
        yield s3.BucketCorsConfiguration(
            f"{title}-cors", bucket=common["bucket"], cors_rules=[rule], opts=options.plain(title)
        )


def _encryption(key: pulumi.Input[str] | None) -> Any:
    if key is None:
        return {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}, **_NO_CUSTOMER_KEYS}
    by_default = {"sse_algorithm": "aws:kms", "kms_master_key_id": key}
    # A key for the bucket saves a request to KMS, which costs money, for each object.
    return {"apply_server_side_encryption_by_default": by_default, "bucket_key_enabled": True, **_NO_CUSTOMER_KEYS}


def _rules(wanted: BucketConfig) -> Iterator[Any]:
    """Lifecycle rules, each with an explicit filter: without one, the provider sees a change forever."""
    for expiry in wanted.expire:
        yield _rule(EXPIRY_RULE + expiry.prefix, expiry.prefix, expiration={"days": expiry.days})
    if wanted.noncurrent_days:
        action = {"noncurrent_days": wanted.noncurrent_days}
        yield _rule(NONCURRENT_RULE, "", noncurrent_version_expiration=action)
    if wanted.abort_multipart_days:
        action = {"days_after_initiation": wanted.abort_multipart_days}
        yield _rule(ABORT_RULE, "", abort_incomplete_multipart_upload=action)


def _rule(name: str, prefix: str, **action: dict[str, int]) -> Any:
    return {"id": name, "status": "Enabled", "filter": {"prefix": prefix}, **action}


def _tls_only(bucket: str, partition: str) -> Policy:
    """Return the policy of a bucket that refuses requests without TLS 1.2 or newer.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html
    """
    arn = f"arn:{partition}:s3:::{bucket}"
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "TlsOnly", **denied, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            {"Sid": "Tls12OrNewer", **denied, "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
        ],
    }
