from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from infra.errors import InfraError, UnreachableError, UsageError
from infra.stores import contact as module
from infra.stores.access_key import AccessKey
from infra.stores.contact import contact
from infra.stores.kinds import GENERIC
from infra.stores.store import Store
from tests.core._tls import serving
from tests.infra.conftest import fresh, http_server, responding

ADMIN = AccessKey("ADMINKEY", "hush")
LISTING = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"


def at(endpoint: str) -> Store:
    return Store(endpoint, "us-east-1", ADMIN)


def error(code: str, message: str = "words") -> str:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"


def test_the_kind_of_a_store_is_known_before_its_bucket_exists(server):
    assert contact(server.store, fresh()).name == {"iam": "SeaweedFS", "minio": "MinIO"}[server.credentials]


@pytest.mark.parametrize("headers", [{}, {"Server": "nginx"}, {"Server": "AmazonS3"}])
def test_a_store_of_another_kind_is_taken_to_follow_aws(headers):
    with http_server(responding(200, LISTING, headers)) as endpoint:
        assert contact(at(endpoint), "media") is GENERIC


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (404, "NoSuchBucket")])
def test_the_kind_of_a_store_is_known_from_a_refusal(status, code):
    with http_server(responding(status, error(code), {"Server": "MinIO"})) as endpoint:
        assert contact(at(endpoint), "media").name == "MinIO"


def test_contact_sends_one_listing_without_the_secret():
    seen = []

    def response(request):
        seen.append((request.command, request.path, request.headers["Authorization"], str(request.headers)))
        responding(200, LISTING)(request)

    with http_server(response) as endpoint:
        contact(at(endpoint), "media")
    ((command, path, authorization, headers),) = seen
    assert (command, path) == ("GET", "/media?list-type=2&max-keys=1")
    assert "ADMINKEY" in authorization
    assert "hush" not in headers


def test_contact_imports_no_botocore():
    program = (
        "import sys; from infra.stores.contact import contact; from infra.stores.store import Store; "
        "from infra.stores.access_key import AccessKey; "
        "print(contact(Store(sys.argv[1], 'x', AccessKey('a', 'b')), 'media').name, 'botocore' in sys.modules)"
    )
    with http_server(responding(200, LISTING, {"Server": "MinIO"})) as endpoint:
        said = subprocess.run(
            [sys.executable, "-c", program, endpoint], capture_output=True, text=True, check=True, timeout=60
        ).stdout
    assert said == "MinIO False\n"


def test_a_wrong_secret_is_reported_in_one_sentence(server):
    wrong = replace(server.store, admin=replace(server.store.admin, secret_access_key="hush-wrong"))
    with pytest.raises(
        UsageError, match=r"does not accept the admin key .*SignatureDoesNotMatch.*MPR_ADMIN"
    ) as caught:
        contact(wrong, "media")
    assert "hush" not in str(caught.value)


def test_an_unknown_key_is_reported_in_one_sentence(server):
    unknown = replace(server.store, admin=AccessKey("unknown-access-key", "secret"))
    with pytest.raises(UsageError, match=r"does not accept the admin key \.\.\.-key \(InvalidAccessKeyId\)"):
        contact(unknown, "media")


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_off_by_an_hour_is_reported_in_one_sentence(server, monkeypatch, hours):
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3600 * hours)
    with pytest.raises(
        UsageError, match=r"this machine's clock differs too much from that of http.*correct the clock"
    ):
        contact(server.store, "media")


def test_another_region_is_reported_in_one_sentence():
    said = error("AuthorizationHeaderMalformed", "expecting garage")
    with (
        http_server(responding(400, said)) as endpoint,
        pytest.raises(
            UsageError, match=r"is not in region us-east-1 \(expecting garage\); set mpr-storage:region"
        ),
    ):
        contact(at(endpoint), "media")


def test_any_other_refusal_is_reported():
    with (
        http_server(responding(400, error("Odd"))) as endpoint,
        pytest.raises(InfraError, match=f"first contact: {endpoint} responded Odd: words"),
    ):
        contact(at(endpoint), "media")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("XMinioServerNotInitialized", r"is not ready yet \(XMinioServerNotInitialized\)"),
        ("SlowDown", "cannot reach the store at .* too busy"),
    ],
)
def test_a_store_that_starts_or_is_too_busy_is_unreachable_for_now(code, said):
    with http_server(responding(503, error(code))) as endpoint, pytest.raises(UnreachableError, match=said):
        contact(at(endpoint), "media")


@pytest.mark.parametrize(
    ("status", "body"), [(200, "<html><title>Console</title></html>"), (404, "<html/>"), (200, "")]
)
def test_a_server_that_is_no_store_is_reported(status, body):
    said = rf"first contact \(http://.* status {status}.*not from an S3 API: mpr-storage:endpoint"
    with http_server(responding(status, body, {"Content-Type": "text/html"})) as endpoint:
        with pytest.raises(UsageError, match=said) as caught:
            contact(at(endpoint), "media")
        assert "S3_ENDPOINT_URL" not in str(caught.value)


def test_a_port_that_refuses_is_unreachable(refusing):
    with pytest.raises(
        UnreachableError,
        match=f"cannot reach the store at {refusing}: .*refused.*is the store running, and",
    ) as got:
        contact(at(refusing), "media")
    assert got.value.exit_code == 3


def test_a_port_that_never_responds_is_unreachable(hanging, monkeypatch):
    monkeypatch.setattr(module, "_TIMEOUT", 0.2)
    with pytest.raises(UnreachableError, match=rf"cannot reach the store at {hanging}: no response within 0.2 s"):
        contact(at(hanging), "media")


def test_a_server_that_does_not_use_http_is_unreachable(babbling):
    with pytest.raises(UnreachableError, match=f"cannot reach the store at {babbling}"):
        contact(at(babbling), "media")


def test_https_to_a_store_with_http_is_unreachable(seaweed_store):
    endpoint = seaweed_store.endpoint.replace("http:", "https:")
    with pytest.raises(UnreachableError, match=f"cannot reach the store at {endpoint}"):
        contact(at(endpoint), "media")


def test_a_host_that_does_not_exist_is_unreachable():
    with pytest.raises(UnreachableError, match=r"cannot reach the store at http://nowhere\.invalid"):
        contact(at("http://nowhere.invalid"), "media")


def test_a_store_over_tls_is_trusted_through_the_bundle_that_boto3_uses(tmp_path, monkeypatch):
    with serving(tmp_path) as tls:
        store = Store(tls.endpoint, tls.region, AccessKey(tls.access_key_id, tls.secret_access_key))
        with pytest.raises(UnreachableError, match="does not trust the store's certificate"):
            contact(store, "media")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tls.authority))
        assert contact(store, "media") is GENERIC


def test_a_missing_ca_bundle_is_named(tmp_path, monkeypatch, hanging):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises(UsageError, match="AWS_CA_BUNDLE must name a file"):
        contact(at(hanging.replace("http:", "https:")), "media")
