"""What a request to AWS asks permission for: its operation as IAM actions on resources, with condition keys.

S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
IAM, KMS, STS: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition

from tests.doubles.iam import Access, Context

#: Operations of S3 whose action has another name.
_S3 = {
    "ListBuckets": "ListAllMyBuckets",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListParts": "ListMultipartUploadParts",
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
}
#: What reads or removes one version of an object.
_S3_VERSIONED = {"GetObject": "GetObjectVersion", "DeleteObject": "DeleteObjectVersion"}
#: What a request header of S3 asks for on top.
_S3_HEADERS = {
    "x-amz-tagging": {"PutObject": "PutObjectTagging"},
    "x-amz-acl": {"PutObject": "PutObjectAcl", "CreateBucket": "PutBucketAcl"},
    "x-amz-object-ownership": {"CreateBucket": "PutBucketOwnershipControls"},
}
_READS_OBJECTS = frozenset({"GetObject", "HeadObject"})
_WRITES_OBJECTS = frozenset({"PutObject", "CreateMultipartUpload", "UploadPart", "CopyObject", "UploadPartCopy"})
#: An ACL that every bucket has anyway takes no right of its own.
_HARMLESS_ACLS = {"private"}
#: What of a query counts for conditions.
_S3_QUERY = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys"}
#: IAM's parameters that name a resource, and how its ARN goes on.
_IAM = {
    "UserName": "user",
    "RoleName": "role",
    "GroupName": "group",
    "PolicyArn": "",
    "PolicyName": "policy",
}
_ABOUT_POLICIES = re.compile(r"(Create|Get|Delete|List|Set|Tag|Untag)(Default)?Policy(Version|Versions|Tags)?")
_KMS_ON_NOTHING = frozenset({"CreateKey", "ListKeys", "ListAliases", "GenerateRandom"})


@dataclass(frozen=True)
class Call:
    """A request, as far as permissions go."""

    service: str
    region: str
    account: str
    request: Request
    body: bytes
    context: Context

    @property
    def partition(self) -> str:
        return get_partition(self.region)

    @cached_property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.request.query_string.decode(), keep_blank_values=True)

    @cached_property
    def operation(self) -> str:
        return _OPERATIONS[self.service](self)

    @cached_property
    def parameters(self) -> dict[str, str]:
        """Of a request in the query protocol, IAM's and STS's."""
        return {key: one[0] for key, one in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    @cached_property
    def s3_names(self) -> tuple[str, str]:
        """Bucket and key."""
        tagged = _TAGS.fullmatch(unquote(self.request.path))
        if tagged:
            return tagged[1], ""
        _, found = get_service_router("s3").match(self.request)
        return found.get("Bucket", ""), found.get("Key", "")


def accesses(call: Call) -> Iterator[Access]:
    """Everything that the caller must be allowed."""
    yield from _ACCESSES[call.service](call)


# --- S3 -------------------------------------------------------------------------------------------------


def s3_bucket(name: str) -> Any | None:
    """Return moto's own bucket of a name, in any account."""
    found = s3_backends.bucket_accounts.get(name)
    return s3_backends[found[1]][found[0]].buckets.get(name) if found else None


#: The tags of buckets have an API of their own besides.
_TAGS = re.compile(r"/v20180820/tags/arn:[^:]+:s3:::([^/]+)")
_TAG_OPERATIONS = {"GET": "ListTagsForResource", "POST": "TagResource", "DELETE": "UntagResource"}


def _s3_operation(call: Call) -> str:
    if _TAGS.fullmatch(unquote(call.request.path)):
        return _TAG_OPERATIONS[call.request.method]
    operation, _ = get_service_router("s3").match(call.request)
    name: str = operation.name
    return name


def _s3(call: Call) -> Iterator[Access]:
    name, key = call.s3_names
    if call.operation == "DeleteObjects":
        yield from _s3_deletes(call, name)
        return
    action = _S3.get(call.operation, call.operation)
    if action == "CreateBucket" and b"<Tags>" in call.body:
        yield _on_s3(call, "TagResource", name, "")
    if "versionId" in call.query:
        action = _S3_VERSIONED.get(action, action)
    yield _on_s3(call, action, name, key)
    for header, extra in _S3_HEADERS.items():
        value = call.request.headers.get(header)
        if value and action in extra and value not in _HARMLESS_ACLS:
            yield _on_s3(call, extra[action], name, key)
    if source := call.request.headers.get("x-amz-copy-source"):
        bucket, _, copied = unquote(source).partition("?")[0].lstrip("/").partition("/")
        yield _on_s3(call, "GetObject", bucket, copied)
        yield from _s3_key(call, bucket, ("Decrypt",))
    if call.operation in _READS_OBJECTS:
        yield from _s3_missing(call, name, key)
        yield from _s3_key(call, name, ("Decrypt",))
    if call.operation in _WRITES_OBJECTS:
        yield from _s3_key(call, name, ("GenerateDataKey",))
    if call.operation in {"UploadPart", "UploadPartCopy", "CompleteMultipartUpload"}:
        yield from _s3_key(call, name, ("Decrypt",))


def _s3_deletes(call: Call, bucket: str) -> Iterator[Access]:
    # AWS refuses key by key, inside a response with status 200; here one refused key refuses them all.
    text = call.body.decode()
    for found in re.findall(r"<Object>(.*?)</Object>", text, re.DOTALL):
        key = re.search(r"<Key>(.*?)</Key>", found, re.DOTALL)
        # "always", says https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
        actions = ["DeleteObject"] + ["DeleteObjectVersion"] * ("<VersionId>" in found)
        for action in actions:
            yield _on_s3(call, action, bucket, key[1] if key else "")


def _s3_missing(call: Call, name: str, key: str) -> Iterator[Access]:
    """Without the right to list, a missing object is 403 and not 404."""
    bucket = s3_bucket(name)
    if bucket is not None and key not in bucket.keys:
        yield _on_s3(call, "ListBucket", name, "")


def _s3_key(call: Call, name: str, actions: tuple[str, ...]) -> Iterator[Access]:
    """Return the actions on the KMS key that reading or writing an encrypted object requires."""
    bucket = s3_bucket(name)
    identifier = _encryption_key(bucket.encryption if bucket is not None else None)
    suffix = "amazonaws.com.cn" if call.partition == "aws-cn" else "amazonaws.com"
    for action in actions if identifier else ():
        yield _on_kms(call, action, identifier, {"kms:viaservice": (f"s3.{call.region}.{suffix}",)})


def _encryption_key(configuration: Any) -> str:
    rules = (configuration or {}).get("Rule", [])
    rule = rules[0] if isinstance(rules, list) and rules else rules
    found: str = (rule or {}).get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") or ""
    return found


def _on_s3(call: Call, action: str, name: str, key: str) -> Access:
    # A bucket that is to be made may exist in another account: permissions do not decide that.
    bucket = s3_bucket(name) if action != "CreateBucket" else None
    resource = f"arn:{call.partition}:s3:::{name}{'/' if key else ''}{key}" if name else "*"
    given = {_S3_QUERY[one]: tuple(call.query[one]) for one in _S3_QUERY if one in call.query}
    owner = bucket.account_id if bucket is not None else call.account
    context = {**call.context, **given, "s3:resourceaccount": (owner,), "aws:resourceaccount": (owner,)}
    policy = json.loads(bucket.policy) if bucket is not None and bucket.policy else None
    return Access(f"s3:{action}", resource, context, owner, policy)


# --- IAM and STS ----------------------------------------------------------------------------------------


def _query_operation(call: Call) -> str:
    return call.parameters.get("Action", "")


def _iam(call: Call) -> Iterator[Access]:
    given = call.parameters
    context = dict(call.context)
    boundary = given.get("PermissionsBoundary") or _boundary(call)
    if boundary:
        context["iam:permissionsboundary"] = (boundary,)
    if "PolicyArn" in given:
        context["iam:policyarn"] = (given["PolicyArn"],)
    yield Access(f"iam:{call.operation}", _iam_resource(call), context, call.account)


def _boundary(call: Call) -> str | None:
    """The boundary of whom a call is about."""
    backend = iam_backends[call.account][call.partition]
    holders: list[Any] = [*backend.users.values(), *backend.roles.values()]
    names = {call.parameters.get("UserName"), call.parameters.get("RoleName")} - {None}
    return next((one.permissions_boundary_arn for one in holders if one.name in names), None)


def _iam_resource(call: Call) -> str:
    given = call.parameters
    about_policies = _ABOUT_POLICIES.fullmatch(call.operation)
    for parameter, kind in _IAM.items():
        if parameter not in given or (kind in {"", "policy"}) != bool(about_policies):
            continue
        return _iam_arn(call, kind, given[parameter])
    return "*"


def _iam_arn(call: Call, kind: str, name: str) -> str:
    if not kind:
        return name
    backend = iam_backends[call.account][call.partition]
    there: dict[str, Any] = {"user": backend.users, "role": backend.roles}
    for one in there.get(kind, {}).values():
        if one.name == name:
            return str(one.arn)
    return f"arn:{call.partition}:iam::{call.account}:{kind}{call.parameters.get('Path', '/')}{name}"


def role(arn: str) -> Any | None:
    """moto's own role of an ARN."""
    _, partition, _, _, account, _ = arn.split(":", 5)
    roles = iam_backends[account][partition].roles.values()
    return next((one for one in roles if one.arn == arn), None)


def _sts(call: Call) -> Iterator[Access]:
    if not call.operation.startswith("AssumeRole"):
        return  # every principal may call GetCallerIdentity
    arn = call.parameters.get("RoleArn", "")
    found = role(arn)
    context = dict(call.context)
    if "ExternalId" in call.parameters:
        context["sts:externalid"] = (call.parameters["ExternalId"],)
    trust = found.assume_role_policy_document if found else None
    document = json.loads(trust) if isinstance(trust, str) else trust
    yield Access(f"sts:{call.operation}", arn, context, arn.split(":")[4], document, policy_decides=True)


# --- KMS ------------------------------------------------------------------------------------------------


def _kms_operation(call: Call) -> str:
    return call.request.headers.get("X-Amz-Target", "").rpartition(".")[2]


def _kms(call: Call) -> Iterator[Access]:
    given: Mapping[str, Any] = json.loads(call.body or b"{}")
    identifier = given.get("KeyId") or given.get("TargetKeyId") or given.get("AliasName")
    if alias := given.get("AliasName"):
        arn = f"arn:{call.partition}:kms:{call.region}:{call.account}:{alias}"
        yield Access(f"kms:{call.operation}", arn, call.context, call.account)
    if call.operation in _KMS_ON_NOTHING or not identifier:
        yield Access(f"kms:{call.operation}", "*", call.context, call.account)
    else:
        yield _on_kms(call, call.operation, identifier, {})


def _on_kms(call: Call, action: str, identifier: str, context: Context) -> Access:
    parts = identifier.split(":") if identifier.startswith("arn:") else []
    region, account = parts[3:5] if parts else (call.region, call.account)
    backend = kms_backends[account][region]
    name = identifier.rpartition(":key/")[2]
    found = backend.keys.get(backend.get_key_id_from_alias(name) or name)
    arn = found.arn if found else f"arn:{call.partition}:kms:{region}:{account}:key/{name}"
    policy = json.loads(found.policy) if found else None
    return Access(f"kms:{action}", arn, {**call.context, **context}, account, policy, policy_decides=bool(found))


_OPERATIONS = {"s3": _s3_operation, "iam": _query_operation, "sts": _query_operation, "kms": _kms_operation}
_ACCESSES = {"s3": _s3, "iam": _iam, "sts": _sts, "kms": _kms}
SERVICES = frozenset(_ACCESSES)
