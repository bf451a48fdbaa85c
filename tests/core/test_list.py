from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.storage import BucketNotFoundError, ObjectInfo, StorageError, get_s3_client, list_objects
from core.storage import _list as module


@pytest.fixture
def filled(bucket):
    client = get_s3_client()
    for key in ("a/1.mp4", "a/2.MP4", "a/3.jpg", "b/é ü+%.mp4", "c.mov"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


@pytest.fixture
def pages(monkeypatch):
    """Answers instead of a store, and the requests for them."""

    class Client:
        def __init__(self) -> None:
            self.answers: list[Any] = []
            self.requests: list[Any] = []

        def list_objects_v2(self, **request):
            self.requests.append(request)
            return self.answers[len(self.requests) - 1]

    client = Client()
    monkeypatch.setattr(module, "get_s3_client", lambda: client)
    return client


def row(key: str) -> dict[str, Any]:
    return {"Key": key, "Size": 1, "ETag": '"e"', "LastModified": datetime(2025, 1, 1, tzinfo=UTC)}


def keys(listing: Iterable[ObjectInfo]) -> list[str]:
    return [info.key for info in listing]


def test_everything_is_listed_with_what_is_known_of_it(filled):
    found = list(list_objects(filled))
    assert keys(found) == ["a/1.mp4", "a/2.MP4", "a/3.jpg", "b/é ü+%.mp4", "c.mov"]
    first = found[0]
    assert (first.size, len(first.etag), first.verified_by) == (7, 32, "")
    assert abs(first.last_modified - datetime.now(UTC)) < timedelta(minutes=5)


def test_prefix_suffixes_and_limit(filled):
    assert keys(list_objects(filled, "a/")) == ["a/1.mp4", "a/2.MP4", "a/3.jpg"]
    assert keys(list_objects(filled, suffixes=(".mp4", ".mov"))) == ["a/1.mp4", "a/2.MP4", "b/é ü+%.mp4", "c.mov"]
    assert keys(list_objects(filled, suffixes=".MOV")) == ["c.mov"]
    assert keys(list_objects(filled, limit=2)) == ["a/1.mp4", "a/2.MP4"]
    assert keys(list_objects(filled, suffixes=".mp4", limit=2)) == ["a/1.mp4", "a/2.MP4"]
    assert not keys(list_objects(filled, "none/"))


def test_more_than_one_page(filled, monkeypatch):
    monkeypatch.setattr(module, "_PAGE", 2)
    assert len(keys(list_objects(filled))) == 5
    assert len(keys(list_objects(filled, limit=4))) == 4


def test_folder_markers_are_left_out(pages):
    pages.answers = [{"Contents": [row("a/"), row("a/1"), row("b/")], "IsTruncated": False}]
    assert keys(list_objects("b")) == ["a/1"]


def test_it_is_lazy(pages):
    pages.answers = [
        {"Contents": [row("a")], "IsTruncated": True, "NextContinuationToken": "t"},
        {"Contents": [row("b")], "IsTruncated": False},
    ]
    listing = list_objects("bucket")
    assert not pages.requests
    assert next(listing).key == "a"
    assert len(pages.requests) == 1
    assert next(listing).key == "b"
    assert pages.requests[1]["ContinuationToken"] == "t"


@pytest.mark.parametrize(
    ("arguments", "size"),
    [({}, 1000), ({"limit": 3}, 3), ({"limit": 5000}, 1000), ({"limit": 3, "suffixes": ".mp4"}, 1000)],
)
def test_no_more_is_asked_for_than_can_be_used(pages, arguments, size):
    pages.answers = [{}]
    assert not list(list_objects("b", "p/", **arguments))
    assert pages.requests == [{"Bucket": "b", "Prefix": "p/", "MaxKeys": size}]


def test_the_limit_ends_the_listing_without_another_request(pages):
    pages.answers = [{"Contents": [row("a"), row("b")], "IsTruncated": True, "NextContinuationToken": "t"}]
    assert keys(list_objects("b", limit=2)) == ["a", "b"]
    assert len(pages.requests) == 1


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_is_none_is_refused_at_the_call(limit):
    with pytest.raises(ValueError, match="at least 1"):
        list_objects("b", limit=limit)


@pytest.mark.parametrize("second", [None, "same"])
def test_a_listing_that_cannot_go_on_is_an_error_and_no_short_listing(pages, second):
    pages.answers = [
        {"Contents": [row("a")], "IsTruncated": True, "NextContinuationToken": "same"},
        {"Contents": [row("a")], "IsTruncated": True, **({"NextContinuationToken": second} if second else {})},
    ]
    with pytest.raises(StorageError, match="cannot be completed"):
        list(list_objects("b"))
    assert len(pages.requests) == 2


@pytest.mark.usefixtures("bucket")
def test_a_missing_bucket_is_named():
    with pytest.raises(BucketNotFoundError) as caught:
        next(list_objects("absent-bucket"))
    assert caught.value.bucket == "absent-bucket"
    assert caught.value.operation == "ListObjectsV2"
