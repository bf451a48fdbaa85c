from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.errors import InfraError, UnreachableError, UsageError
from infra.stores import contact as module
from infra.stores.contact import contact
from infra.stores.kinds import GENERIC
from infra.stores.store import Keys, Store
from tests.core._tls import serving
from tests.infra.conftest import answering, http_server

ADMIN = Keys("ADMINKEY", "hush")


def at(endpoint: str) -> Store:
    return Store(endpoint, "us-east-1", ADMIN)


def error(code: str, message: str = "words") -> str:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"


def test_a_store_that_takes_the_key_is_known(server):
    assert contact(server.store).name == {"iam": "SeaweedFS", "minio": "MinIO"}[server.credentials]


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("server_header", [None, "nginx", "AmazonS3"])
def test_any_other_server_is_taken_to_follow_aws(server_header, status):
    headers = {"Server": server_header} if server_header else {}
    with http_server(answering(status, "<html/>", headers)) as endpoint:
        assert contact(at(endpoint)) is GENERIC


def test_a_key_that_may_not_list_buckets_is_accepted_all_the_same():
    with http_server(answering(403, error("AccessDenied"))) as endpoint:
        assert contact(at(endpoint)) is GENERIC


def test_contact_sends_one_listing_of_buckets_without_the_secret():
    seen = []

    def answer(request):
        seen.append((request.command, request.path, request.headers["Authorization"], str(request.headers)))
        answering(200)(request)

    with http_server(answer) as endpoint:
        contact(at(endpoint))
    ((command, path, authorization, headers),) = seen
    assert (command, path) == ("GET", "/")
    assert "ADMINKEY" in authorization
    assert "hush" not in headers


@pytest.mark.parametrize("secret", ["hush", "hu/sh+=", "ü"])
@pytest.mark.parametrize("endpoint", ["http://store:9000", "https://S3.example.com", "http://[::1]:8333"])
def test_the_signature_is_the_one_that_botocore_makes(monkeypatch, endpoint, secret):
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    monkeypatch.setattr(time, "time", moment.timestamp)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment.replace(tzinfo=None))
    host = urlsplit(endpoint).netloc
    ours = module._signed_headers(Store(endpoint, "garage", Keys("ADMINKEY", secret)), host)
    request = AWSRequest("GET", f"{endpoint}/", headers={"host": host})
    botocore.auth.S3SigV4Auth(Credentials("ADMINKEY", secret), "s3", "garage").add_auth(request)
    assert ours["Authorization"] == request.headers["Authorization"]


def test_a_wrong_secret_is_reported_in_one_sentence(server):
    wrong = replace(server.store, admin=replace(server.store.admin, secret_access_key="hush-wrong"))
    with pytest.raises(
        UsageError, match=r"does not accept the admin key .*SignatureDoesNotMatch.*MPR_ADMIN"
    ) as caught:
        contact(wrong)
    assert "hush" not in str(caught.value)


def test_an_unknown_key_is_reported_in_one_sentence(server):
    stranger = replace(server.store, admin=Keys("nobody-knows-me", "secret"))
    with pytest.raises(UsageError, match=r"does not accept the admin key nobo\.\.\. \(InvalidAccessKeyId\)"):
        contact(stranger)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_off_by_an_hour_is_reported_in_one_sentence(server, monkeypatch, hours):
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3600 * hours)
    with pytest.raises(
        UsageError, match=r"this machine's clock differs too much from that of http.*set the clock"
    ):
        contact(server.store)


def test_another_region_is_reported_in_one_sentence():
    said = error("AuthorizationHeaderMalformed", "expecting garage")
    with (
        http_server(answering(400, said)) as endpoint,
        pytest.raises(
            UsageError, match=r"is not in region us-east-1 \(expecting garage\); set mpr-storage:region"
        ),
    ):
        contact(at(endpoint))


def test_any_other_refusal_is_reported():
    with (
        http_server(answering(503, error("SlowDown"))) as endpoint,
        pytest.raises(InfraError, match=f"first contact: {endpoint} answered SlowDown: words"),
    ):
        contact(at(endpoint))


def test_a_port_that_refuses_is_unreachable(refusing):
    with pytest.raises(
        UnreachableError, match=f"cannot reach the store at {refusing} .*refused.*start it, or"
    ) as got:
        contact(at(refusing))
    assert got.value.exit_code == 3


def test_a_port_that_never_answers_is_unreachable(hanging, monkeypatch):
    monkeypatch.setattr(module, "_TIMEOUT", 0.2)
    with pytest.raises(UnreachableError, match=rf"cannot reach the store at {hanging} \(no answer within 0.2 s\)"):
        contact(at(hanging))


def test_something_that_speaks_no_http_is_unreachable(babbling):
    with pytest.raises(UnreachableError, match=f"cannot reach the store at {babbling}"):
        contact(at(babbling))


def test_https_to_a_store_that_speaks_http_is_unreachable(seaweed_store):
    endpoint = seaweed_store.endpoint.replace("http:", "https:")
    with pytest.raises(UnreachableError, match=f"cannot reach the store at {endpoint}"):
        contact(at(endpoint))


def test_a_host_that_does_not_exist_is_unreachable():
    with pytest.raises(UnreachableError, match=r"cannot reach the store at http://nowhere\.invalid"):
        contact(at("http://nowhere.invalid"))


def test_a_store_over_tls_is_trusted_through_the_bundle_that_boto3_uses(tmp_path, monkeypatch):
    with serving(tmp_path) as tls:
        store = Store(tls.endpoint, tls.region, Keys(tls.access_key_id, tls.secret_access_key))
        with pytest.raises(UnreachableError, match="certificate verify failed"):
            contact(store)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tls.authority))
        assert contact(store) is GENERIC


def test_a_missing_ca_bundle_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises(UsageError, match=r"AWS_CA_BUNDLE=.*gone\.pem"):
        contact(at("https://127.0.0.1:1"))
