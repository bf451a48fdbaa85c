"""Least-privilege policy documents: what each identity may do, as the AWS policy language says it.

Pure functions. Actions are explicit and split between the bucket and its objects; there is no ``s3:*``, and
nothing that changes a bucket, a policy or an ACL. ``ListBucket`` is always part of reading: without it a
missing key answers 403 instead of 404
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html). Whoever writes may also list and abort
multipart uploads, or failed ones leave parts behind that cost money.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: What one identity may do with the bucket of each role; a role that is absent is out of its reach.
Rights = Mapping[str, frozenset[str]]

READ = frozenset({"read"})
READ_WRITE = frozenset({"read", "write"})

IDENTITIES: Mapping[str, Rights] = {
    "app": {"in": READ_WRITE, "out": READ_WRITE},
    "pipeline": {"in": READ, "out": READ_WRITE},
    "ingest": {"in": READ_WRITE},
    "viewer": {"in": READ, "out": READ},
}

#: The actions of a right: on the bucket itself, and on its objects.
_BUCKET_ACTIONS = {
    "read": ("s3:ListBucket", "s3:GetBucketLocation"),
    "write": ("s3:ListBucketMultipartUploads",),
}
_OBJECT_ACTIONS = {
    "read": ("s3:GetObject",),
    "write": ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
}

Policy = dict[str, Any]


def policy(identity: str, buckets: Mapping[str, str], *, rename: Mapping[str, str] | None = None) -> Policy:
    """The policy of an identity over the buckets (role to name).

    Args:
        identity: one of `IDENTITIES`.
        buckets: the name of the bucket of each role.
        rename: actions that the store knows under another name, see `infra.stores.kinds`.
    """
    statements = []
    for role, rights in IDENTITIES[identity].items():
        arn = f"arn:aws:s3:::{buckets[role]}"
        statements.append(_allow(_BUCKET_ACTIONS, rights, arn, rename or {}))
        statements.append(_allow(_OBJECT_ACTIONS, rights, f"{arn}/*", rename or {}))
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(
    actions: Mapping[str, Iterable[str]], rights: frozenset[str], resource: str, rename: Mapping[str, str]
) -> Policy:
    names = [rename.get(action, action) for right in sorted(rights) for action in actions[right]]
    return {"Effect": "Allow", "Action": names, "Resource": [resource]}


def normalised(document: Mapping[str, Any] | None) -> object:
    """A policy in one form for comparing: stores return lists of one as a string, and in any order."""
    if document is None:
        return None
    return sorted((_normalised(one) for one in _listed(document.get("Statement", []))), key=repr)


def _normalised(statement: Mapping[str, Any]) -> dict[str, object]:
    return {
        key: sorted(_listed(value)) if key in {"Action", "Resource"} else value
        for key, value in sorted(statement.items())
        if key != "Sid"
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
