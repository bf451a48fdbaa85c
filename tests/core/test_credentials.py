"""Keys that follow the env file, in a process that runs on."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from core.storage import download_file, get_s3_client, list_objects, upload_file
from core.storage._config import env_file, live_keys
from core.storage._config.current import current_settings
from core.storage._errors import AccessDeniedError, StorageError
from tests.load import Load, full_load


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch):
    monkeypatch.setattr(live_keys, "LOOK_EVERY", 0)


@pytest.fixture
def store(seaweed):
    """The one whose keys change by the IAM API; on MinIO: tests/infra/rotate."""
    return seaweed


@pytest.fixture
def user(bucket, iam) -> str:
    name = f"live-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    there = f"arn:aws:s3:::{bucket}"
    allowed = {"Effect": "Allow", "Action": ["s3:*"], "Resource": [there, f"{there}/*"]}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    return name


@pytest.fixture
def write(store, bucket, tmp_path, monkeypatch) -> Iterator[Callable[..., None]]:
    """Writes the env file that the process is named, as `infra` does: beside it, and renamed."""
    file = tmp_path / "test.env"

    def write(key: dict[str, str], **more: str) -> None:
        values = {
            "S3_ENDPOINT_URL": store.endpoint,
            "S3_BUCKET_IN": bucket,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        part = tmp_path / ".part.env"
        part.write_text(env_file.render(values | more))
        part.rename(file)

    for name in ("S3_ENDPOINT_URL", "S3_BUCKET_IN", "S3_BUCKET_OUT", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("S3_ENV_FILE", str(file))
    return write  # type: ignore[return-value]  # the fixture is what it writes with


def new_key(iam, user: str) -> Any:
    return iam.create_access_key(UserName=user)["AccessKey"]


def rotated(iam, user, write, old):
    """The env file has a new key, and the old one is dead."""
    key = new_key(iam, user)
    write(key)
    iam.delete_access_key(UserName=user, AccessKeyId=old["AccessKeyId"])
    return key


def test_a_client_made_before_takes_the_new_key(iam, user, write, bucket):
    old = new_key(iam, user)
    write(old)
    client = get_s3_client()
    client.put_object(Bucket=bucket, Key="a", Body=b"1")
    key = rotated(iam, user, write, old)
    assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"
    assert key["AccessKeyId"] in client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})


@pytest.mark.usefixtures("small_parts", "one_connection_for_parts")
def test_an_operation_under_way_takes_the_new_key(iam, user, write, bucket, tmp_path):
    """An upload of hours must not end because the key that it began with did."""
    old = new_key(iam, user)
    write(old)
    source = tmp_path / "video.mp4"
    source.write_bytes(b"x" * (11 * 1024 * 1024))
    sent: list[int] = []

    def progress(count: int) -> None:
        if not sent:
            rotated(iam, user, write, old)
        sent.append(count)

    upload_file(source, bucket, "video.mp4", progress=progress)
    download_file(bucket, "video.mp4", tmp_path / "back.mp4")
    assert (tmp_path / "back.mp4").read_bytes() == source.read_bytes()


def every_thread_goes_on(load: Load) -> None:
    """Wait until each thread has begun and ended a round since now."""
    before, deadline = list(load.done), time.monotonic() + 60
    while any(now < then + 2 for now, then in zip(load.done, before, strict=True)):
        assert time.monotonic() < deadline, "a thread makes no progress"
        time.sleep(0.01)


def test_no_request_fails_while_keys_change_under_load(iam, user, write, bucket, tmp_path):
    old = new_key(iam, user)
    write(old)
    with full_load(bucket, tmp_path, threads=4) as load:
        for _ in range(3):
            every_thread_goes_on(load)
            key = new_key(iam, user)
            write(key)
            every_thread_goes_on(load)
            iam.update_access_key(UserName=user, AccessKeyId=old["AccessKeyId"], Status="Inactive")
            every_thread_goes_on(load)
            iam.delete_access_key(UserName=user, AccessKeyId=old["AccessKeyId"])
            old = key
    assert load.errors == []


def test_keys_of_another_place_are_not_taken(iam, user, write, bucket):
    key = new_key(iam, user)
    write(key)
    client = get_s3_client()
    client.put_object(Bucket=bucket, Key="a", Body=b"1")
    write({"AccessKeyId": "SOMEBODYS", "SecretAccessKey": "x"}, S3_ENDPOINT_URL="http://elsewhere:9000")
    assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"
    assert current_settings().endpoint_url == "http://elsewhere:9000"
    write({"AccessKeyId": "SOMEBODYS", "SecretAccessKey": "x"}, S3_BUCKET_IN="another-environments")
    assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"


def test_a_file_that_cannot_be_read_leaves_the_keys_as_they_were(iam, user, write, bucket, tmp_path, caplog):
    write(new_key(iam, user))
    client = get_s3_client()
    client.put_object(Bucket=bucket, Key="a", Body=b"1")
    (tmp_path / "test.env").write_text("no such thing\n")
    assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"
    assert "the keys stay as they were" in caplog.text


def test_keys_in_the_environment_stay(iam, user, write, bucket, monkeypatch):
    key = new_key(iam, user)
    write(key)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    client = get_s3_client()
    write({"AccessKeyId": "OTHER", "SecretAccessKey": "x"})
    client.put_object(Bucket=bucket, Key="a", Body=b"1")


def test_settings_that_were_given_stay(iam, user, write, bucket):
    old = new_key(iam, user)
    write(old)
    given = replace(current_settings(), public_endpoint_url="http://elsewhere:1")
    rotated(iam, user, write, old)
    with pytest.raises(Exception, match="InvalidAccessKeyId"):
        get_s3_client(given).list_objects_v2(Bucket=bucket)


def test_a_reload_is_logged_without_a_secret(iam, user, write, bucket, caplog):
    old = new_key(iam, user)
    write(old)
    list(list_objects(bucket))
    with caplog.at_level(logging.INFO, "core.storage"):
        key = rotated(iam, user, write, old)
        list(list_objects(bucket))
    assert f"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY; the key is ...{key['AccessKeyId'][-4:]} now" in caplog.text
    assert key["SecretAccessKey"] not in caplog.text
    assert key["AccessKeyId"] not in caplog.text


def test_a_deleted_access_key_is_an_error(iam, user, write, bucket):
    key = new_key(iam, user)
    write(key)
    iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    with pytest.raises(StorageError) as caught:
        list(list_objects(bucket))
    assert isinstance(caught.value, AccessDeniedError) or caught.value.code == "InvalidAccessKeyId"
