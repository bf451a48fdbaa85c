"""The IAM actions that the provider needs for a resource of each type.

The calls are those of terraform-provider-aws 6 (internal/service/{s3,iam,kms}), which pulumi-aws 7 bridges; the
names of their actions are in https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html.
A resource type without a row is an error: a new resource in the program needs a new row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Actions:
    """The actions that one resource type needs."""

    #: The kind of resource in the ARN: ``bucket``, ``user``, ``role`` or ``key``.
    on: str
    #: To create, read and update the resource.
    deploy: tuple[str, ...]
    #: To delete the resource. Buckets and their protection are deleted in disposable environments only.
    delete: tuple[str, ...] = ()
    #: To change its tags.
    tags: tuple[str, ...] = ()


#: The provider reads all of this of every bucket, also what the program does not configure.
_READ_BUCKET = (
    "s3:ListBucket",  # HeadBucket
    "s3:ListTagsForResource",
    "s3:GetAccelerateConfiguration",
    "s3:GetBucketAcl",
    "s3:GetBucketCORS",
    "s3:GetBucketLogging",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketPolicy",
    "s3:GetBucketRequestPayment",
    "s3:GetBucketVersioning",
    "s3:GetBucketWebsite",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetReplicationConfiguration",
)


def _setting(name: str, *delete: str) -> Actions:
    """Return the actions of a resource that is one setting of a bucket."""
    return Actions("bucket", (f"s3:Get{name}", f"s3:Put{name}"), delete)


ACTIONS: Mapping[str, Actions] = {
    "aws:s3/bucket:Bucket": Actions(
        "bucket",
        ("s3:CreateBucket", *_READ_BUCKET),
        ("s3:DeleteBucket", "s3:ListBucketVersions"),
        ("s3:TagResource", "s3:UntagResource"),
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _setting("BucketOwnershipControls"),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _setting("BucketPublicAccessBlock"),
    "aws:s3/bucketPolicy:BucketPolicy": _setting("BucketPolicy", "s3:DeleteBucketPolicy"),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _setting(
        "EncryptionConfiguration"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": _setting("BucketVersioning"),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _setting("LifecycleConfiguration"),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": _setting("BucketCORS"),
    "aws:kms/key:Key": Actions(
        "key",
        (
            "kms:DescribeKey",
            "kms:EnableKeyRotation",
            "kms:GetKeyPolicy",
            "kms:GetKeyRotationStatus",
            "kms:ListResourceTags",
        ),
        ("kms:ScheduleKeyDeletion",),
        ("kms:TagResource", "kms:UntagResource"),
    ),
    "aws:iam/user:User": Actions(
        "user",
        ("iam:CreateUser", "iam:GetUser"),
        ("iam:DeleteUser", "iam:ListGroupsForUser"),
        ("iam:TagUser", "iam:UntagUser"),
    ),
    "aws:iam/userPolicy:UserPolicy": Actions(
        "user", ("iam:GetUserPolicy", "iam:PutUserPolicy"), ("iam:DeleteUserPolicy",)
    ),
    "aws:iam/accessKey:AccessKey": Actions(
        "user", ("iam:CreateAccessKey", "iam:ListAccessKeys", "iam:UpdateAccessKey"), ("iam:DeleteAccessKey",)
    ),
    "aws:iam/role:Role": Actions(
        "role",
        (
            "iam:CreateRole",
            "iam:GetRole",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:UpdateAssumeRolePolicy",
        ),
        ("iam:DeleteRole", "iam:ListInstanceProfilesForRole"),
        ("iam:TagRole", "iam:UntagRole"),
    ),
    "aws:iam/rolePolicy:RolePolicy": Actions(
        "role", ("iam:GetRolePolicy", "iam:PutRolePolicy"), ("iam:DeleteRolePolicy",)
    ),
}

#: To empty a bucket before it is deleted.
EMPTY_BUCKET = ("s3:DeleteObject", "s3:DeleteObjectVersion")
#: A KMS key has no ARN before it exists, so the permission to create one is for all keys
#: (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html).
CREATE_KEY = "kms:CreateKey"
#: Creates an identity or extends its permissions: allowed only with the environment's permissions boundary.
BOUNDED = frozenset({"iam:CreateUser", "iam:PutUserPolicy", "iam:CreateRole", "iam:PutRolePolicy"})
#: Sets the permissions boundary.
SET_BOUNDARY = {"user": "iam:PutUserPermissionsBoundary", "role": "iam:PutRolePermissionsBoundary"}
