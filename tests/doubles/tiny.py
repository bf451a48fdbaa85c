"""A small program on AWS, for the tests of the doubles: the same one runs through mocks and through the engine."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws


def main() -> None:
    """A bucket with its settings, and a user with a key who may list it. The configuration `tiny:*` changes it."""
    config = pulumi.Config("tiny")
    provider = aws.Provider("aws", region="eu-west-1")
    options = pulumi.ResourceOptions(provider=provider)
    taken = config.get("adopt")
    bucket = aws.s3.Bucket(
        "tiny",
        bucket=taken or config.get("bucket"),
        tags={"purpose": config.get("purpose") or "test"},
        opts=pulumi.ResourceOptions(provider=provider, import_=taken),
    )
    aws.s3.BucketVersioning(
        "tiny", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"}, opts=options
    )
    user = aws.iam.User("tiny", name=config.get("user") or "tiny", opts=options)
    aws.iam.UserPolicy("tiny", user=user.name, policy=bucket.arn.apply(_may_list), opts=options)
    key = aws.iam.AccessKey("tiny", user=user.name, opts=options)
    caller = aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=provider))
    pulumi.export("account", caller.account_id)
    pulumi.export("bucket", bucket.bucket)
    pulumi.export("domain", bucket.bucket_regional_domain_name)
    pulumi.export("key", {"id": key.id, "secret": key.secret})


def _may_list(arn: str) -> str:
    statement = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def misspelt() -> None:
    """A mistake that no type checker sees, in a mapping."""
    rule: Any = {"object_ownershp": "BucketOwnerEnforced"}
    aws.s3.BucketOwnershipControls("tiny", bucket="tiny", rule=rule)
