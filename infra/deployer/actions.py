"""What the provider does to a resource of each type, as IAM actions.

The calls are those of terraform-provider-aws 6 (internal/service/{s3,iam,kms}), which pulumi-aws 7 bridges; the
names of their actions are in https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html.
A type that the program uses and that has no row is an error: whoever adds a resource adds its row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Actions:
    """The actions that one resource type takes."""

    #: What the actions are on: ``bucket``, ``user``, ``role`` or ``key``.
    on: str
    #: To create, read and update it.
    deploy: tuple[str, ...]
    #: To delete it, which happens to buckets and what guards them in disposable environments only.
    delete: tuple[str, ...] = ()
    #: If it has tags.
    tags: tuple[str, ...] = ()


#: Every read of a bucket reads all of this, whatever the program says of it.
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

ACTIONS: Mapping[str, Actions] = {
    "aws:s3/bucket:Bucket": Actions(
        "bucket",
        ("s3:CreateBucket", *_READ_BUCKET),
        ("s3:DeleteBucket", "s3:ListBucketVersions"),
        ("s3:TagResource", "s3:UntagResource"),
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": Actions(
        "bucket", ("s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls")
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Actions(
        "bucket", ("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock")
    ),
    "aws:s3/bucketPolicy:BucketPolicy": Actions(
        "bucket", ("s3:GetBucketPolicy", "s3:PutBucketPolicy"), ("s3:DeleteBucketPolicy",)
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Actions(
        "bucket", ("s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration")
    ),
    "aws:s3/bucketVersioning:BucketVersioning": Actions(
        "bucket", ("s3:GetBucketVersioning", "s3:PutBucketVersioning")
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Actions(
        "bucket", ("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration")
    ),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": Actions(
        "bucket", ("s3:GetBucketCORS", "s3:PutBucketCORS")
    ),
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

#: Emptying a bucket before it is deleted.
EMPTY_BUCKET = ("s3:DeleteObject", "s3:DeleteObjectVersion")
#: AWS names a key only once it exists, so that its creation is on every key
#: (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html).
CREATE_KEY = "kms:CreateKey"
#: What makes or widens an identity, and so must not go without the boundary that the environment asks for.
BOUNDED = frozenset({"iam:CreateUser", "iam:PutUserPolicy", "iam:CreateRole", "iam:PutRolePolicy"})
#: What sets the boundary.
SET_BOUNDARY = {"user": "iam:PutUserPermissionsBoundary", "role": "iam:PutRolePermissionsBoundary"}
