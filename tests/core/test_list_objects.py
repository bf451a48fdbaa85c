from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.storage import (
    BucketNotFoundError,
    InvalidResponseError,
    ObjectInfo,
    StorageError,
    get_s3_client,
    list_objects,
)
from core.storage._listing.page import parsed
from tests.core.transport import requests_of, response


@pytest.fixture
def filled(any_bucket):
    client = get_s3_client()
    for key in ("a/1.mp4", "a/2.MP4", "a/3.jpg", "b/é ü+%.mp4", "c.mov"):
        client.put_object(Bucket=any_bucket, Key=key, Body=key.encode())
    return any_bucket


class Pages:
    """Responses instead of a store's, and the requests for them."""

    def __init__(self) -> None:
        self.responses: list[bytes] = []
        self.requests: list[dict[str, str]] = []

    def add(self, *names: str, token: str | None = None, truncated: bool | None = None) -> None:
        self.responses.append(
            page(*names, token=token, truncated=token is not None if truncated is None else truncated)
        )

    def respond(self, request: Any, _send: object) -> Any:
        self.requests.append(dict(parse_qsl(request.query)))
        return response(200, self.responses[len(self.requests) - 1], {}, request)


def page(*names: str, token: str | None, truncated: bool) -> bytes:
    rows = "".join(
        f"<Contents><Key>{quote(name)}</Key><Size>1</Size><ETag>&quot;e&quot;</ETag>"
        "<LastModified>2025-01-01T00:00:00.000Z</LastModified></Contents>"
        for name in names
    )
    ends = f"<IsTruncated>{str(truncated).lower()}</IsTruncated>"
    goes_on = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    kind = "<EncodingType>url</EncodingType>"
    return f'<ListBucketResult xmlns="{space}">{kind}{rows}{ends}{goes_on}</ListBucketResult>'.encode()


@pytest.fixture
def pages(transport, use):
    use("http://127.0.0.1:9", "bucket")
    made = Pages()
    transport.handle(requests_of("ListObjectsV2"), made.respond)
    return made


def keys(listing: Iterable[ObjectInfo]) -> list[str]:
    return [info.key for info in listing]


def test_everything_is_listed_with_what_is_known_of_it(filled):
    found = list(list_objects(filled))
    assert keys(found) == ["a/1.mp4", "a/2.MP4", "a/3.jpg", "b/é ü+%.mp4", "c.mov"]
    first = found[0]
    assert (first.size, len(first.etag), first.verified_by) == (7, 32, "")
    assert abs(first.last_modified - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_listing_is_narrowed_by_prefix_suffixes_and_limit(filled):
    assert keys(list_objects(filled, "a/")) == ["a/1.mp4", "a/2.MP4", "a/3.jpg"]
    assert keys(list_objects(filled, suffixes=(".mp4", ".mov"))) == ["a/1.mp4", "a/2.MP4", "b/é ü+%.mp4", "c.mov"]
    assert keys(list_objects(filled, suffixes=".MOV")) == ["c.mov"]
    assert keys(list_objects(filled, limit=2)) == ["a/1.mp4", "a/2.MP4"]
    assert keys(list_objects(filled, suffixes=".mp4", limit=2)) == ["a/1.mp4", "a/2.MP4"]
    assert not keys(list_objects(filled, "none/"))


def test_a_listing_of_more_than_one_page_is_complete(filled, page_size):
    page_size(2)
    assert len(keys(list_objects(filled))) == 5
    assert len(keys(list_objects(filled, limit=4))) == 4


def test_folder_markers_are_left_out(pages):
    pages.add("a/", "a/1", "b/")
    assert keys(list_objects("bucket")) == ["a/1"]


def test_pages_are_requested_when_the_iteration_gets_there(pages):
    pages.add("a", token="t")
    pages.add("b")
    listing = list_objects("bucket")
    assert not pages.requests
    assert next(listing).key == "a"
    assert len(pages.requests) == 1
    assert next(listing).key == "b"
    assert pages.requests[1]["continuation-token"] == "t"


@pytest.mark.parametrize(
    ("arguments", "size"),
    [({}, 1000), ({"limit": 3}, 3), ({"limit": 5000}, 1000), ({"limit": 3, "suffixes": ".mp4"}, 1000)],
)
def test_no_more_is_asked_for_than_can_be_used(pages, arguments, size):
    pages.add()
    assert not list(list_objects("bucket", "p/", **arguments))
    asked = {"list-type": "2", "encoding-type": "url", "prefix": "p/", "max-keys": str(size)}
    assert pages.requests == [asked]


def test_the_limit_ends_the_listing_without_another_request(pages):
    pages.add("a", "b", token="t")
    assert keys(list_objects("bucket", limit=2)) == ["a", "b"]
    assert len(pages.requests) == 1


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_is_none_is_refused_at_the_call(limit):
    with pytest.raises(ValueError, match="at least 1"):
        list_objects("b", limit=limit)


@pytest.mark.parametrize("second", [None, "same"])
def test_a_listing_that_cannot_go_on_is_an_error_and_no_short_listing(pages, second):
    pages.add("a", token="same")
    pages.add("a", token=second, truncated=True)
    with pytest.raises(StorageError, match="cannot be completed"):
        list(list_objects("bucket"))
    assert len(pages.requests) == 2


def test_continuation_tokens_that_repeat_are_an_error_and_no_endless_listing(pages):
    for token in "ABAB":
        pages.add("k", token=token)
    with pytest.raises(StorageError, match="goes on, but not where"):
        list(list_objects("bucket"))
    assert len(pages.requests) <= 4


@pytest.mark.usefixtures("any_bucket")
def test_a_missing_bucket_is_named():
    with pytest.raises(BucketNotFoundError) as caught:
        next(list_objects("absent-bucket"))
    assert caught.value.bucket == "absent-bucket"
    assert caught.value.operation == "ListObjectsV2"


ROW = (
    "<Contents><Key>a</Key><Size>1</Size><LastModified>2025-01-01T00:00:00.000Z</LastModified></Contents>",
    "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>",
)


@pytest.mark.timeout(30)  # a listing that waits for a thread which has ended would never return
@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize(
    ("listing", "said"),
    [
        ("<ListBucketResult><Contents>", "the listing is not XML"),
        (ROW[0].replace("<Key>a</Key>", ""), "an object without the XML element Key"),
        (ROW[0].replace("<Size>1</Size>", ""), "an object without the XML element Size"),
        (ROW[0].replace("2025-01-01T00:00:00.000Z", ""), "whose Key, Size or LastModified has no value"),
        (ROW[0].replace("<Size>1", "<Size>-1"), "whose Key, Size or LastModified has no value"),
        (ROW[0].replace("<Size>1", "<Size>" + "9" * 5000), "whose Key, Size or LastModified has no value"),
        (ROW[0].replace("<Key>a", "<Key>"), "whose Key, Size or LastModified has no value"),
        (ROW[0].replace("2025-", "99999-"), "whose Key, Size or LastModified has no value"),
        (ROW[0].replace(".000Z", ""), "whose Key, Size or LastModified has no value"),
        ('<?xml version="1.0" encoding="nope"?><ListBucketResult></ListBucketResult>', "the listing is not XML"),
        (ROW[0].replace("<Size>1", "<Size>one"), "whose Key, Size or LastModified has no value"),
    ],
)
def test_a_listing_that_cannot_be_parsed_is_an_error(transport, use, workers, listing, said):
    use("http://127.0.0.1:9", "bucket")
    whole = "<ListBucketResult>{}</ListBucketResult>"
    damaged = listing if "<ListBucketResult>" in listing else whole.format(listing)
    transport.respond(requests_of("ListObjectsV2", query="delimiter"), 200, whole.format(ROW[1]).encode())
    transport.respond(requests_of("ListObjectsV2"), 200, damaged.encode())
    with pytest.raises(InvalidResponseError, match=said):
        list(list_objects("bucket", workers=workers))


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", [KeyError, ValueError, ZeroDivisionError, MemoryError])
def test_whatever_a_listing_thread_raises_is_raised_to_the_caller(transport, use, kind):
    use("http://127.0.0.1:9", "bucket")
    folders = f"<ListBucketResult>{ROW[1]}</ListBucketResult>".encode()
    transport.respond(requests_of("ListObjectsV2", query="delimiter"), 200, folders)
    transport.fail(requests_of("ListObjectsV2"), kind("a mistake"))
    with pytest.raises(kind, match="a mistake"):
        list(list_objects("bucket", workers=4))


@given(name=st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20))
def test_every_key_is_listed_as_it_is(name):
    body = page(name, token=None, truncated=False)
    assert [one.key for one in parsed(body, "b").objects] == [name]
    plus = quote(name).replace("%20", "+").encode()  # AWS writes a space as a plus
    assert [one.key for one in parsed(body.replace(quote(name).encode(), plus), "b").objects] == [name]


# --- folders side by side -------------------------------------------------------------------------------


@pytest.fixture
def folders(bucket):
    return fill_folders(bucket)


@pytest.fixture
def any_folders(any_bucket):
    return fill_folders(any_bucket)


def fill_folders(bucket: str) -> str:
    """Put objects into folders and between them, with names that sort unlike their folders."""
    names = [f"{folder}/{number}" for folder in ("a", "b", "b-c", "d") for number in range(7)]
    names += ["a.first", "b0", "c", "z/deep/er/1"]
    for name in names:
        get_s3_client().put_object(Bucket=bucket, Key=f"top/{name}", Body=b"x")
    return bucket


@pytest.mark.parametrize("workers", [2, 3, 50])
def test_folders_listed_side_by_side_come_in_order(any_folders, page_size, workers):
    # SeaweedFS lists a folder before what sorts before its slash; S3, and folders side by side, go by the bytes.
    expected = sorted(keys(list_objects(any_folders, "top/")), key=str.encode)
    assert len(expected) == 32
    page_size(3)
    assert keys(list_objects(any_folders, "top/", workers=workers)) == expected
    assert keys(list_objects(any_folders, "top/", workers=workers, suffixes="/1")) == [
        key for key in expected if key.endswith("/1")
    ]
    assert keys(list_objects(any_folders, "top/", workers=workers, limit=9)) == expected[:9]


def test_an_error_in_one_folder_is_raised_in_its_place(folders, transport):
    transport.fail(requests_of("ListObjectsV2", query="prefix=top%2Fb%2F"), StorageError("broken"))
    before = ["top/a.first", *(f"top/{folder}/{number}" for folder in ("a", "b-c") for number in range(7))]
    listing = list_objects(folders, "top/", workers=4)
    assert [next(listing).key for _ in before] == before
    with pytest.raises(StorageError, match="broken"):
        next(listing)


@pytest.mark.parametrize("error", [StorageError("broken"), KeyError("broken"), ValueError("broken")], ids=repr)
def test_an_error_of_the_page_ahead_is_raised_in_its_place(transport, use, error):
    use("http://127.0.0.1:9", "bucket")
    made = Pages()
    made.add("a", token="1")
    made.add("b", token="2")
    transport.fail(requests_of("ListObjectsV2", query="continuation-token=2"), error)
    transport.handle(requests_of("ListObjectsV2"), made.respond)
    listing = list_objects("bucket")
    assert [next(listing).key, next(listing).key] == ["a", "b"]
    with pytest.raises(type(error), match="broken"):
        next(listing)


def test_a_number_of_workers_that_is_none_is_refused_at_the_call():
    with pytest.raises(ValueError, match="workers must be at least 1"):
        list_objects("b", workers=0)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_listing_stays_with_the_store_that_it_began_with(bucket, monkeypatch, page_size, workers):
    page_size(2)
    keys = [f"{folder}/{number}" for folder in "abc" for number in range(5)]
    for key in keys:
        get_s3_client().put_object(Bucket=bucket, Key=key, Body=b"")
    listing = list_objects(bucket, workers=workers)
    found = [next(listing)]
    monkeypatch.setenv("S3_ENDPOINT_URL", "http://127.0.0.1:9")
    found += listing
    assert [one.key for one in found] == keys
