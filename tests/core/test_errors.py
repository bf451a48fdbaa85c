from __future__ import annotations

import datetime as dt
import pickle
import time
import uuid

import botocore.compat
import pytest
from botocore.exceptions import UnknownServiceError

from core.storage import (
    AccessDeniedError,
    BucketNotFoundError,
    ClockSkewError,
    ExpiredCredentialsError,
    IntegrityError,
    InvalidCredentialsError,
    ObjectChangedError,
    ObjectNotFoundError,
    StorageConfigError,
    StorageError,
    StoreUnreachableError,
    WrongRegionError,
    download_file,
    get_s3_client,
    list_objects,
    upload_file,
)
from core.storage._http import translate as module

CODES = [
    (404, "NoSuchBucket", BucketNotFoundError),
    (404, "NoSuchKey", ObjectNotFoundError),
    (403, "AccessDenied", AccessDeniedError),
    (403, "", AccessDeniedError),
    (403, "InvalidAccessKeyId", InvalidCredentialsError),
    (403, "SignatureDoesNotMatch", InvalidCredentialsError),
    (400, "InvalidToken", InvalidCredentialsError),
    (400, "ExpiredToken", ExpiredCredentialsError),
    (400, "ExpiredTokenException", ExpiredCredentialsError),
    (403, "RequestTimeTooSkewed", ClockSkewError),
    (301, "PermanentRedirect", WrongRegionError),
    (400, "AuthorizationHeaderMalformed", WrongRegionError),
    (412, "PreconditionFailed", ObjectChangedError),
    (400, "BadDigest", IntegrityError),
    (503, "SlowDown", StoreUnreachableError),
    (500, "InternalError", StoreUnreachableError),
    (502, "NeverHeardOf", StoreUnreachableError),
    (503, "", StoreUnreachableError),
    (400, "NeverHeardOf", StorageError),
]


@pytest.fixture
def error_of(tmp_path):
    """What a download that must fail raises."""

    def error_of(bucket="bucket", key="k"):
        with pytest.raises(StorageError) as caught:
            download_file(bucket, key, tmp_path / "target")
        assert not list(tmp_path.iterdir())
        return caught.value

    return error_of


@pytest.mark.parametrize(("status", "code", "kind"), CODES)
def test_each_code_has_its_error(fake, error_of, status, code, kind):
    fake.put("/bucket/k", b"x")
    fake.always = lambda handler, _body, _start: handler.send_error_document(status, code)
    error = error_of()
    assert type(error) is kind
    assert (error.bucket, error.key, error.operation) == ("bucket", "k", "GetObject")
    assert error.code == (code or str(status))
    assert error.request_id == "a-request"
    assert "bucket" in str(error) or "key" in str(error) or "clock" in str(error) or "credentials" in str(error)


@pytest.mark.usefixtures("fake")
def test_a_response_without_a_body_is_translated_by_its_status():
    with pytest.raises(ObjectNotFoundError) as caught, module.translated("HeadObject", "bucket", "none"):
        get_s3_client().head_object(Bucket="bucket", Key="none")
    assert (caught.value.code, caught.value.operation) == ("404", "HeadObject")


#: S3's word for it, and Versity's.
UNKNOWN_KEY = {"InvalidAccessKeyId", "XAdminUserNotFound"}


@pytest.mark.parametrize(
    ("change", "kind", "codes"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, InvalidCredentialsError, {"SignatureDoesNotMatch"}),
        ({"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN12345"}, InvalidCredentialsError, UNKNOWN_KEY),
        ({}, ObjectNotFoundError, {"NoSuchKey"}),
    ],
)
def test_a_real_store_tells_wrong_credentials_from_a_missing_object(
    any_bucket, monkeypatch, error_of, change, kind, codes
):
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    error = error_of(any_bucket)
    assert type(error) is kind
    assert error.code in codes
    assert error.request_id
    for secret in ("admin-secret", "wrong-secret", "AKIAUNKNOWN12345"):
        assert secret not in str(error)
        assert secret not in str(error.__cause__)


def test_a_missing_right_is_access_denied_on_a_real_store(bucket, iam, monkeypatch, error_of, tmp_path_factory):
    user = f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    get_s3_client().put_object(Bucket=bucket, Key="k", Body=b"x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    error = error_of(bucket)
    assert type(error) is AccessDeniedError
    assert error.code == "AccessDenied"
    with pytest.raises(AccessDeniedError, match=f"ListObjectsV2 on {bucket}"):
        list(list_objects(bucket))
    source = tmp_path_factory.mktemp("source") / "f"
    source.touch()
    with pytest.raises(PermissionError, match="PutObject"):
        upload_file(source, bucket, "k")


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_real_store_refuses_a_clock_that_is_wrong(any_bucket, monkeypatch, error_of, hours):
    real = botocore.compat.get_current_datetime
    off = dt.timedelta(hours=hours)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *args, **more: real(*args, **more) + off)
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + off.total_seconds())
    error = error_of(any_bucket)
    assert type(error) is ClockSkewError
    assert error.code == "RequestTimeTooSkewed"
    assert "sync the clock" in str(error)
    assert ("ahead of" if hours > 0 else "behind") in str(error)
    assert any(f"{seconds} s" in str(error) for seconds in range(3598, 3603))


def test_without_a_date_the_skew_is_not_guessed():
    assert "differs too much" in module._skew({})
    assert "differs too much" in module._skew({"HTTPHeaders": {"date": "nonsense"}})


def test_the_region_is_named_where_the_store_names_it():
    assert "AWS_REGION to eu-west-3" in module._region({"Region": "eu-west-3"}, {})
    assert "AWS_REGION to eu-west-1" in module._region({}, {"HTTPHeaders": {"x-amz-bucket-region": "eu-west-1"}})
    assert "region of the bucket" in module._region({}, {})


def test_a_key_id_in_a_message_of_the_store_is_cut():
    said = module._said("X", {"Message": "key AKIAABCDEFGHIJKLMNOP and GOOG1EABCDEFGHIJ is gone"})
    assert said == "the store said X: key ...MNOP and ...GHIJ is gone"


def test_a_port_without_a_server_is_an_unreachable_store(use, error_of):
    use("http://127.0.0.1:9", "bucket")
    error = error_of()
    assert type(error) is StoreUnreachableError
    assert "S3_ENDPOINT_URL" in str(error)
    assert isinstance(error, ConnectionError)


def test_https_to_a_server_without_tls_is_an_unreachable_store(fake, use, error_of):
    use(fake.endpoint.replace("http:", "https:"), "bucket")
    error = error_of()
    assert type(error) is StoreUnreachableError
    assert "write https in S3_ENDPOINT_URL only if" in str(error)


def test_a_proxy_that_is_down_is_named(use, error_of, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    use("http://store.invalid", "bucket")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    error = error_of()
    assert type(error) is StoreUnreachableError
    assert "proxy" in str(error)


def test_missing_credentials_are_a_configuration_error(monkeypatch, error_of):
    monkeypatch.setenv("AWS_REGION", "r")
    monkeypatch.setenv("S3_ENDPOINT_URL", "http://127.0.0.1:9")
    error = error_of()
    assert type(error) is StorageConfigError
    assert "AWS_ACCESS_KEY_ID" in str(error)
    assert "make up" in str(error)


def test_a_name_that_is_no_bucket(fake, error_of):
    error = error_of("not a bucket!")
    assert type(error) is StorageConfigError
    assert isinstance(error, ValueError)
    assert not fake.requests


def test_what_is_not_of_botocore_passes_through():
    with pytest.raises(ZeroDivisionError), module.translated("GetObject", "bucket"):
        raise ZeroDivisionError


def test_whatever_else_botocore_raises_is_an_error_of_the_library():
    with pytest.raises(StorageError), module.translated("GetObject", "b", "k"):
        raise UnknownServiceError(service_name="x", known_service_names="y")


def test_errors_cross_processes_with_all_they_know():
    error = ObjectNotFoundError(
        "gone", bucket="b", key="k", operation="GetObject", code="NoSuchKey", request_id="r"
    )
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(copy) is ObjectNotFoundError
    assert copy.__dict__ == error.__dict__
    assert str(copy) == "gone"
