"""What `infra.stores.iam` does beyond `test_keys`, on a real SeaweedFS."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from infra.errors import InfraError, UsageError
from infra.stores import iam
from infra.stores.access_key import AccessKey
from infra.stores.store import Store
from tests.infra.conftest import fresh, http_server, responding


@pytest.fixture
def user(seaweed_store):
    name = fresh("mpr")
    yield name
    iam.delete_identity(seaweed_store, name)


POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::media/*"]}],
}


def test_an_existing_user_is_adopted_with_its_key(seaweed_store, user):
    seaweed_store.iam.create_user(UserName=user)
    key = seaweed_store.iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    assert iam.read_identity(seaweed_store, user) == {}
    iam.ensure_identity(seaweed_store, user, POLICY)
    assert iam.read_identity(seaweed_store, user) not in ({}, None)
    assert iam.access_keys(seaweed_store, user) == {key: True}


def test_a_missing_policy_is_read_as_empty(seaweed_store, user):
    iam.ensure_identity(seaweed_store, user, POLICY)
    seaweed_store.iam.delete_user_policy(UserName=user, PolicyName="mpr-storage")
    assert iam.read_identity(seaweed_store, user) == {}


@pytest.mark.parametrize("decoded", [True, False])
def test_a_policy_is_read_whether_botocore_decoded_it_or_not(monkeypatch, decoded):
    class Client:
        def get_user(self, **_):
            return {}

        def get_user_policy(self, **_):
            return {"PolicyDocument": POLICY if decoded else json.dumps(POLICY)}

    store = Store("http://fake.invalid", "x", AccessKey("a", "b"))
    monkeypatch.setattr(Store, "iam", Client())
    assert iam.read_identity(store, "x") == POLICY


@pytest.mark.parametrize("body", ["<html><title>log in</title></html>", "", "<p>no XML"])
@pytest.mark.parametrize(
    "request_it",
    [
        iam.read_identity,
        iam.access_keys,
        iam.create_key,
        iam.further_permissions,
        lambda store, name: iam.ensure_identity(store, name, POLICY),
    ],
)
def test_a_page_instead_of_a_response_of_the_iam_api_is_no_response(body, request_it):
    with http_server(responding(200, body, {"Content-Type": "text/html"})) as endpoint:
        store = Store(endpoint, "us-east-1", AccessKey("admin", "secret"))
        with pytest.raises(UsageError, match=f"not from an API of the store at {endpoint}"):
            request_it(store, "mpr-x-app")


def test_a_store_without_the_iam_api_is_reported():
    body = "<Error><Code>MethodNotAllowed</Code><Message>no IAM here</Message></Error>"
    with http_server(responding(405, body)) as endpoint:
        store = Store(endpoint, "us-east-1", AccessKey("a", "b"))
        for action in (lambda: iam.access_keys(store, "x"), lambda: iam.read_identity(store, "x")):
            with pytest.raises(InfraError):
                action()


def test_a_policy_that_the_store_refuses_is_reported(seaweed_store, user):
    bad = {"Version": "2012-10-17", "Statement": [{**POLICY["Statement"][0], "Action": ["s3:NoSuchAction"]}]}  # type: ignore[dict-item]  # a literal
    with pytest.raises(InfraError, match=f"identity {user}: .* responded MalformedPolicyDocument"):
        iam.ensure_identity(seaweed_store, user, bad)


def test_the_keys_of_a_user_are_deleted_before_the_user(seaweed_store, user):
    """SeaweedFS deletes a user with its keys; AWS refuses that."""
    iam.ensure_identity(seaweed_store, user, POLICY)
    iam.create_key(seaweed_store, user)
    calls = []

    def note(model, **_):
        calls.append(model.name)

    seaweed_store.iam.meta.events.register("before-call.iam", note)
    try:
        iam.delete_identity(seaweed_store, user)
    finally:
        seaweed_store.iam.meta.events.unregister("before-call.iam", note)
    assert [one for one in calls if one.startswith("Delete")] == [
        "DeleteAccessKey",
        "DeleteUserPolicy",
        "DeleteUser",
    ]


def test_a_broken_file_of_aws_is_reported(seaweed_store, tmp_path, monkeypatch):
    config = tmp_path / "config"
    config.write_text("[default\nregion = x\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    store = replace(seaweed_store, region="eu-west-9")  # a client of its own
    with pytest.raises(UsageError, match=r"^reading identity x: botocore refuses .*~/.aws: Unable to parse"):
        iam.read_identity(store, "x")


def test_a_deletion_by_hand_names_the_store():
    store = Store("http://store:9000", "us-east-1", AccessKey("ADMINKEY", "hush"))
    command = iam.deletion_by_hand(store, "mpr-x-app")
    assert command.startswith("`aws --endpoint-url http://store:9000 iam delete-access-key --user-name mpr-x-app ")


def test_the_request_that_creates_an_access_key_is_sent_once():
    """The store may have created one, also if its response was lost."""
    requests = []

    def fail(request: Any) -> None:
        requests.append(request.command)
        responding(500, "")(request)

    with http_server(fail) as endpoint:
        store = Store(endpoint, "us-east-1", AccessKey("ADMINKEY", "hush"))
        with pytest.raises(InfraError, match="creating an access key of x"):
            iam.create_key(store, "x")
    assert requests == ["POST"]
