"""With the generated permissions boundary, the deployer can give an identity nothing but the storage."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.check import settle
from infra.deployer.boundary import boundary
from infra.deployer.policy import policy
from infra.deployer.record import resources
from tests.doubles.fixtures import Account, Keys, aws, aws_server
from tests.infra.conftest import ALL
from tests.infra.targets.conftest import Cloud, aws_cloud

__all__ = ["aws", "aws_server"]

_STATEMENT = {"Effect": "Allow", "Action": "*", "Resource": "*"}
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [_STATEMENT]})


@pytest.fixture
def bounded(aws: Account, environments, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """An environment with the generated boundary, and this process as its deployer with the generated policy."""
    cloud = aws_cloud(aws, environments)
    cloud.environment = "prod"
    cloud.values |= {"encryption": "kms", "identities": list(ALL)}
    document = json.dumps(boundary(cloud.config, aws.id))
    arn = aws.iam.create_policy(PolicyName="mpr-prod-boundary", PolicyDocument=document)["Policy"]["Arn"]
    cloud.values["permissionsBoundary"] = arn
    monkeypatch.setattr(settle, "_PAUSE", 0.01)
    cloud.use(monkeypatch)
    statements = policy(cloud.config, resources(cloud.config), aws.id)["Statement"]
    aws.user("deployer", *statements).use(monkeypatch)
    return cloud


def boundary_of(cloud: Cloud) -> str:
    return str(cloud.values["permissionsBoundary"])


def refused(*calls: Callable[[], Any]) -> None:
    for call in calls:
        with pytest.raises(ClientError, match=r"AccessDenied|Forbidden"):
            call()


def test_identities_can_do_within_the_boundary_all_that_they_must(bounded: Cloud):
    bounded.up()
    findings = bounded.check()
    assert {one.identity for one in findings} == set(ALL)
    assert [str(one) for one in findings if one.failed] == []


def test_an_environment_that_was_deployed_without_the_boundary_gets_it_by_an_update(
    bounded: Cloud, aws: Account, monkeypatch
):
    arn = bounded.values.pop("permissionsBoundary")
    aws.use(monkeypatch)
    bounded.up()
    seen_by_deployer(aws).use(monkeypatch)
    bounded.up(permissionsBoundary=arn)
    users = [aws.iam.get_user(UserName=f"mpr-prod-{name}")["User"] for name in ALL]
    assert {user["PermissionsBoundary"]["PermissionsBoundaryArn"] for user in users} == {arn}


def test_the_deployer_creates_no_identity_without_the_boundary(bounded: Cloud, aws: Account):
    deployer = seen_by_deployer(aws)
    other = aws.iam.create_policy(PolicyName="other", PolicyDocument=EVERYTHING)["Policy"]["Arn"]
    name: Any = {"UserName": "mpr-prod-app"}
    refused(
        lambda: deployer.iam.create_user(**name),
        lambda: deployer.iam.create_user(**name, PermissionsBoundary=other),
        lambda: deployer.iam.create_user(UserName="mpr-prod-more", PermissionsBoundary=boundary_of(bounded)),
    )
    deployer.iam.create_user(**name, PermissionsBoundary=boundary_of(bounded))
    refused(
        lambda: deployer.iam.delete_user_permissions_boundary(**name),
        lambda: deployer.iam.put_user_permissions_boundary(**name, PermissionsBoundary=other),
        lambda: deployer.iam.create_policy_version(
            PolicyArn=boundary_of(bounded), PolicyDocument=EVERYTHING, SetAsDefault=True
        ),
    )


def test_the_deployer_extends_no_user_that_has_no_boundary(bounded: Cloud, aws: Account):
    deployer = seen_by_deployer(aws)
    aws.iam.create_user(UserName="mpr-prod-app")
    document: Any = {"UserName": "mpr-prod-app", "PolicyName": "more", "PolicyDocument": EVERYTHING}
    refused(lambda: deployer.iam.put_user_policy(**document))
    deployer.iam.put_user_permissions_boundary(UserName="mpr-prod-app", PermissionsBoundary=boundary_of(bounded))
    deployer.iam.put_user_policy(**document)


def test_an_identity_that_the_deployer_gives_everything_reaches_the_storage_alone(bounded: Cloud, aws: Account):
    bounded.up()
    deployer = seen_by_deployer(aws)
    deployer.iam.put_user_policy(UserName="mpr-prod-viewer", PolicyName="more", PolicyDocument=EVERYTHING)
    env = bounded.env("viewer")
    viewer = aws.seen_by(Keys(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]))
    viewer.s3.put_object(Bucket=bounded.bucket("in"), Key="chunks/a.mp4", Body=b"x")
    location: Any = {"LocationConstraint": "eu-west-1"}
    aws.s3.create_bucket(Bucket=f"mpr-prod-in-in-{aws.id[:7]}", CreateBucketConfiguration=location)
    (key,) = [entry.outputs["arn"] for entry in bounded.state.values() if entry.token == "aws:kms/key:Key"]
    refused(
        lambda: viewer.iam.create_user(UserName="mpr-prod-more"),
        lambda: viewer.iam.create_access_key(UserName="deployer"),
        viewer.s3.list_buckets,
        lambda: viewer.s3.list_objects_v2(Bucket=f"mpr-prod-in-in-{aws.id[:7]}"),
        lambda: viewer.s3.delete_bucket(Bucket=bounded.bucket("in")),
        lambda: viewer.s3.delete_bucket_policy(Bucket=bounded.bucket("in")),
        lambda: viewer.client("kms").generate_data_key(KeyId=key, KeySpec="AES_256"),
        lambda: viewer.client("kms").schedule_key_deletion(KeyId=key),
    )


def seen_by_deployer(account: Account) -> Account:
    key = account.iam.create_access_key(UserName="deployer")["AccessKey"]
    return account.seen_by(Keys(key["AccessKeyId"], key["SecretAccessKey"]))
