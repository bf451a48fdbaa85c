"""Least-privilege policy documents: what each identity may do, in the AWS policy language. Pure functions.

Actions are explicit and split between the bucket and its objects; there is no ``s3:*``, and no action that changes
a bucket, a policy or an ACL. The right to read includes ``ListBucket``: without it, the response for a missing
object is 403 instead of 404 (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html). The right to
write includes listing and aborting multipart uploads, because the parts of failed ones cost money.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the provider of the dynamic resources reads policies too, and starts 10 ms sooner without it
    from infra.config.identities import Identity, Role

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

#: Actions that cannot be limited to a prefix, because they have no condition key
#: (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
_WHOLE_BUCKET_ONLY = frozenset({"s3:ListBucketMultipartUploads"})
#: The actions on the KMS key of an encrypted bucket. Completing a multipart upload decrypts its parts
#: (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions).
_KEY_ACTIONS = {"read": ("kms:Decrypt",), "write": ("kms:GenerateDataKey", "kms:Decrypt")}

#: Of a statement: values that are lists or mappings of lists, in any order.
_UNORDERED = ("Action", "Resource", "Condition")

Policy = dict[str, Any]


def policy(
    identity: Identity,
    buckets: Mapping[Role, str],
    *,
    rename: Mapping[str, str] | None = None,
    partition: str = "aws",
    encryption_key: str | None = None,
) -> Policy:
    """Return the policy of an identity.

    Args:
        identity: its rights and prefixes.
        buckets: the name of the bucket with each role.
        rename: the store's names of actions that are not those of AWS, see `infra.stores.kinds`.
        partition: of the ARNs, see `infra.targets.aws.partition`.
        encryption_key: ARN of the KMS key of the buckets, if there is one.
    """
    statements = []
    for role, rights in identity.rights.items():
        arn = f"arn:{partition}:s3:::{buckets[role]}"
        prefixes = identity.prefixes.get(role, ())
        statements += _on_bucket(rights, arn, prefixes)
        objects = [f"{arn}/{prefix}*" for prefix in prefixes or ("",)]
        statements.append(allow(_named(_OBJECT_ACTIONS, rights), objects))
    if encryption_key:
        rights = frozenset[str]().union(*identity.rights.values())
        use = allow(_named(_KEY_ACTIONS, rights), [encryption_key])
        statements.append(use | {"Condition": _only_through_s3(encryption_key)})
    for statement in statements:
        statement["Action"] = [(rename or {}).get(action, action) for action in statement["Action"]]
    return {"Version": "2012-10-17", "Statement": statements}


def allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    """Return the statement that allows these actions on these resources."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def length(document: Policy) -> int:
    """Return the length of a policy without white space, as quotas count it."""
    return len(json.dumps(document, separators=(",", ":")))


def _on_bucket(rights: frozenset[str], arn: str, prefixes: tuple[str, ...]) -> list[Policy]:
    names = _named(_BUCKET_ACTIONS, rights)
    if not prefixes:
        return [allow(names, [arn])]
    below = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}}
    others = [name for name in names if name != _LIST and name not in _WHOLE_BUCKET_ONLY]
    listing = [allow([_LIST], [arn]) | {"Condition": below}] if _LIST in names else []
    return [*listing, allow(others, [arn])] if others else listing


def _only_through_s3(encryption_key: str) -> dict[str, Any]:
    """Return the condition that S3 uses the key for the identity: a request of the identity to KMS is refused.

    AWS sets the condition key (https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html). Its
    value ends in the DNS suffix of the partition, such as amazonaws.com or amazonaws.com.cn: hence the wildcard.
    """
    region = encryption_key.split(":")[3]
    return {"StringLike": {"kms:ViaService": [f"s3.{region}.*"]}}


def _named(actions: Mapping[str, Iterable[str]], rights: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(action for right in sorted(rights) for action in actions[right]))


def normalised(document: Mapping[str, Any] | None) -> object:
    """Return a policy in a form for comparisons: stores return lists of one as a string, and in any order."""
    if document is None:
        return None
    return sorted((_normalised(statement) for statement in _listed(document.get("Statement", []))), key=repr)


def _normalised(statement: Mapping[str, Any]) -> dict[str, object]:
    return {
        key: _sorted(value) if key in _UNORDERED else value
        for key, value in sorted(statement.items())
        if key != "Sid"
    }


def _sorted(value: Any) -> object:
    if isinstance(value, Mapping):
        return {key: _sorted(inner) for key, inner in sorted(value.items())}
    return sorted(_listed(value))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
