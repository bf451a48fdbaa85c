"""Least-privilege policy documents: what each identity may do, as the AWS policy language says it.

Pure functions. Actions are explicit and split between the bucket and its objects; there is no ``s3:*``, and
nothing that changes a bucket, a policy or an ACL. ``ListBucket`` is always part of reading: without it a
missing key answers 403 instead of 404
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html). Whoever writes may also list and abort
multipart uploads, or failed ones leave parts behind that cost money.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from infra.identities import Identity, Role

#: The actions of a right: on the bucket itself, and on its objects.
_LIST = "s3:ListBucket"
_BUCKET_ACTIONS = {
    "read": (_LIST, "s3:GetBucketLocation"),
    "write": ("s3:ListBucketMultipartUploads",),
}
_OBJECT_ACTIONS = {
    "read": ("s3:GetObject",),
    "write": ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
}

#: What lists the whole bucket cannot be held to a prefix: no condition key narrows it
#: (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
_WHOLE_BUCKET_ONLY = frozenset({"s3:ListBucketMultipartUploads"})
#: What a bucket encrypted with a KMS key takes of the key. Completing a multipart upload decrypts its parts
#: (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions).
_KEY_ACTIONS = {"read": ("kms:Decrypt",), "write": ("kms:GenerateDataKey", "kms:Decrypt")}

Policy = dict[str, Any]


def policy(
    identity: Identity,
    buckets: Mapping[Role, str],
    *,
    rename: Mapping[str, str] | None = None,
    partition: str = "aws",
    encryption_key: str | None = None,
) -> Policy:
    """The policy of an identity over the buckets (role to name).

    Args:
        identity: its rights and prefixes.
        buckets: the name of the bucket of each role.
        rename: actions that the store knows under another name, see `infra.stores.kinds`.
        partition: of the ARNs, see `partition_of`.
        encryption_key: ARN of the KMS key of the buckets, if there is one.
    """
    statements = []
    for role, rights in identity.rights.items():
        arn = f"arn:{partition}:s3:::{buckets[role]}"
        prefixes = identity.prefixes.get(role, ())
        statements += _on_bucket(rights, arn, prefixes)
        objects = [f"{arn}/{prefix}*" for prefix in prefixes or ("",)]
        statements.append(_allow(_named(_OBJECT_ACTIONS, rights), objects))
    if encryption_key:
        every = frozenset[str]().union(*identity.rights.values())
        statements.append(_allow(_named(_KEY_ACTIONS, every), [encryption_key]))
    for statement in statements:
        statement["Action"] = [(rename or {}).get(action, action) for action in statement["Action"]]
    return {"Version": "2012-10-17", "Statement": statements}


def tls_only(bucket: str, partition: str) -> Policy:
    """The policy of a bucket that answers nobody without TLS 1.2 or newer.

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


def length(document: Policy) -> int:
    """The length of a policy as quotas count it: without spaces."""
    return len(json.dumps(document, separators=(",", ":")))


def partition_of(region: str) -> str:
    """The partition that a region of AWS belongs to, the second part of every ARN there."""
    return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "aws")


#: By the start of a region's name, as botocore knows them: a test compares.
_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}


def _on_bucket(rights: frozenset[str], arn: str, prefixes: tuple[str, ...]) -> list[Policy]:
    names = _named(_BUCKET_ACTIONS, rights)
    if not prefixes:
        return [_allow(names, [arn])]
    below = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}}
    others = [name for name in names if name != _LIST and name not in _WHOLE_BUCKET_ONLY]
    listing = [_allow([_LIST], [arn]) | {"Condition": below}] if _LIST in names else []
    return [*listing, _allow(others, [arn])] if others else listing


def _named(actions: Mapping[str, Iterable[str]], rights: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(action for right in sorted(rights) for action in actions[right]))


def _allow(actions: list[str], resources: list[str]) -> Policy:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def normalised(document: Mapping[str, Any] | None) -> object:
    """A policy in one form for comparing: stores return lists of one as a string, and in any order."""
    if document is None:
        return None
    return sorted((_normalised(one) for one in _listed(document.get("Statement", []))), key=repr)


def _normalised(statement: Mapping[str, Any]) -> dict[str, object]:
    return {key: _FORMS.get(key, _as_is)(value) for key, value in sorted(statement.items()) if key != "Sid"}


def _as_is(value: Any) -> object:
    return value


def _set(value: Any) -> list[Any]:
    return sorted(_listed(value))


def _condition(value: Mapping[str, Mapping[str, Any]]) -> object:
    return {test: {key: _set(one) for key, one in keys.items()} for test, keys in value.items()}


_FORMS: Mapping[str, Callable[[Any], object]] = {"Action": _set, "Resource": _set, "Condition": _condition}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
