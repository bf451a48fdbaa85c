from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.auth
import botocore.session
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.parsers import DEFAULT_TIMESTAMP_PARSER
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPResponse

from core.storage import Settings, StorageConfigError, StorageError, get_s3_client, list_objects
from core.storage._boto import clients
from core.storage._boto.session import parse_timestamp
from tests.core._fake_s3 import Page

LOCAL = Settings(
    endpoint_url="http://127.0.0.1:1", region="r-1", access_key_id="AKIAEXAMPLE", secret_access_key="secret"
)
AWS = Settings(region="eu-west-1", access_key_id="AKIAEXAMPLE", secret_access_key="secret")


@pytest.mark.parametrize(
    ("settings", "checksums", "addressing"), [(LOCAL, "when_required", "path"), (AWS, "when_supported", "virtual")]
)
def test_what_the_client_is_set_to(settings, checksums, addressing):
    config: Any = get_s3_client(settings).meta.config
    assert config.signature_version == "s3v4"
    assert config.request_checksum_calculation == config.response_checksum_validation == checksums
    assert config.s3["addressing_style"] == addressing
    assert (config.connect_timeout, config.read_timeout) == (5, 20)
    assert config.retries["mode"] == "standard"
    assert config.retries["total_max_attempts"] == 5
    assert config.tcp_keepalive
    assert config.max_pool_connections == 32
    assert config.region_name == settings.region


def test_the_addressing_style_may_be_set():
    settings = Settings(endpoint_url="http://h", region="r", addressing_style="virtual")
    config: Any = get_s3_client(settings).meta.config
    assert config.s3["addressing_style"] == "virtual"


def test_other_variables_and_files_of_aws_do_not_change_the_client(monkeypatch, tmp_path):
    elsewhere = "http://127.0.0.1:2"
    config = tmp_path / "config"
    config.write_text(
        f"[default]\nendpoint_url = {elsewhere}\nregion = nowhere\ns3 =\n  addressing_style = virtual\n"
    )
    for name, value in {
        "AWS_ENDPOINT_URL": elsewhere,
        "AWS_ENDPOINT_URL_S3": elsewhere,
        "AWS_CONFIG_FILE": str(config),
        "AWS_PROFILE": "missing",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_RETRY_MODE": "legacy",
    }.items():
        monkeypatch.setenv(name, value)
    client: Any = get_s3_client(LOCAL)
    assert client.meta.endpoint_url == LOCAL.endpoint_url
    assert client.meta.config.request_checksum_calculation == "when_required"
    assert client.meta.config.retries["total_max_attempts"] == 5
    assert get_s3_client(AWS).meta.endpoint_url == "https://s3.eu-west-1.amazonaws.com"


def test_a_broken_aws_config_file_is_not_read(monkeypatch, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("[default\nno config at all")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(broken))
    assert get_s3_client(LOCAL).meta.endpoint_url == LOCAL.endpoint_url


def test_without_keys_the_chain_of_boto3_finds_them(monkeypatch, store, bucket, tmp_path):
    file = tmp_path / "credentials"
    keys = {"aws_access_key_id": store.access_key_id, "aws_secret_access_key": store.secret_access_key}
    file.write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items()))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    # Not from the config of the user, though: the settings know where the store is.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:2")
    client = get_s3_client(Settings(endpoint_url=store.endpoint, region="us-east-1"))
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_one_client_for_the_same_settings(monkeypatch, use):
    use("http://127.0.0.1:1", "bucket")
    first = get_s3_client()
    assert get_s3_client() is first
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "rotated")
    assert get_s3_client() is not first
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "admin")
    assert get_s3_client() is first
    assert get_s3_client(LOCAL) is get_s3_client(LOCAL)


def test_no_more_clients_are_kept_than_are_of_use(monkeypatch):
    assert clients._KEPT == 8
    monkeypatch.setattr(clients, "_KEPT", 2)  # to make a client takes long
    for number in range(3):
        settings = replace(LOCAL, region=f"r-{number}")
        get_s3_client(settings)
        clients.presign_client(settings)
    assert [settings.region for settings in clients._sessions] == ["r-1", "r-2"]
    assert [len(kept) for _, kept in clients._sessions.values()] == [2, 2]


def test_without_variables_the_error_says_what_is_missing():
    with pytest.raises(StorageConfigError, match="AWS_REGION is not set"):
        get_s3_client()


def test_threads_get_one_client(monkeypatch):
    made: list[int] = []
    real = clients._new_client

    def new_client(*arguments: Any, **options: Any) -> Any:
        made.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr(clients, "_new_client", new_client)
    barrier = threading.Barrier(16)
    found: list[Any] = []

    def get():
        barrier.wait()
        found.append(get_s3_client(LOCAL))

    threads = [threading.Thread(target=get) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(map(id, found))) == len(made) == 1


FORK = """
import os, sys, threading
from core.storage import get_s3_client, list_objects
from core.storage._boto import clients
parents = get_s3_client()
list(list_objects("BUCKET"))
# The worst time to fork: a thread that the child does not have holds the lock.
held, done = threading.Event(), threading.Event()
def hold():
    with clients._lock:
        held.set()
        done.wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    assert get_s3_client() is not parents
    print(len(list(list_objects("BUCKET"))), flush=True)
    os._exit(0)
status = os.waitpid(child, 0)[1]
done.set()
assert get_s3_client() is parents
print(len(list(list_objects("BUCKET"))), status)
"""


def test_a_forked_process_makes_its_own_client(bucket):
    get_s3_client().put_object(Bucket=bucket, Key="k", Body=b"")
    done = subprocess.run(
        [sys.executable, "-c", FORK.replace("BUCKET", bucket)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["1", "1", "0"], done.stderr


RENEWING = """
import os, sys, threading, time
from core.storage import list_objects
assert not list(list_objects("BUCKET"))
# From now on the process that gives credentials waits, and the thread that renews them holds botocore's lock.
open("FOLDER/slow", "w").close()
threading.Thread(target=lambda: list(list_objects("BUCKET")), daemon=True).start()
while not os.path.exists("FOLDER/renewing"):
    time.sleep(0.01)
child = os.fork()
if child == 0:
    os.remove("FOLDER/slow")
    print(len(list(list_objects("BUCKET"))), flush=True)
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""
#: Gives credentials that must be renewed at each request; waits while there is a file `slow`.
PROCESS = """
import datetime, json, os, time
if os.path.exists("FOLDER/slow"):
    open("FOLDER/renewing", "w").close()
while os.path.exists("FOLDER/slow"):
    time.sleep(0.01)
expiration = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)).isoformat()
print(json.dumps({"Version": 1, "AccessKeyId": "KEY", "SecretAccessKey": "SECRET", "Expiration": expiration}))
"""


def test_a_process_that_was_forked_while_credentials_were_renewed_does_not_wait(
    bucket, seaweed, monkeypatch, tmp_path
):
    def filled(text: str) -> str:
        keys = {"KEY": seaweed.access_key_id, "SECRET": seaweed.secret_access_key}
        for name, value in {"BUCKET": bucket, "FOLDER": str(tmp_path), **keys}.items():
            text = text.replace(f'"{name}', f'"{value}')
        return text

    (tmp_path / "process.py").write_text(filled(PROCESS))
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {sys.executable} {tmp_path / 'process.py'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    done = subprocess.run(
        [sys.executable, "-c", filled(RENEWING)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["0", "0"], done.stderr


def test_credentials_that_appear_after_the_first_call_are_found(bucket, seaweed, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    with pytest.raises(StorageConfigError, match="no credentials"):
        list(list_objects(bucket))
    with pytest.raises(NoCredentialsError):
        get_s3_client().list_objects_v2(Bucket=bucket)
    file.write_text(
        f"[default]\naws_access_key_id={seaweed.access_key_id}\n"
        f"aws_secret_access_key={seaweed.secret_access_key}\n"
    )
    assert list(list_objects(bucket)) == []
    assert get_s3_client().list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert get_s3_client() is get_s3_client()


def test_the_client_has_the_transfer_methods_of_boto3(any_bucket, tmp_path):
    client = get_s3_client()
    config = TransferConfig(preferred_transfer_client="classic")
    client.upload_fileobj(io.BytesIO(b"data"), any_bucket, "k", Config=config)
    out = io.BytesIO()
    client.download_fileobj(any_bucket, "k", out, Config=config)
    assert out.getvalue() == b"data"
    (tmp_path / "f").write_bytes(b"file")
    client.upload_file(str(tmp_path / "f"), any_bucket, "f", Config=config)
    client.download_file(any_bucket, "f", str(tmp_path / "g"), Config=config)
    client.copy({"Bucket": any_bucket, "Key": "f"}, any_bucket, "h", Config=config)
    assert (tmp_path / "g").read_bytes() == b"file"
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=any_bucket)
    assert [row["Key"] for page in pages for row in page["Contents"]] == ["f", "h", "k"]
    client.get_waiter("object_exists").wait(Bucket=any_bucket, Key="k")
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket=any_bucket, Key="none")
    assert not hasattr(client, "no_such_method")


def test_the_client_has_and_sends_what_a_client_of_boto3_does(monkeypatch):
    frozen = datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_args, **_more: frozen)
    monkeypatch.setattr("botocore.signers.get_current_datetime", lambda *_args, **_more: frozen)
    for settings in (LOCAL, AWS):
        ours = get_s3_client(settings)
        stock = boto3.session.Session().client(
            "s3",
            region_name=settings.region,
            endpoint_url=settings.endpoint_url,
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
            config=Config(
                signature_version="s3v4",
                request_checksum_calculation=settings.dialect.checksums,
                response_checksum_validation=settings.dialect.checksums,
                s3={"addressing_style": settings.dialect.addressing},
            ),
        )
        assert ours.meta.service_model.operation_names == stock.meta.service_model.operation_names
        for name in ("get_object", "put_object", "list_objects_v2", "create_bucket"):
            params = {"Bucket": "media-in"} | ({"Key": "a b"} if name.endswith("object") else {})
            assert ours.generate_presigned_url(name, params) == stock.generate_presigned_url(name, params)
        stock.close()


def test_the_bucket_owner_goes_with_every_request_that_takes_it(fake, monkeypatch):
    monkeypatch.setenv("S3_BUCKET_OWNER", "123456789012")
    fake.put("/bucket/k", b"x")
    client = get_s3_client()
    client.get_object(Bucket="bucket", Key="k")["Body"].read()
    client.put_object(Bucket="bucket", Key="k", Body=b"y")
    client.create_multipart_upload(Bucket="bucket", Key="k")
    client.delete_object(Bucket="bucket", Key="k")
    with pytest.raises(ClientError):
        client.list_objects_v2(Bucket="bucket")
    assert [headers.get("x-amz-expected-bucket-owner") for _, _, headers in fake.requests] == ["123456789012"] * 5
    fake.requests.clear()
    client.get_object(Bucket="bucket", Key="k", ExpectedBucketOwner="210987654321")["Body"].read()
    with pytest.raises(ClientError):
        client.list_buckets()
    assert [headers.get("x-amz-expected-bucket-owner") for _, _, headers in fake.requests] == [
        "210987654321",
        None,
    ]


def test_without_a_bucket_owner_no_header_is_sent(fake):
    fake.put("/bucket/k", b"x")
    get_s3_client().get_object(Bucket="bucket", Key="k")["Body"].read()
    assert "x-amz-expected-bucket-owner" not in fake.requests[0][2]


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_of_a_proxy_is_an_error_at_once(fake, status):
    fake.page = Page(status, b"")
    client = get_s3_client()
    calls = (
        lambda: client.list_objects_v2(Bucket="bucket"),
        lambda: client.head_object(Bucket="bucket", Key="k"),
        lambda: client.put_object(Bucket="bucket", Key="k", Body=b"x"),
        client.list_buckets,
    )
    for call in calls:
        with pytest.raises(ClientError, match=str(status)):
            call()
    assert len(fake.requests) == len(calls)


def test_a_redirect_to_the_region_of_a_bucket_is_followed():
    def respond(request, **_):
        moved = "/eu-west-1/" not in request.headers["Authorization"].decode()
        body = b"<Error><Code>PermanentRedirect</Code></Error>" if moved else b"<ListBucketResult/>"
        headers = HTTPHeaders.from_dict({"x-amz-bucket-region": "eu-west-1", "Content-Length": str(len(body))})
        return AWSResponse(request.url, 301 if moved else 200, headers, HTTPResponse(io.BytesIO(body)))

    client = get_s3_client(LOCAL)
    client.meta.events.register("before-send.s3", respond)
    assert client.list_objects_v2(Bucket="bucket")["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        (LOCAL, "AWS_DEFAULTS_MODE"),
        (LOCAL, "AWS_STS_REGIONAL_ENDPOINTS"),
        (Settings(region="eu-west-1"), "AWS_PROFILE"),
        (Settings(region="eu-west-1"), "AWS_METADATA_SERVICE_TIMEOUT"),
    ],
)
def test_a_variable_that_botocore_refuses_is_an_error_of_the_configuration(monkeypatch, settings, variable):
    monkeypatch.setenv(variable, "odd")
    with pytest.raises(StorageConfigError, match=r"botocore refuses a variable that starts with AWS_.*odd"):
        get_s3_client(settings)


def test_credentials_that_cannot_be_fetched_now_are_no_wrong_configuration(fake, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x")
    with pytest.raises(StorageError, match="Error when retrieving credentials") as caught:
        list(list_objects("bucket"))
    assert not isinstance(caught.value, StorageConfigError)


def test_rotated_keys_are_taken_from_a_rewritten_file(bucket, store, monkeypatch, tmp_path):
    file = tmp_path / "x.env"
    good = Settings.load()
    text = "".join(f"{name}={value}\n" for name, value in good.to_env().items())
    file.write_text(text.replace(f"={store.secret_access_key}", "=old"))
    for name in list(os.environ):
        if name.startswith(("S3_", "AWS_A", "AWS_SEC", "AWS_R")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("S3_ENV_FILE", str(file))
    with pytest.raises(PermissionError):
        list(list_objects(bucket))
    file.write_text(file.read_text().replace("=old", f"={store.secret_access_key}"))
    assert not list(list_objects(bucket))
    assert get_s3_client().meta.endpoint_url == store.endpoint


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)), st.integers(0, 6))  # noqa: DTZ001
def test_timestamps_are_what_botocore_makes_of_them(timestamp, digits):
    seconds = timestamp.strftime("%Y-%m-%dT%H:%M:%S")
    texts = [
        f"{seconds}Z",
        f"{seconds}+00:00",
        f"{seconds}+02:00",
        timestamp.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        seconds,
    ]
    texts.append(f"{seconds}.{timestamp.microsecond:06d}"[: len(seconds) + 1 + digits].rstrip(".") + "Z")
    for text in texts:
        assert parse_timestamp(text) == DEFAULT_TIMESTAMP_PARSER(text)
        assert parse_timestamp(text).utcoffset() == DEFAULT_TIMESTAMP_PARSER(text).utcoffset()


@pytest.mark.parametrize("value", [0, 1_700_000_000, 1.5, "1700000000", "20250101"])
def test_timestamps_in_seconds_are_what_botocore_makes_of_them(value):
    assert parse_timestamp(value) == DEFAULT_TIMESTAMP_PARSER(value)


def test_text_that_is_no_timestamp_is_refused_as_by_botocore():
    with pytest.raises(ValueError, match="Invalid timestamp"):
        parse_timestamp("not a time")
