from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from infra.errors import InfraError
from infra.stores import empty as module
from infra.stores.empty import delete_everything, is_empty
from infra.stores.store import Store
from tests.infra.conftest import fresh

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def put(s3: S3Client, name: str, keys: Iterable[str]) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=name, Key=key, Body=b"x"), keys))


def test_a_new_bucket_is_empty_and_stays_when_emptied(server, new_bucket):
    name = new_bucket(server.store)
    assert is_empty(server.store.s3, name)
    delete_everything(server.store.s3, name)
    assert is_empty(server.store.s3, name)


def test_more_than_a_page_is_deleted(seaweed_store, new_bucket):
    s3, name = seaweed_store.s3, new_bucket(seaweed_store)
    put(s3, name, [f"frames/{number:04}.jpg" for number in range(1010)])
    assert not is_empty(s3, name)
    delete_everything(s3, name)
    assert is_empty(s3, name)
    assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 0


@contextmanager
def pages_of(s3: S3Client, size: int, parameter: str, operation: str) -> Iterator[None]:
    """Make the store respond with pages of this size."""

    def shorten(params: dict[str, Any], **_: object) -> None:
        params.setdefault(parameter, size)

    s3.meta.events.register(f"provide-client-params.s3.{operation}", shorten)
    try:
        yield
    finally:
        s3.meta.events.unregister(f"provide-client-params.s3.{operation}", shorten)


def test_more_than_a_page_of_versions_and_markers_is_deleted(server, new_bucket):
    s3, name = server.store.s3, new_bucket(server.store)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    put(s3, name, [f"{number % 5}" for number in range(12)])
    for number in range(5):
        s3.delete_object(Bucket=name, Key=f"{number}")
    with pages_of(s3, 3, "MaxKeys", "ListObjectVersions"):
        assert not is_empty(s3, name)
        delete_everything(s3, name)
    assert is_empty(s3, name)


def test_an_object_is_deleted_whatever_characters_its_key_has(server, new_bucket):
    s3, name = server.store.s3, new_bucket(server.store)
    put(
        s3, name, ["tab\there", "line\nbreak\r\n", "\x01\x1f\x7f", "\x85\u2028", "\ufffe", " spaces ", "frame.jpg"]
    )
    delete_everything(s3, name)
    assert is_empty(s3, name)


def test_what_the_store_does_not_delete_is_an_error(seaweed_store, new_bucket, monkeypatch):
    s3, name = seaweed_store.s3, new_bucket(seaweed_store)
    put(s3, name, ["stays"])
    with monkeypatch.context() as patched:
        patched.setattr(module, "_delete", lambda *_: None)
        with pytest.raises(InfraError, match="the store lists 'stays' and does not delete it"):
            delete_everything(s3, name)


def test_every_unfinished_upload_is_aborted(server, new_bucket):
    s3, name = server.store.s3, new_bucket(server.store)
    for number in range(3):
        s3.create_multipart_upload(Bucket=name, Key=f"big-{number}")
    delete_everything(s3, name)
    # MinIO responds with an empty page to a prefix that is no complete key, so each key is asked for
    for number in range(3):
        assert not s3.list_multipart_uploads(Bucket=name, Prefix=f"big-{number}").get("Uploads")


def test_a_bucket_that_is_not_there_is_the_stores_error(server):
    with pytest.raises(ClientError, match="NoSuchBucket"):
        is_empty(server.store.s3, fresh())


def refuse(code: str, *operations: str) -> Callable[..., None]:
    """Make a client raise an error for some operations instead of calling the store."""

    def before_call(model: Any, **_: object) -> None:
        if model.name in operations:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, model.name)

    return before_call


@pytest.fixture
def refusing_client(
    seaweed_store: Store,
    new_bucket: Callable[[Store], str],  # so that this is undone before the buckets go
) -> Iterator[Callable[..., S3Client]]:
    """The client of the store, and a way to have it refuse operations; clients are shared, so it is undone."""
    events = seaweed_store.s3.meta.events
    registered = []

    def apply(code: str, *operations: str) -> S3Client:
        handler = refuse(code, *operations)
        events.register("before-call.s3", handler)
        registered.append(handler)
        return seaweed_store.s3

    yield apply
    for handler in registered:
        events.unregister("before-call.s3", handler)


@pytest.mark.parametrize("code", ["NotImplemented", "InvalidArgument", "InvalidRequest", "MissingContentMD5"])
def test_a_store_without_batches_deletes_one_by_one(refusing_client, seaweed_store, new_bucket, code):
    name = new_bucket(seaweed_store)
    s3 = refusing_client(code, "DeleteObjects")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    put(s3, name, ["a", "b", "b"])
    delete_everything(s3, name)
    assert is_empty(s3, name)


def test_a_store_without_versions_is_emptied_too(refusing_client, seaweed_store, new_bucket):
    name = new_bucket(seaweed_store)
    s3 = refusing_client("NotImplemented", "ListObjectVersions")
    assert is_empty(s3, name)
    put(s3, name, ["a", "b/c"])
    assert not is_empty(s3, name)
    delete_everything(s3, name)
    assert is_empty(s3, name)


@pytest.mark.parametrize("operation", ["DeleteObjects", "ListObjectVersions"])
def test_any_other_refusal_is_raised(refusing_client, seaweed_store, new_bucket, operation):
    name = new_bucket(seaweed_store)
    put(seaweed_store.s3, name, ["a"])
    s3 = refusing_client("AccessDenied", operation)
    with pytest.raises(ClientError, match="AccessDenied"):
        delete_everything(s3, name)


def test_an_object_that_a_batch_skips_is_deleted_alone_and_its_refusal_is_raised(seaweed_store, new_bucket):
    name = new_bucket(seaweed_store)
    s3 = seaweed_store.s3
    put(s3, name, ["a", "b"])
    said = []

    def spoil(parsed, **_):
        parsed["Errors"] = [{"Key": "a", "VersionId": "null", "Code": "AccessDenied"}, {"Key": "b"}]
        said.append(parsed)

    events = s3.meta.events
    events.register("after-call.s3.DeleteObjects", spoil)
    try:
        delete_everything(s3, name)  # the store itself deletes them when asked again
        assert len(said) == 1
        put(s3, name, ["a"])
        deny = refuse("AccessDenied", "DeleteObject")
        events.register("before-call.s3", deny)
        try:
            with pytest.raises(ClientError, match="AccessDenied"):
                delete_everything(s3, name)
        finally:
            events.unregister("before-call.s3", deny)
    finally:
        events.unregister("after-call.s3.DeleteObjects", spoil)


def test_more_than_a_page_of_unfinished_uploads_is_aborted(seaweed_store, new_bucket):
    s3, name = seaweed_store.s3, new_bucket(seaweed_store)
    for number in range(5):
        s3.create_multipart_upload(Bucket=name, Key=f"big-{number}")
    with pages_of(s3, 2, "MaxUploads", "ListMultipartUploads"):
        delete_everything(s3, name)
    assert not s3.list_multipart_uploads(Bucket=name).get("Uploads")
