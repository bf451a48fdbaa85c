from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.storage.settings import Settings
from infra.env import files
from infra.errors import InfraError, UsageError
from infra.policies import Policy
from infra.resources.identity import IdentityProvider
from infra.resources.key import KeyProvider
from infra.resources.provider import Props
from infra.stores.access_key import AccessKey
from infra.stores.keys import is_accepted
from infra.stores.store import Store as InfraStore
from tests.conftest import Store, free_ports
from tests.infra.resources.support import configured

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

pytestmark = pytest.mark.usefixtures("admin_keys")


@pytest.fixture
def provider() -> KeyProvider:
    return configured(KeyProvider())


@pytest.fixture
def identity(name: str, where: Props, policy: Policy) -> str:
    props = {"name": f"{name}-app", "policy": policy, "credentials": "iam", **where}
    return configured(IdentityProvider()).create(props).id


@pytest.fixture
def props(identity: str, where: Props, tmp_path: Path) -> Props:
    return {
        "identity": identity,
        "slot": "a",
        "envFile": str(tmp_path / "test.env"),
        "disposable": False,
        "active": True,
        "beside": None,
        "credentials": "iam",
        "accessKeyId": None,
        "secretAccessKey": None,
        "made": None,
        **where,
    }


def made(provider: KeyProvider, props: Props) -> Props:
    outs = provider.create(dict(props)).outs
    assert outs is not None
    return outs


def keys_of(outs: Props) -> AccessKey:
    return AccessKey(outs["accessKeyId"], outs["secretAccessKey"])


def accepted(seaweed: Store, keys: AccessKey) -> bool:
    admin = AccessKey(seaweed.access_key_id, seaweed.secret_access_key)
    return is_accepted(InfraStore(seaweed.endpoint, seaweed.region, admin), keys)


def key_ids(iam: IAMClient, user: str) -> list[str]:
    return [one["AccessKeyId"] for one in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]


def write_env_file(props: Props, keys: AccessKey) -> None:
    settings = Settings(
        endpoint_url=props["endpoint"],
        region=props["region"],
        access_key_id=keys.access_key_id,
        secret_access_key=keys.secret_access_key,
    )
    files.write(Path(props["envFile"]), files.render(settings, "test", "app"))


# --- create ---------------------------------------------------------------------------------------------


def test_create_makes_a_key_that_works_at_once(
    provider: KeyProvider, props: Props, iam: IAMClient, seaweed: Store
):
    result = provider.create(dict(props))
    assert result.id == f"{props['identity']}/a"
    assert result.outs is not None
    keys = keys_of(result.outs)
    assert key_ids(iam, props["identity"]) == [keys.access_key_id]
    assert accepted(seaweed, keys)
    assert result.outs == props | {
        "accessKeyId": keys.access_key_id,
        "secretAccessKey": keys.secret_access_key,
        "made": result.outs["made"],
    }
    assert datetime.now(UTC) - datetime.fromisoformat(result.outs["made"]) < timedelta(minutes=1)


def test_create_adopts_the_key_in_the_env_file(provider: KeyProvider, props: Props, iam: IAMClient):
    key = iam.create_access_key(UserName=props["identity"])["AccessKey"]
    keys = AccessKey(key["AccessKeyId"], key["SecretAccessKey"])
    write_env_file(props, keys)
    assert keys_of(made(provider, props)) == keys
    assert key_ids(iam, props["identity"]) == [keys.access_key_id]


@pytest.mark.parametrize("wrong", ["secret", "id", "another user's"])
def test_create_does_not_adopt_a_key_that_does_not_fit(
    provider: KeyProvider, props: Props, iam: IAMClient, seaweed: Store, wrong: str
):
    user = props["identity"]
    there = iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    in_file = {
        "secret": AccessKey(there, "not-its-secret"),
        "id": AccessKey("AKIANOBODY", "not-its-secret"),
        "another user's": AccessKey(seaweed.access_key_id, seaweed.secret_access_key),
    }[wrong]
    write_env_file(props, in_file)
    keys = keys_of(made(provider, props))
    assert keys != in_file
    assert accepted(seaweed, keys)
    assert set(key_ids(iam, user)) == {there, keys.access_key_id}  # a program may use that one


def test_create_deletes_unknown_keys_of_a_disposable_identity(provider: KeyProvider, props: Props, iam: IAMClient):
    user = props["identity"]
    for _ in range(2):
        iam.create_access_key(UserName=user)
    keys = keys_of(made(provider, props | {"disposable": True}))
    assert key_ids(iam, user) == [keys.access_key_id]


def test_a_third_key_is_refused_if_the_identity_is_not_disposable(
    provider: KeyProvider, props: Props, iam: IAMClient
):
    user = props["identity"]
    there = [iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"] for _ in range(2)]
    with pytest.raises(UsageError, match=f"{user} has 2 access keys") as caught:
        provider.create(dict(props))
    assert not any(one in str(caught.value) for one in there)
    assert set(key_ids(iam, user)) == set(there)


# --- read, diff, update, delete -------------------------------------------------------------------------


def test_read_of_a_key_that_is_there_changes_nothing(provider: KeyProvider, props: Props):
    outs = made(provider, props)
    result = provider.read("id", outs)
    assert (result.id, result.outs, result.inputs) == ("id", outs, None)


@pytest.mark.parametrize("gone", ["key", "user"])
def test_read_of_a_key_that_is_gone_says_so(provider: KeyProvider, props: Props, iam: IAMClient, gone: str):
    outs = made(provider, props)
    iam.delete_access_key(UserName=props["identity"], AccessKeyId=outs["accessKeyId"])
    if gone == "user":
        iam.delete_user_policy(UserName=props["identity"], PolicyName="mpr-storage")
        iam.delete_user(UserName=props["identity"])
    assert provider.read("id", outs).id is None


@pytest.mark.parametrize(
    ("change", "replaces"),
    [
        ({}, None),
        ({"endpoint": "http://elsewhere:8333"}, []),
        ({"region": "eu-central-1"}, []),
        ({"disposable": True}, []),
        ({"envFile": "elsewhere.env"}, []),
        ({"identity": "another"}, ["identity"]),
        ({"slot": "b"}, ["slot"]),
        ({"credentials": "minio"}, ["credentials"]),
    ],
)
def test_a_diff_names_the_changes_that_replace_the_key(
    provider: KeyProvider, props: Props, change: Props, replaces: list[str] | None
):
    olds = props | {"accessKeyId": "AKIA", "secretAccessKey": "secret"}
    result = provider.diff("id", olds, props | change)  # news hold no key: what is computed is no input
    assert result.changes is (replaces is not None)
    assert result.replaces == (replaces or [])
    assert result.delete_before_replace is False


def test_a_diff_connects_to_no_store(provider: KeyProvider, props: Props):
    (closed,) = free_ports(1)
    olds = props | {"endpoint": f"http://127.0.0.1:{closed}"}
    assert provider.diff("id", olds, olds).changes is False


def test_update_keeps_a_key_that_still_works(provider: KeyProvider, props: Props, iam: IAMClient):
    olds = made(provider, props)
    outs = provider.update("id", olds, props | {"disposable": True}).outs
    assert outs == olds | {"disposable": True}
    assert key_ids(iam, props["identity"]) == [olds["accessKeyId"]]


def test_update_at_a_store_that_does_not_know_the_key_makes_another(
    provider: KeyProvider, props: Props, seaweed: Store
):
    olds = props | {"endpoint": "http://gone.invalid", "accessKeyId": "AKIAOLD", "secretAccessKey": "old"}
    outs = provider.update("id", olds, dict(props)).outs
    assert outs is not None
    assert outs["accessKeyId"] != "AKIAOLD"
    assert accepted(seaweed, keys_of(outs))


def test_delete_stops_the_key_and_a_second_time_is_no_error(
    provider: KeyProvider, props: Props, iam: IAMClient, seaweed: Store
):
    outs = made(provider, props)
    provider.delete("id", outs)
    assert key_ids(iam, props["identity"]) == []
    assert not accepted(seaweed, keys_of(outs))
    provider.delete("id", outs)


def test_delete_takes_the_env_file_with_that_key_along(provider: KeyProvider, props: Props):
    outs = made(provider, props)
    write_env_file(props, keys_of(outs))
    provider.delete("id", outs)
    assert not Path(props["envFile"]).exists()


@pytest.mark.parametrize("left", ["another key", "an edit", "a file of the user"])
def test_delete_leaves_an_env_file_that_holds_anything_else(
    provider: KeyProvider, props: Props, iam: IAMClient, left: str
):
    outs = made(provider, props)
    file = Path(props["envFile"])
    write_env_file(props, AccessKey("AKIAANOTHER", "secret") if left == "another key" else keys_of(outs))
    if left == "an edit":
        file.write_text(file.read_text() + "S3_PUBLIC_ENDPOINT_URL=https://example.org\n")
    if left == "a file of the user":
        file.write_text("S3_BUCKET_IN=mine\n")
    text = file.read_text()
    provider.delete("id", outs)
    assert file.read_text() == text
    assert key_ids(iam, props["identity"]) == []


# --- static ---------------------------------------------------------------------------------------------


def given(keys: AccessKey) -> KeyProvider:
    pair = {"accessKeyId": keys.access_key_id, "secretAccessKey": keys.secret_access_key}
    return configured(KeyProvider(), keys=json.dumps({"app": pair}))


@pytest.fixture
def handed_out(props: Props, iam: IAMClient) -> list[AccessKey]:
    """Two keys that an administrator made by hand."""
    responses = [iam.create_access_key(UserName=props["identity"])["AccessKey"] for _ in range(2)]
    return [AccessKey(one["AccessKeyId"], one["SecretAccessKey"]) for one in responses]


def test_static_keys_are_outputs_as_configured_and_are_never_deleted(
    props: Props, handed_out: list[AccessKey], iam: IAMClient
):
    static = props | {"credentials": "static"}
    provider = given(handed_out[0])
    outs = made(provider, static)
    assert keys_of(outs) == handed_out[0]
    assert provider.read("id", outs).id == "id"
    assert provider.diff("id", outs, static).changes is False
    provider.delete("id", outs)
    assert len(key_ids(iam, props["identity"])) == 2  # they were not ours to delete


@pytest.mark.parametrize("disposable", [True, False])
def test_static_keys_changed_in_the_configuration_are_an_update(
    props: Props, handed_out: list[AccessKey], *, disposable: bool
):
    static = props | {"credentials": "static", "disposable": disposable}
    olds = made(given(handed_out[0]), static)
    provider = given(handed_out[1])
    difference = provider.diff("id", olds, static)
    assert (difference.changes, difference.replaces) == (True, [])
    outs = provider.update("id", olds, static).outs
    assert outs is not None
    assert keys_of(outs) == handed_out[1]
    assert provider.diff("id", outs, static).changes is False


def test_a_static_secret_that_alone_changed_is_an_update(props: Props, handed_out: list[AccessKey]):
    key = handed_out[0]
    olds = props | {"credentials": "static", "accessKeyId": key.access_key_id, "secretAccessKey": "mistyped"}
    provider = given(key)
    news = props | {"credentials": "static"}
    assert provider.diff("id", olds, news).changes
    outs = provider.update("id", olds, news).outs
    assert outs is not None
    assert keys_of(outs) == key


def test_static_keys_in_the_environment_override_the_configured_ones(
    props: Props, handed_out: list[AccessKey], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MPR_APP_ACCESS_KEY_ID", handed_out[1].access_key_id)
    monkeypatch.setenv("MPR_APP_SECRET_ACCESS_KEY", handed_out[1].secret_access_key)
    assert keys_of(made(given(handed_out[0]), props | {"credentials": "static"})) == handed_out[1]


def test_a_static_key_that_is_missing_names_what_to_set(props: Props):
    with pytest.raises(UsageError, match=r"MPR_APP_ACCESS_KEY_ID.*MPR_APP_SECRET_ACCESS_KEY"):
        configured(KeyProvider()).create(props | {"credentials": "static"})


def test_a_static_key_that_the_store_refuses_is_refused_by_name(props: Props, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("infra.stores.keys._USABLE_WITHIN", 0.2)
    with pytest.raises(InfraError, match=r"key \.\.\.BODY is not accepted"):
        given(AccessKey("AKIANOBODY", "nothing")).create(props | {"credentials": "static"})
