from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from infra.errors import UsageError
from infra.policies import Policy, normalised
from infra.resources.identity import IdentityProvider
from infra.resources.provider import Props
from tests.infra.resources.support import configured, over_grpc

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

pytestmark = pytest.mark.usefixtures("admin_keys")

READ_ONLY: Policy = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::elsewhere/*"]}],
}


@pytest.fixture
def provider() -> IdentityProvider:
    return configured(IdentityProvider())


@pytest.fixture
def props(name: str, where: Props, policy: Policy) -> Props:
    return {"name": f"{name}-app", "policy": policy, "credentials": "iam", **where}


def policy_of(iam: IAMClient, user: str) -> Any:
    document: Any = iam.get_user_policy(UserName=user, PolicyName="mpr-storage")["PolicyDocument"]
    return json.loads(document) if isinstance(document, str) else document


def has_user(iam: IAMClient, user: str) -> bool:
    try:
        iam.get_user(UserName=user)
    except ClientError:
        return False
    return True


def test_create_makes_the_user_with_exactly_this_policy(provider: IdentityProvider, props: Props, iam: IAMClient):
    result = provider.create(props)
    assert (result.id, result.outs) == (props["name"], props)
    assert normalised(policy_of(iam, props["name"])) == normalised(props["policy"])


def test_create_adopts_a_user_with_its_keys(provider: IdentityProvider, props: Props, iam: IAMClient):
    user = props["name"]
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    iam.put_user_policy(UserName=user, PolicyName="mpr-storage", PolicyDocument=json.dumps(READ_ONLY))
    provider.create(props)
    assert normalised(policy_of(iam, user)) == normalised(props["policy"])
    assert [one["AccessKeyId"] for one in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]] == [key]


def test_read_of_an_unchanged_identity_returns_its_inputs(provider: IdentityProvider, props: Props):
    provider.create(props)
    result = provider.read(props["name"], props)
    assert (result.id, result.outs, result.inputs) == (props["name"], props, props)


def test_read_sees_another_policy_and_update_repairs_it(provider: IdentityProvider, props: Props, iam: IAMClient):
    user = props["name"]
    provider.create(props)
    iam.put_user_policy(UserName=user, PolicyName="mpr-storage", PolicyDocument=json.dumps(READ_ONLY))
    found = provider.read(user, props)
    assert found.outs is not None
    assert normalised(found.outs["policy"]) == normalised(READ_ONLY)
    assert found.inputs == found.outs
    assert provider.diff(user, over_grpc(found.outs), props).changes
    assert provider.update(user, found.outs, props).outs == props
    assert normalised(policy_of(iam, user)) == normalised(props["policy"])


def test_read_sees_a_deleted_policy_and_update_repairs_it(
    provider: IdentityProvider, props: Props, iam: IAMClient
):
    user = props["name"]
    provider.create(props)
    iam.delete_user_policy(UserName=user, PolicyName="mpr-storage")
    found = provider.read(user, props)
    assert found.id == user
    assert found.outs is not None
    assert not found.outs["policy"]
    assert provider.diff(user, over_grpc(found.outs), props).changes
    provider.update(user, found.outs, props)
    assert normalised(policy_of(iam, user)) == normalised(props["policy"])


def test_read_of_a_deleted_user_says_that_it_is_gone(provider: IdentityProvider, props: Props, iam: IAMClient):
    provider.create(props)
    iam.delete_user_policy(UserName=props["name"], PolicyName="mpr-storage")
    iam.delete_user(UserName=props["name"])
    assert provider.read(props["name"], props).id is None


@pytest.mark.parametrize(
    ("change", "replaces"),
    [
        ({}, None),
        ({"policy": READ_ONLY}, []),
        ({"endpoint": "http://elsewhere:8333"}, []),
        ({"region": "eu-central-1"}, []),
        ({"name": "another"}, ["name"]),
        ({"credentials": "static"}, ["credentials"]),
    ],
)
def test_a_diff_names_the_changes_that_replace_the_identity(
    provider: IdentityProvider, props: Props, change: Props, replaces: list[str] | None
):
    result = provider.diff(props["name"], props, props | change)
    assert result.changes is (replaces is not None)
    assert result.replaces == (replaces or [])
    assert result.delete_before_replace is False


def test_the_same_policy_in_another_order_and_notation_is_no_change(provider: IdentityProvider, props: Props):
    other = json.loads(json.dumps(props["policy"]))
    other["Statement"].reverse()
    for statement in other["Statement"]:
        statement["Action"].reverse()
        statement["Resource"] = statement["Resource"][0]
    assert provider.diff(props["name"], props, props | {"policy": other}).changes is False


def test_delete_takes_the_keys_along_and_a_second_time_is_no_error(
    provider: IdentityProvider, props: Props, iam: IAMClient
):
    user = props["name"]
    provider.create(props)
    iam.create_access_key(UserName=user)
    provider.delete(user, props)
    assert not has_user(iam, user)
    provider.delete(user, props)


def test_static_identities_are_neither_created_nor_deleted(name: str, props: Props, iam: IAMClient):
    keys = json.dumps({"app": {"accessKeyId": "AKIAGIVEN", "secretAccessKey": "given-secret"}})
    static = props | {"credentials": "static"}
    provider = configured(IdentityProvider(), keys=keys)
    assert provider.create(static).id == f"{name}-app"
    assert not has_user(iam, f"{name}-app")
    provider.update(f"{name}-app", static, static)
    provider.delete(f"{name}-app", static)


def test_a_refresh_of_a_static_identity_is_no_drift(props: Props):
    static = props | {"credentials": "static"}
    found = configured(IdentityProvider()).read(props["name"], static)
    assert (found.id, found.outs, found.inputs) == (props["name"], static, static)


def test_read_with_wrong_keys_does_not_take_the_identity_for_gone(
    provider: IdentityProvider, props: Props, monkeypatch: pytest.MonkeyPatch
):
    provider.create(props)
    monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", "wrong-secret")
    with pytest.raises(UsageError, match="does not accept the admin key \\.\\.\\.dmin"):
        provider.read(props["name"], props)
