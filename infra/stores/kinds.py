"""The kinds of stores: one row holds all that is known of a product.

A store that matches no row counts as `GENERIC`, which follows AWS. `infra.stores.codes` looks up error codes in
all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from infra.config.environment import ABORT_MULTIPART_DAYS, BucketConfig, EnvironmentConfig
from infra.config.identities import ROLES, Role
from infra.errors import UsageError
from infra.stores.access_key import EXTERNAL
from infra.stores.settings import ATTRIBUTES

#: What an error code says.
Meaning = Literal[
    "wrong access key",  # the store does not know it, or the secret access key is wrong
    "access denied",
    "no bucket",
    "no object",
    "no configuration",  # the bucket has no tags, or no rules for its lifecycle or for CORS
    "no identity",
    "no access key",
    "no part number",  # HEAD has no parameter partNumber
    "own bucket",
    "bucket of another account",
    "not supported",
    "no batch deletion",  # the store has no DeleteObjects, or refuses its form (boto3#2293)
    "malformed policy",  # the store has read it, so the access key may change it
    "clock skew",
    "other region",
    "starting",  # the server accepts connections, but no requests yet
]


@dataclass(frozen=True)
class Kind:
    """One kind of store."""

    name: str
    #: The start of its Server header.
    server: str
    #: The URL of its documentation, for messages about what it does not support.
    documentation: str = ""
    #: Its names of policy actions, by those of AWS.
    rename: Mapping[str, str] = field(default_factory=dict)
    #: The settings of a bucket that it does not support, each with what to use instead.
    unsupported: Mapping[str, str] = field(default_factory=dict)
    #: The kinds of credentials that it supports, or none if that is not known.
    credentials: tuple[str, ...] = ()
    #: A notice for environments whose identities have prefixes.
    prefixes: str = ""
    #: Whether it stores both ``a`` and ``a/b``, but lists only ``a``.
    hides_below_objects: bool = False
    #: Its error codes that AWS does not have, by meaning, separated by spaces.
    codes: Mapping[Meaning, str] = field(default_factory=dict)


#: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and
#: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html. A number is the status of a response
#: without a body, as to HEAD.
GENERIC = Kind(
    "this store",
    "",
    codes={
        # Unauthorized: Cloudflare R2. InvalidSecurity: Google Cloud Storage.
        "wrong access key": (
            "InvalidAccessKeyId SignatureDoesNotMatch InvalidClientTokenId Unauthorized InvalidSecurity"
        ),
        "access denied": "AccessDenied AllAccessDisabled AccessForbidden Forbidden UnauthorizedAccess 403",
        "no bucket": "NoSuchBucket 404",
        "no object": "NoSuchKey 404",
        # NoSuchTagSetError: Ceph before Squid.
        "no configuration": (
            "NoSuchLifecycleConfiguration NoSuchCORSConfiguration NoSuchTagSet NoSuchTagSetError"
        ),
        "no identity": "NoSuchEntity",
        "no access key": "NoSuchEntity",
        "no part number": "400 416 501",
        "own bucket": "BucketAlreadyOwnedByYou",
        "bucket of another account": "BucketAlreadyExists",
        "not supported": "NotImplemented InvalidAction",
        "no batch deletion": "InvalidArgument InvalidRequest MissingContentMD5",
        "malformed policy": "MalformedPolicy MalformedPolicyDocument",
        "clock skew": "RequestTimeTooSkewed RequestExpired",
        "other region": "AuthorizationHeaderMalformed InvalidRegion PermanentRedirect",
        "starting": "ServiceUnavailable",
    },
)
KINDS = (
    Kind(
        "SeaweedFS",
        "SeaweedFS",
        documentation="https://github.com/seaweedfs/seaweedfs/wiki/Amazon-S3-API",
        # 4.48 refuses AWS' names of these two ("not a valid action"). s3:PutObject on the bucket includes the
        # listing of its uploads and gives no more, because an identity with `write` has it on every object. No
        # identity with prefixes gets either.
        rename={
            "s3:ListBucketMultipartUploads": "s3:PutObject",
            "s3:ListMultipartUploadParts": "s3:ListParts",
        },
        credentials=("iam",),
        prefixes="SeaweedFS compares keys without regard to case, so that frames/ covers Frames/ as well",
    ),
    Kind(
        "MinIO",
        "MinIO",
        documentation="https://github.com/minio/minio/tree/master/docs",
        unsupported={
            "corsOrigins": "MinIO has one CORS setting for the whole server, MINIO_API_CORS_ALLOW_ORIGIN",
            "abortMultipartDays": "MinIO deletes the parts of stale uploads by itself after 24 hours",
        },
        credentials=("minio",),
        hides_below_objects=True,
        codes={
            "starting": "XMinioServerNotInitialized",
            "no identity": "XMinioAdminNoSuchPolicy",
            "no access key": "XMinioInvalidIAMCredentials",
        },
    ),
    Kind(
        "Versity S3 Gateway",
        "VERSITYGW",
        documentation="https://github.com/versity/versitygw/wiki",
        credentials=(EXTERNAL,),  # its own admin API creates users
        unsupported=dict.fromkeys(
            ("noncurrentDays", "expire", "abortMultipartDays"),
            "it has no lifecycle rules (1.8); delete old files from its folder by a system timer",
        ),
        codes={"wrong access key": "XAdminUserNotFound"},
    ),
    Kind(
        "Ceph",
        "Ceph Object Gateway",  # since Reef (ceph#50510); rgw_service_provider_name may change it
        documentation="https://docs.ceph.com/en/latest/radosgw/s3/",
        credentials=("iam",),
        codes={"not supported": "MethodNotAllowed"},
    ),
)


def named(server: str) -> Kind:
    """Return the kind of a store by the Server header of its responses."""
    return next((kind for kind in KINDS if server.startswith(kind.server)), GENERIC)


#: The kind of the embedded store.
SEAWEEDFS = named("SeaweedFS")


def bucket_settings(config: EnvironmentConfig, kind: Kind) -> tuple[dict[Role, BucketConfig], list[str]]:
    """Return the settings of both buckets on this kind of store, and a notice for each that it does not support.

    The kind of credentials is checked as well: another one would fail only after the buckets were created.

    Raises:
        UsageError: the configuration has a setting that this kind does not support.
    """
    problems = [
        f"buckets.{role}.{name}: not supported by {kind.name}; {instead} ({kind.documentation})"
        for role in ROLES
        for name, instead in kind.unsupported.items()
        if getattr(config.bucket(role), ATTRIBUTES[name])
    ]
    supported = dict.fromkeys((*kind.credentials, EXTERNAL))
    if kind.credentials and config.credentials not in supported:
        instead = " or ".join(supported)
        problems.append(f"credentials: {kind.name} does not support {config.credentials}; use {instead}")
    if problems:
        raise UsageError("\n".join(problems))
    buckets = {role: config.bucket(role) for role in ROLES}
    # Externally managed keys may lack the permission to change a bucket.
    if "abortMultipartDays" not in kind.unsupported and not config.has_external_keys:
        buckets = {
            role: replace(bucket, abort_multipart_days=bucket.abort_multipart_days or ABORT_MULTIPART_DAYS)
            for role, bucket in buckets.items()
        }
    return buckets, [
        f"{name}: not supported by {kind.name}, skipped: {instead}" for name, instead in kind.unsupported.items()
    ]
