from __future__ import annotations

import logging
import urllib.request
from email.message import Message
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

import pytest

from core.storage import UnsafeKeyError, get_presigned_url, get_s3_client
from core.storage._boto.clients import presign_client
from core.storage._boto.presign import disposition
from core.storage._config.current import current_settings

AWS = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s"}


@pytest.fixture
def aws(monkeypatch):
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def ask(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[Message, bytes]:
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.headers, response.read()


def test_get_head_and_put_on_a_real_store(any_bucket):
    ask(get_presigned_url(any_bucket, "a é.mp4", method="PUT"), "PUT", b"film")
    assert ask(get_presigned_url(any_bucket, "a é.mp4"))[1] == b"film"
    headers, _ = ask(get_presigned_url(any_bucket, "a é.mp4", method="HEAD"), "HEAD")
    assert headers["Content-Length"] == "4"
    with pytest.raises(HTTPError, match="403"):
        ask(get_presigned_url(any_bucket, "a é.mp4").replace("film", "") + "0")


def test_a_signed_content_type_must_be_sent(any_bucket):
    url = get_presigned_url(any_bucket, "k", method="PUT", content_type="video/mp4")
    assert query(url)["X-Amz-SignedHeaders"] == "content-type;host"
    with pytest.raises(HTTPError, match="403"):
        ask(url, "PUT", b"x", **{"Content-Type": "text/html"})
    ask(url, "PUT", b"x", **{"Content-Type": "video/mp4"})
    assert get_s3_client().head_object(Bucket=any_bucket, Key="k")["ContentType"] == "video/mp4"


def test_content_type_and_file_name_are_in_the_response_to_the_browser(any_bucket):
    get_s3_client().put_object(Bucket=any_bucket, Key="k", Body=b"x")
    headers, _ = ask(get_presigned_url(any_bucket, "k", filename='Spiel "1" é.mp4', content_type="video/mp4"))
    assert headers["Content-Type"] == "video/mp4"
    assert headers["Content-Disposition"] == (
        "attachment; filename=\"Spiel _1_ _.mp4\"; filename*=UTF-8''Spiel%20%221%22%20%C3%A9.mp4"
    )


@pytest.mark.usefixtures("aws")
def test_a_presigned_url_is_version_4_regional_and_needs_no_header(monkeypatch):
    monkeypatch.setenv("S3_BUCKET_OWNER", "123456789012")
    for method in ("GET", "HEAD", "PUT"):
        url = get_presigned_url("bucket", "k", method=method)
        assert urlsplit(url).hostname == "bucket.s3.eu-west-1.amazonaws.com"
        assert query(url)["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
        assert query(url)["X-Amz-Expires"] == "3600"
        assert query(url)["X-Amz-SignedHeaders"] == "host"
        assert "checksum" not in url.lower()
        assert "owner" not in url.lower()


@pytest.mark.usefixtures("aws")
def test_a_dotted_bucket_stays_out_of_the_host_name():
    parts = urlsplit(get_presigned_url("dotted.bucket", "k"))
    assert (parts.hostname, parts.path) == ("s3.eu-west-1.amazonaws.com", "/dotted.bucket/k")


def test_a_presigned_url_is_signed_for_the_public_endpoint(bucket, monkeypatch, store):
    get_s3_client().put_object(Bucket=bucket, Key="k", Body=b"x")
    monkeypatch.setenv("S3_PUBLIC_ENDPOINT_URL", store.endpoint.replace("127.0.0.1", "localhost"))
    url = get_presigned_url(bucket, "k")
    assert urlsplit(url).hostname == "localhost"
    assert ask(url)[1] == b"x"
    # Everything else keeps to the endpoint.
    assert get_s3_client().meta.endpoint_url == store.endpoint


def test_the_client_that_presigns_is_made_once(bucket):
    get_presigned_url(bucket, "k")
    assert presign_client(current_settings()) is presign_client(current_settings())
    assert presign_client(current_settings()) is not get_s3_client()


@pytest.mark.parametrize("expires", [0, -1, 604_801, True, 1.5, "60", None])
def test_a_life_that_no_store_grants_is_refused(bucket, expires):
    with pytest.raises(ValueError, match="1 to 604800"):
        get_presigned_url(bucket, "k", expires)


@pytest.mark.parametrize("expires", [1, 604_800])
def test_the_shortest_and_the_longest_life_are_granted(any_bucket, expires):
    get_s3_client().put_object(Bucket=any_bucket, Key="k", Body=b"x")
    assert ask(get_presigned_url(any_bucket, "k", expires))[1] == b"x"


@pytest.mark.usefixtures("aws")
def test_a_wrong_method_or_file_name_is_refused():
    with pytest.raises(ValueError, match="GET, HEAD, PUT"):
        get_presigned_url("bucket", "k", method="DELETE")
    for bad in ("", "a\r\nSet-Cookie: x", "a\0", "\x7f"):
        with pytest.raises(ValueError, match="control"):
            get_presigned_url("bucket", "k", filename=bad)
    with pytest.raises(ValueError, match="GET and HEAD"):
        get_presigned_url("bucket", "k", method="PUT", filename="x")
    for method, key in (("GET", ""), ("GET", "a/"), ("PUT", "../a")):
        with pytest.raises(UnsafeKeyError):
            get_presigned_url("bucket", key, method=method)


def test_a_file_name_of_a_macos_screenshot_is_accepted(any_bucket):
    get_s3_client().put_object(Bucket=any_bucket, Key="k", Body=b"x")
    headers, _ = ask(get_presigned_url(any_bucket, "k", filename="3.15\u202fPM.png"))
    assert headers["Content-Disposition"].endswith("filename*=UTF-8''3.15%E2%80%AFPM.png")


def test_no_file_name_ends_the_string():
    for name in ('a"; filename="b', "a\\", "%0d%0a", "x;y"):
        header = disposition(name)
        assert header.count('"') == 2
        assert "\\" not in header
        assert "%0d" not in header.split("filename*")[0]


@pytest.mark.usefixtures("aws")
def test_temporary_credentials_are_warned_of(monkeypatch, caplog):
    get_presigned_url("bucket", "k")
    assert not caplog.records
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    get_presigned_url("bucket", "k")
    assert [(record.name, record.levelno) for record in caplog.records] == [("core.storage", logging.WARNING)]
    assert "temporary" in caplog.text


def test_temporary_credentials_of_the_chain_are_warned_of(monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    file.write_text("[default]\naws_access_key_id=AKIACHAIN\naws_secret_access_key=s\n[t]\naws_session_token=t\n")
    assert "AKIACHAIN" in get_presigned_url("bucket", "k")
    assert not caplog.records
    file.write_text("[default]\naws_access_key_id=ASIACHAIN\naws_secret_access_key=s\naws_session_token=t\n")
    monkeypatch.setenv("AWS_REGION", "eu-west-2")  # other settings, another session
    assert "X-Amz-Security-Token=t" in get_presigned_url("bucket", "k")
    assert "temporary" in caplog.text
