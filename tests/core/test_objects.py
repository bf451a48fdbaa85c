"""The description of an object, whether it exists, and deleting."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.storage import (
    AccessDeniedError,
    BucketNotFoundError,
    InvalidResponseError,
    ObjectNotFoundError,
    StoreUnreachableError,
    UnsafeKeyError,
    delete_many,
    delete_object,
    get_object_info,
    get_s3_client,
    list_objects,
    object_exists,
    upload_bytes,
    upload_many,
)
from tests.core._fake_s3 import Page
from tests.core.transport import requests_of


def keys(bucket: str) -> list[str]:
    return [info.key for info in list_objects(bucket)]


# --- descriptions -----------------------------------------------------------------------------------------


def test_the_description_is_that_of_the_upload(any_bucket):
    sent = upload_bytes(b"content", any_bucket, "a/b.txt")
    info = get_object_info(any_bucket, "a/b.txt")
    assert (info.key, info.size, info.etag, info.bucket) == ("a/b.txt", 7, sent.etag, any_bucket)
    assert info.verified_by == ""
    assert abs(info.last_modified - datetime.now(UTC)) < timedelta(minutes=5)
    assert object_exists(any_bucket, "a/b.txt") is True


def test_an_absent_object_is_absent_by_the_word_of_the_store(any_bucket, transport):
    with pytest.raises(ObjectNotFoundError, match="there is no object 'k'") as caught:
        get_object_info(any_bucket, "k")
    assert caught.value.code == "NoSuchKey"
    assert object_exists(any_bucket, "k") is False
    assert transport.requests == {"HeadObject": 2, "GetObject": 2}


def test_an_absent_bucket_is_an_error(any_bucket):
    for function in (get_object_info, object_exists):
        with pytest.raises(BucketNotFoundError, match="there is no bucket absent-bucket"):
            function("absent-bucket", "k")


def test_a_404_of_another_server_is_not_absence(fake):
    fake.page = Page(status=404)
    with pytest.raises(InvalidResponseError, match="not from an S3 API"):
        object_exists("bucket", "k")


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(403, "AccessDenied", AccessDeniedError), (503, "SlowDown", StoreUnreachableError)],
)
def test_any_other_failure_is_an_error(bucket, transport, pauses, status, code, error):
    transport.refuse(requests_of("HeadObject"), status, code)
    with pytest.raises(error):
        object_exists(bucket, "k")
    assert len(pauses) == (4 if error is StoreUnreachableError else 0)


@pytest.mark.parametrize("key", ["", "a/", "a\0"])
def test_what_is_no_key_is_refused(fake, key):
    for function in (get_object_info, object_exists, delete_object):
        with pytest.raises(UnsafeKeyError):
            function("bucket", key)
    assert not fake.requests


# --- deleting -----------------------------------------------------------------------------------------------


def test_an_object_is_deleted_and_a_second_time_is_no_error(any_bucket):
    upload_bytes(b"x", any_bucket, "k")
    delete_object(any_bucket, "k")
    delete_object(any_bucket, "k")
    assert keys(any_bucket) == []


def test_an_absent_bucket_is_an_error_of_deleting(any_bucket):
    with pytest.raises(BucketNotFoundError):
        delete_object("absent-bucket", "k")


NAMES = ["a b+c&d?e#f", "%41%2F", "é", "<&>'\"", "🎬", " lead", "tab\there"]


def test_many_are_deleted_with_few_requests(any_bucket, transport):
    names = [*NAMES, *(f"f/{number:04}" for number in range(1100))]
    assert all(result.ok for result in upload_many((b"", any_bucket, name) for name in [*names, "stays"]))
    infos = [info for info in list_objects(any_bucket) if info.key != "stays"]
    assert len(infos) == len(names)
    before = transport.requests["DeleteObject"]
    results = list(delete_many(infos))
    assert [result.item for result in results] == infos
    assert all(result.ok for result in results)
    assert keys(any_bucket) == ["stays"]
    assert transport.requests["DeleteObjects"] == 2
    assert transport.requests["DeleteObject"] - before < 10  # those that the store does not confirm


def test_objects_that_do_not_exist_are_no_error(any_bucket):
    upload_bytes(b"x", any_bucket, "k")
    assert all(result.ok for result in delete_many([(any_bucket, "k"), (any_bucket, "absent"), (any_bucket, "k")]))
    assert keys(any_bucket) == []


def test_a_key_that_xml_cannot_hold_is_deleted_by_itself(bucket, transport):
    names = ["a\x01b", "line\nbreak", "plain", "plain2"]
    for name in names:
        upload_bytes(b"x", bucket, name)
    assert all(result.ok for result in delete_many((bucket, name) for name in names))
    assert transport.requests["DeleteObjects"] == 1
    assert transport.requests["DeleteObject"] == 2
    assert [name for name in names if object_exists(bucket, name)] == []


@pytest.mark.parametrize("code", ["NotImplemented", "MethodNotAllowed", "InvalidArgument"])
def test_a_store_without_batches_gets_a_request_for_each(bucket, transport, code):
    list(upload_many((b"", bucket, f"{number}") for number in range(30)))
    transport.refuse(requests_of("DeleteObjects"), 501, code)
    assert all(result.ok for result in delete_many(list_objects(bucket)))
    assert transport.requests["DeleteObject"] == 30
    assert keys(bucket) == []


@pytest.mark.parametrize("body", [b"<DeleteResult></DeleteResult>", b"<DeleteResult><Deleted><Key>1</Ke"])
def test_what_the_store_does_not_confirm_is_deleted_by_itself(bucket, transport, body):
    list(upload_many((b"", bucket, f"{number}") for number in range(5)))
    transport.respond(requests_of("DeleteObjects"), 200, body)
    assert all(result.ok for result in delete_many(list_objects(bucket)))
    assert keys(bucket) == []


def test_an_object_that_must_stay_is_an_error_of_its_item(bucket, transport):
    list(upload_many((b"", bucket, f"{number}") for number in range(5)))
    error = b"<Error><Key>1</Key><Code>AccessDenied</Code></Error>"
    document = b"<DeleteResult><Deleted><Key>0</Key></Deleted>" + error + b"</DeleteResult>"
    transport.respond(requests_of("DeleteObjects"), 200, document)
    transport.refuse(requests_of("DeleteObject", key="1"), 403, "AccessDenied")
    results = list(delete_many((bucket, f"{number}") for number in range(5)))
    assert [type(result.error) for result in results] == [type(None), AccessDeniedError, *[type(None)] * 3]


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(403, "AccessDenied", AccessDeniedError), (404, "NoSuchBucket", BucketNotFoundError)],
)
def test_a_refusal_of_the_batch_is_the_error_of_each_item(bucket, transport, status, code, error):
    transport.refuse(requests_of("DeleteObjects"), status, code)
    results = list(delete_many([(bucket, "a"), (bucket, "b")]))
    assert [type(result.error) for result in results] == [error, error]
    assert transport.requests["DeleteObject"] == 0


def test_a_login_page_deletes_nothing(fake):
    fake.page = Page()
    results = list(delete_many([("bucket", "a"), ("bucket", "b")]))
    assert all(isinstance(result.error, InvalidResponseError) for result in results)


def test_an_item_that_is_none_is_its_own_error(bucket):
    upload_bytes(b"x", bucket, "k")
    items: list[Any] = [(bucket, "k"), "text", (bucket, ""), (bucket,), (bucket, 5)]
    errors = [type(result.error).__name__ for result in delete_many(items)]
    assert errors == ["NoneType", "TypeError", "UnsafeKeyError", "TypeError", "TypeError"]
    assert keys(bucket) == []


def test_items_are_taken_when_they_are_needed(bucket, transport):
    taken = itertools.count()
    results = delete_many((bucket, f"{next(taken)}") for _ in range(100_000))
    assert not transport.sent
    assert [next(results).ok for _ in range(3)] == [True] * 3
    assert next(taken) <= 1001
    results.close()
    assert transport.requests["DeleteObjects"] == 1


def test_buckets_may_change_within_a_call(new_bucket, store):
    buckets = [new_bucket(store), new_bucket(store)]
    items = [(bucket, name) for bucket in buckets for name in ("a", "b")]
    for bucket, name in items:
        upload_bytes(b"x", bucket, name)
    assert all(result.ok for result in delete_many([items[0], items[2], items[1], items[3]]))
    assert [keys(bucket) for bucket in buckets] == [[], []]


def test_in_a_bucket_with_versions_the_older_one_stays(bucket):
    s3 = get_s3_client()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    upload_bytes(os.urandom(10), bucket, "a")
    upload_bytes(os.urandom(10), bucket, "b")
    delete_object(bucket, "a")
    assert all(result.ok for result in delete_many([(bucket, "a"), (bucket, "b")]))
    assert not object_exists(bucket, "a")
    versions = s3.list_object_versions(Bucket=bucket)
    assert {one["Key"] for one in versions["Versions"]} == {"a", "b"}
    assert versions["DeleteMarkers"]


def test_a_cancelled_batch_raises_what_ended_it(bucket, transport):
    transport.fail(requests_of("DeleteObjects"), KeyboardInterrupt(), times=1)
    with pytest.raises(KeyboardInterrupt):
        list(delete_many([(bucket, "a"), (bucket, "b")]))
    assert transport.requests["DeleteObject"] == 0
