"""What `infra.stores.minio` does beyond `test_keys`."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from infra.errors import InfraError, UnreachableError, UsageError
from infra.policies import normalised
from infra.stores import minio as module
from infra.stores.access_key import AccessKey
from infra.stores.keys import is_accepted
from infra.stores.store import Store
from tests import servers
from tests.core._tls import certificates
from tests.infra.conftest import fresh, http_server, policy_of, responding

BUCKETS = {"in": "media-in", "out": "media-out"}


@pytest.mark.minio
def test_an_authority_that_only_the_environment_names_is_trusted(tmp_path, monkeypatch):
    authority, certificate, key = certificates(tmp_path)
    (tmp_path / "certs").mkdir()
    certificate.rename(tmp_path / "certs/public.crt")
    key.rename(tmp_path / "certs/private.key")
    with servers.minio(tmp_path, authority=authority) as server:
        store = Store(server.endpoint, server.region, AccessKey(server.access_key_id, server.secret_access_key))
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
        module.ensure_identity(store, "app", policy_of("app", BUCKETS))
        assert is_accepted(store, module.create_key(store, "app"))


@pytest.fixture
def identity(minio):
    name = fresh("mpr-environment-of-a-long-name")
    yield name
    module.delete_identity(minio, name)


@pytest.mark.minio
def test_a_key_with_another_policy_is_read_with_that_policy(minio, identity):
    module.ensure_identity(minio, identity, policy_of("viewer", BUCKETS))
    keys = module.create_key(minio, identity)
    assert normalised(module.read_identity(minio, identity)) == normalised(policy_of("viewer", BUCKETS))
    minio.minio.update_service_account(access_key=keys.access_key_id, policy=policy_of("app", BUCKETS))
    assert normalised(module.read_identity(minio, identity)) == normalised(policy_of("app", BUCKETS))
    module.ensure_identity(minio, identity, policy_of("viewer", BUCKETS))
    assert normalised(module.read_identity(minio, identity)) == normalised(policy_of("viewer", BUCKETS))


@pytest.mark.minio
def test_a_key_that_was_switched_off_and_on_may_do_no_more_than_before(minio, identity):
    module.ensure_identity(minio, identity, policy_of("viewer", BUCKETS))
    keys = module.create_key(minio, identity)
    for active in (False, True):
        module.set_active(minio, identity, keys.access_key_id, active=active)
        carried = json.loads(minio.minio.get_service_account(keys.access_key_id))
        assert carried["impliedPolicy"] is False
        assert normalised(json.loads(carried["policy"])) == normalised(policy_of("viewer", BUCKETS))


@pytest.mark.minio
def test_a_key_without_a_policy_is_read_as_allowed_everything(minio, identity):
    module.ensure_identity(minio, identity, policy_of("viewer", BUCKETS))
    keys = module.create_key(minio, identity)
    minio.minio.update_service_account(access_key=keys.access_key_id, status="on")
    found = module.read_identity(minio, identity)
    assert found
    assert found["Statement"] == [{"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}]
    module.ensure_identity(minio, identity, policy_of("viewer", BUCKETS))
    assert normalised(module.read_identity(minio, identity)) == normalised(policy_of("viewer", BUCKETS))


@pytest.mark.minio
def test_a_chosen_key_is_put_in_place_once_and_its_secret_follows(minio, identity):
    module.ensure_identity(minio, identity, policy_of("viewer", BUCKETS))
    chosen = AccessKey(secrets.token_hex(8), secrets.token_hex(20))
    assert module.place_key(minio, identity, chosen)
    assert is_accepted(minio, chosen)
    assert not module.place_key(minio, identity, chosen)
    other = AccessKey(chosen.access_key_id, secrets.token_hex(20))
    assert module.place_key(minio, identity, other)
    assert is_accepted(minio, other)
    assert module.access_keys(minio, identity) == {chosen.access_key_id: True}
    carried = json.loads(minio.minio.get_service_account(chosen.access_key_id))
    assert normalised(json.loads(carried["policy"])) == normalised(policy_of("viewer", BUCKETS))


@pytest.mark.minio
def test_a_long_name_is_kept_whole_in_the_description(minio, identity):
    assert len(identity) > 32
    module.ensure_identity(minio, identity, policy_of("viewer", BUCKETS))
    keys = module.create_key(minio, identity)
    account = json.loads(minio.minio.get_service_account(keys.access_key_id))
    assert account["description"] == identity
    assert identity.startswith(account["name"])


@pytest.mark.minio
def test_accounts_of_others_are_not_ours(minio, identity):
    module.ensure_identity(minio, identity, policy_of("viewer", BUCKETS))
    theirs = json.loads(minio.minio.add_service_account(name="theirs", policy=policy_of("viewer", BUCKETS)))
    theirs_id = theirs["credentials"]["accessKey"]
    try:
        assert module.access_keys(minio, identity) == {}
        module.delete_identity(minio, identity)
        assert json.loads(minio.minio.get_service_account(theirs_id))
    finally:
        minio.minio.delete_service_account(theirs_id)


def test_for_a_store_without_the_admin_api_the_error_says_what_to_set(seaweed_store):
    for action in (
        lambda: module.ensure_identity(seaweed_store, "x", {}),
        lambda: module.read_identity(seaweed_store, "x"),
        lambda: module.access_keys(seaweed_store, "x"),
        lambda: module.create_key(seaweed_store, "x"),
        lambda: module.delete_key(seaweed_store, "x", "y"),
    ):
        with pytest.raises(InfraError, match="no MinIO admin API; set mpr-storage:credentials to iam or static"):
            action()


@pytest.mark.parametrize("body", ["", "<html/>", "[]", "{}", '"x"', "3"])
def test_a_response_that_is_no_error_of_minio_is_reported(body):
    with http_server(responding(400, body)) as endpoint:
        store = Store(endpoint, "us-east-1", AccessKey("a", "b"))
        with pytest.raises(InfraError, match="no MinIO admin API"):
            module.read_identity(store, "x")


@pytest.mark.parametrize("request_it", [module.read_identity, module.access_keys, module.create_key])
def test_a_page_instead_of_a_response_of_the_admin_api_is_no_response(request_it):
    with http_server(responding(200, "<html><title>log in</title></html>")) as endpoint:
        store = Store(endpoint, "us-east-1", AccessKey("a", "b"))
        with pytest.raises(UsageError, match=f"not from an API of the store at {endpoint}"):
            request_it(store, "x")


def test_a_server_without_a_useful_response_is_unreachable(babbling, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(
        UnreachableError, match=f"listing the access keys of x: no useful response from {babbling}"
    ):
        module.access_keys(Store(babbling, "us-east-1", AccessKey("a", "b")), "x")


def test_the_creation_of_a_key_is_not_repeated():
    puts = []

    def response(request: Any) -> None:
        if request.command == "PUT":
            puts.append(request.path)
            responding(503, "")(request)
        else:
            responding(200, "{}")(request)

    with http_server(response) as endpoint, pytest.raises(InfraError):
        module.create_key(Store(endpoint, "us-east-1", AccessKey("a", "b")), "x")
    assert len(puts) == 1
