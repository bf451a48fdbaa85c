from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.config.environment import BucketConfig, Expiry
from infra.errors import InfraError, UnreachableError, UsageError
from infra.stores import buckets
from infra.stores.access_key import AccessKey
from infra.stores.buckets import Ensured
from infra.stores.store import Store
from tests.infra.conftest import fresh, http_server, remove_bucket, responding

CORS = ("http://localhost:3000", "https://app.example.com")


def everything(name: str) -> BucketConfig:
    return BucketConfig(
        name=name,
        versioning=True,
        noncurrent_days=7,
        expire=(Expiry(prefix="cache/", days=30), Expiry(prefix="tmp/", days=1)),
        abort_multipart_days=3,
        cors_origins=CORS,
    )


ALL_SETTINGS = ("versioning", "noncurrentDays", "expire", "abortMultipartDays", "corsOrigins")


def found(store: Store, name: str) -> BucketConfig:
    bucket = buckets.read(store, name)
    assert bucket is not None
    return bucket


def test_a_bucket_is_created_with_all_its_settings_and_a_second_call_changes_nothing(seaweed_store, bucket_name):
    wanted = everything(bucket_name)
    assert buckets.ensure(seaweed_store, wanted) == Ensured(created=True, changed=ALL_SETTINGS)
    assert found(seaweed_store, bucket_name) == wanted
    assert buckets.ensure(seaweed_store, wanted) == Ensured(created=False, changed=())


@pytest.mark.minio
def test_on_minio_a_bucket_is_created_and_a_second_call_changes_nothing(minio):
    name = fresh()
    wanted = BucketConfig(name=name, versioning=True, noncurrent_days=7, expire=(Expiry(prefix="cache/", days=3),))
    try:
        first = buckets.ensure(minio, wanted)
        assert first == Ensured(created=True, changed=("versioning", "noncurrentDays", "expire"))
        assert found(minio, name) == wanted
        assert buckets.ensure(minio, wanted) == Ensured(created=False, changed=())
    finally:
        remove_bucket(minio.s3, name)


def test_a_plain_bucket_is_created_and_adopted(server):
    name = fresh()
    wanted = BucketConfig(name=name)
    try:
        assert buckets.ensure(server.store, wanted) == Ensured(created=True, changed=())
        assert buckets.ensure(server.store, wanted) == Ensured(created=False, changed=())
        assert found(server.store, name) == BucketConfig(name=name, versioning=False)
    finally:
        remove_bucket(server.store.s3, name)


def test_an_existing_bucket_is_adopted_with_its_content(seaweed_store, new_bucket):
    name = new_bucket(seaweed_store)
    seaweed_store.s3.put_object(Bucket=name, Key="theirs", Body=b"theirs")
    wanted = BucketConfig(name=name, cors_origins=CORS)
    assert buckets.ensure(seaweed_store, wanted) == Ensured(created=False, changed=("corsOrigins",))
    assert seaweed_store.s3.get_object(Bucket=name, Key="theirs")["Body"].read() == b"theirs"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("versioning", False),
        ("noncurrent_days", 8),
        ("noncurrent_days", None),
        ("expire", (Expiry(prefix="cache/", days=31), Expiry(prefix="tmp/", days=1))),
        ("expire", (Expiry(prefix="tmp/", days=1),)),
        ("expire", ()),
        ("abort_multipart_days", 4),
        ("abort_multipart_days", None),
        ("cors_origins", CORS[:1]),
        ("cors_origins", ("*",)),
        ("cors_origins", ()),
    ],
)
def test_only_what_differs_is_changed(seaweed_store, bucket_name, setting, value):
    before = everything(bucket_name)
    buckets.ensure(seaweed_store, before)
    wanted = replace(before, **{setting: value})
    outcome = buckets.ensure(seaweed_store, wanted)
    assert outcome.created is False
    assert len(outcome.changed) == 1
    assert found(seaweed_store, bucket_name) == wanted
    assert buckets.ensure(seaweed_store, wanted) == Ensured(created=False, changed=())


def test_settings_that_left_the_configuration_are_removed_from_the_bucket(seaweed_store, bucket_name):
    buckets.ensure(seaweed_store, everything(bucket_name))
    buckets.ensure(seaweed_store, BucketConfig(name=bucket_name))
    now = found(seaweed_store, bucket_name)
    assert now == BucketConfig(name=bucket_name, versioning=True)  # no setting turns it off
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        seaweed_store.s3.get_bucket_lifecycle_configuration(Bucket=bucket_name)
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        seaweed_store.s3.get_bucket_cors(Bucket=bucket_name)


def test_read_returns_changes_that_were_made_elsewhere(seaweed_store, bucket_name):
    wanted = everything(bucket_name)
    buckets.ensure(seaweed_store, wanted)
    s3 = seaweed_store.s3
    s3.put_bucket_versioning(Bucket=bucket_name, VersioningConfiguration={"Status": "Suspended"})
    s3.delete_bucket_lifecycle(Bucket=bucket_name)
    s3.delete_bucket_cors(Bucket=bucket_name)
    assert found(seaweed_store, bucket_name) == BucketConfig(name=bucket_name, versioning=False)
    assert buckets.ensure(seaweed_store, wanted) == Ensured(created=False, changed=ALL_SETTINGS)
    assert found(seaweed_store, bucket_name) == wanted


def lifecycle_ids(store: Store, name: str) -> list[str]:
    rules = store.s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    return sorted(rule["ID"] for rule in rules)


def test_lifecycle_rules_of_others_survive(seaweed_store, new_bucket):
    name = new_bucket(seaweed_store)
    rule: Any = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "theirs/"}, "Expiration": {"Days": 9}}
    seaweed_store.s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
    buckets.ensure(seaweed_store, everything(name))
    assert "theirs" in lifecycle_ids(seaweed_store, name)
    assert found(seaweed_store, name) == everything(name)
    buckets.ensure(seaweed_store, BucketConfig(name=name))
    (kept,) = seaweed_store.s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert (kept["ID"], kept["Expiration"]["Days"]) == ("theirs", 9)


def test_cors_rules_of_others_survive(seaweed_store, new_bucket):
    name = new_bucket(seaweed_store)
    rule: Any = {"ID": "theirs", "AllowedMethods": ["GET"], "AllowedOrigins": ["https://theirs"]}
    seaweed_store.s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [rule]})
    buckets.ensure(seaweed_store, everything(name))
    rules = seaweed_store.s3.get_bucket_cors(Bucket=name)["CORSRules"]
    assert [one["AllowedOrigins"] for one in rules] == [["https://theirs"], list(CORS)]
    assert found(seaweed_store, name).cors_origins == CORS
    buckets.ensure(seaweed_store, BucketConfig(name=name))
    (kept,) = seaweed_store.s3.get_bucket_cors(Bucket=name)["CORSRules"]
    assert kept["ID"] == "theirs"


def test_a_browser_of_an_origin_may_upload_and_no_other(seaweed_store, bucket_name):
    buckets.ensure(seaweed_store, BucketConfig(name=bucket_name, cors_origins=CORS))
    (rule,) = seaweed_store.s3.get_bucket_cors(Bucket=bucket_name)["CORSRules"]
    assert sorted(rule["AllowedMethods"]) == ["GET", "HEAD", "PUT"]
    assert (rule["AllowedHeaders"], rule["ExposeHeaders"]) == (["*"], ["ETag"])


def test_reading_a_missing_bucket_gives_none(server):
    assert buckets.read(server.store, fresh()) is None


def test_a_bucket_without_a_name_is_refused():
    with pytest.raises(UsageError, match="needs a name"):
        buckets.ensure(Store("http://nowhere", "x", AccessKey("a", "b")), BucketConfig())


class TestDelete:
    def test_an_empty_bucket_is_deleted(self, server):
        name = fresh()
        server.store.s3.create_bucket(Bucket=name)
        buckets.delete(server.store, name, with_content=False)
        assert buckets.read(server.store, name) is None

    @pytest.mark.parametrize("with_content", [True, False])
    def test_deleting_a_missing_bucket_is_no_error(self, server, with_content):
        buckets.delete(server.store, fresh(), with_content=with_content)

    def test_a_bucket_with_an_object_is_refused(self, server, new_bucket):
        name = new_bucket(server.store)
        server.store.s3.put_object(Bucket=name, Key="a/b", Body=b"precious")
        with pytest.raises(InfraError, match=f"bucket {name} is not empty, so it was not deleted") as caught:
            buckets.delete(server.store, name, with_content=False)
        assert caught.value.exit_code == 1
        assert server.store.s3.get_object(Bucket=name, Key="a/b")["Body"].read() == b"precious"

    def test_a_bucket_with_nothing_but_old_versions_is_refused(self, server, new_bucket):
        name = new_bucket(server.store)
        s3 = server.store.s3
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=name, Key="a", Body=b"precious")
        s3.delete_object(Bucket=name, Key="a")
        assert "Contents" not in s3.list_objects_v2(Bucket=name)
        with pytest.raises(InfraError, match="is not empty"):
            buckets.delete(server.store, name, with_content=False)
        assert buckets.read(server.store, name)

    def test_a_bucket_is_deleted_with_versions_markers_and_unfinished_uploads(self, server, new_bucket):
        name = new_bucket(server.store)
        s3 = server.store.s3
        s3.put_object(Bucket=name, Key="plain", Body=b"1")
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        for body in (b"1", b"2"):
            s3.put_object(Bucket=name, Key="a b+c/ü", Body=body)
        s3.delete_object(Bucket=name, Key="a b+c/ü")
        s3.delete_object(Bucket=name, Key="never there")
        upload = s3.create_multipart_upload(Bucket=name, Key="big")["UploadId"]
        s3.upload_part(Bucket=name, Key="big", UploadId=upload, PartNumber=1, Body=b"part")
        buckets.delete(server.store, name, with_content=True)
        assert buckets.read(server.store, name) is None

    def test_the_error_holds_the_code_and_message_of_the_store(self):
        body = "<Error><Code>Busy</Code><Message>later</Message></Error>"
        with (
            http_server(responding(409, body)) as endpoint,
            pytest.raises(InfraError, match="responded Busy: later"),
        ):
            buckets.delete(Store(endpoint, "x", AccessKey("a", "b")), "media", with_content=False)


class TestFailures:
    @pytest.fixture
    def intruder(self, seaweed_store: Store) -> Store:
        return replace(seaweed_store, admin=AccessKey("unknown-access-key", "secret"))

    def test_an_unknown_admin_key_is_reported_without_its_secret(self, intruder):
        for action in (
            lambda: buckets.ensure(intruder, BucketConfig(name="media")),
            lambda: buckets.read(intruder, "media"),
            lambda: buckets.delete(intruder, "media", with_content=True),
        ):
            with pytest.raises(
                UsageError, match=r"does not accept the admin key \.\.\.-key \(InvalidAccessKeyId\)"
            ):
                action()

    def test_a_wrong_admin_secret_is_reported_without_the_secret(self, server):
        wrong = replace(server.store, admin=replace(server.store.admin, secret_access_key="hush-wrong"))
        with pytest.raises(UsageError, match="SignatureDoesNotMatch") as caught:
            buckets.ensure(wrong, BucketConfig(name="media"))
        assert "hush" not in str(caught.value)

    @pytest.mark.usefixtures("no_backoff")
    def test_a_store_that_refuses_connections_is_unreachable(self, refusing):
        store = Store(refusing, "us-east-1", AccessKey("a", "b"))
        with pytest.raises(UnreachableError, match=f"bucket media: no useful response from {refusing}"):
            buckets.ensure(store, BucketConfig(name="media"))

    @pytest.mark.parametrize(
        ("code", "error", "said"),
        [
            ("BucketAlreadyExists", UsageError, "bucket media belongs to another account; choose another name"),
            ("TooManyBuckets", InfraError, "responded TooManyBuckets: words"),
            ("AccessDenied", UsageError, r"the admin key \.\.\.AKIA may not do this"),
        ],
    )
    def test_a_bucket_that_cannot_be_created_is_reported(self, code, error, said):
        with _creating(code) as store, pytest.raises(error, match=said):
            buckets.ensure(store, BucketConfig(name="media"))

    def test_a_bucket_that_appears_meanwhile_is_adopted(self):
        with _creating("BucketAlreadyOwnedByYou") as store, pytest.raises(InfraError, match="NoSuchBucket"):
            # this store goes on to say that there is none, which is beside the point
            buckets.ensure(store, BucketConfig(name="media"))


@contextmanager
def _creating(code: str) -> Iterator[Store]:
    def response(request: Any) -> None:
        if request.command == "PUT":
            responding(409, f"<Error><Code>{code}</Code><Message>words</Message></Error>")(request)
        else:
            responding(404, "<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>")(request)

    with http_server(response) as endpoint:
        yield Store(endpoint, "us-east-1", AccessKey("AKIA", "b"))


@pytest.mark.parametrize("subresource", ["lifecycle", "cors"])
def test_settings_that_may_not_be_read_are_not_known(subresource):
    def response(request: Any) -> None:
        denied = f"?{subresource}" in request.path
        body = "<Error><Code>AccessDenied</Code></Error>" if denied else "<C><CORSRule/></C>"
        responding(403 if denied else 200, body)(request)

    with http_server(response) as endpoint:
        found = buckets.read(Store(endpoint, "us-east-1", AccessKey("AKIA", "b")), "media")
    assert found == BucketConfig(name="media")


def test_a_bucket_is_created_in_the_region_of_the_store():
    seen = []

    def response(request: Any) -> None:
        if request.command == "PUT":
            seen.append(request.rfile.read(int(request.headers["Content-Length"])))
            request.headers.replace_header("Content-Length", "0")
            responding(409, "<Error><Code>Stop</Code><Message>here</Message></Error>")(request)
        else:
            responding(404, "<Error><Code>NoSuchBucket</Code></Error>")(request)

    with http_server(response) as endpoint, pytest.raises(InfraError, match="Stop"):
        buckets.ensure(Store(endpoint, "garage", AccessKey("a", "b")), BucketConfig(name="media"))
    assert b"<LocationConstraint>garage</LocationConstraint>" in seen[0]
