"""A response with status 200 is S3's, or an error: login pages and proxies are never taken for a store."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from core.storage import (
    FrameCache,
    IntegrityError,
    InvalidResponseError,
    StorageError,
    StoreUnreachableError,
    download_file,
    download_many,
    download_to_temp,
    list_objects,
    temporary_download,
    upload_file,
    upload_many,
)
from tests.core._fake_s3 import FakeS3, Page, etag_of, truncated
from tests.core.transport import MIB, Transport, requests_of, response

XHTML = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"><head><title>Sign in</title></head><body><p>Hello</p></body></html>"""
PAGES = {
    "html": Page(),
    "xhtml": Page(200, XHTML, "application/xhtml+xml"),
    "json": Page(200, b'{"status": "ok"}', "application/json"),
    "text": Page(200, b"It works!", "text/plain"),
}


@pytest.fixture(params=PAGES)
def page(request, fake: FakeS3) -> Page:
    """Respond to every request with a page."""
    fake.page = PAGES[request.param]
    return fake.page


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.mp4"
    path.write_bytes(b"x" * 1000)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A good file in a folder of its own."""
    path = tmp_path / "downloads" / "video.mp4"
    path.parent.mkdir()
    path.write_bytes(b"old")
    return path


def untouched(target: Path) -> bool:
    return target.read_bytes() == b"old" and list(target.parent.iterdir()) == [target]


# --- every operation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.usefixtures("page")
def test_a_page_is_not_an_empty_listing(fake, workers):
    with pytest.raises(InvalidResponseError, match=r"status 200, .* no XML element ListBucketResult"):
        list(list_objects("bucket", workers=workers))
    assert len(fake.requests) == 1


@pytest.mark.usefixtures("page")
def test_a_page_does_not_replace_a_file(fake, target):
    with pytest.raises(InvalidResponseError, match=r"GetObject on bucket/k: .* no ETag header") as caught:
        download_file("bucket", "k", target)
    assert (caught.value.bucket, caught.value.key, caught.value.operation) == ("bucket", "k", "GetObject")
    assert untouched(target)
    assert len(fake.requests) == 1


@pytest.mark.usefixtures("page")
def test_a_page_is_no_temporary_download(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(InvalidResponseError):
        download_to_temp("bucket", "k")
    with pytest.raises(InvalidResponseError), temporary_download("bucket", "k"):
        pytest.fail("there is nothing to work with")
    assert list(tmp_path.iterdir()) == []
    assert len(fake.requests) == 2


@pytest.mark.usefixtures("page")
def test_a_page_is_an_error_of_each_item_of_a_bulk_download(target):
    (result,) = download_many([("bucket", target.name)], target.parent)
    assert isinstance(result.error, InvalidResponseError)
    assert untouched(target)


@pytest.mark.usefixtures("page")
def test_a_page_does_not_confirm_an_upload(fake, source):
    with pytest.raises(InvalidResponseError, match=r"PutObject on bucket/k: .* no ETag header"):
        upload_file(source, "bucket", "k")
    assert len(fake.requests) == 1


@pytest.mark.usefixtures("page", "always_parts")
def test_a_page_does_not_begin_an_upload_in_parts(fake, source):
    with pytest.raises(InvalidResponseError, match="no XML element InitiateMultipartUploadResult"):
        upload_file(source, "bucket", "k")
    assert len(fake.requests) == 1


def test_a_description_without_a_size_is_an_error_of_its_item(use, transport, source):
    use("http://127.0.0.1:9", "bucket")
    headers = {"ETag": '"0cc175b9c0f1b6a831c399e269772661"', "Content-Length": ""}
    transport.respond(requests_of("HeadObject"), 200, headers=headers)
    (result,) = upload_many([(source, "bucket", "k")], resume=True)
    assert isinstance(result.error, InvalidResponseError)
    assert "no Content-Length header" in str(result.error)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.usefixtures("page")
def test_a_page_is_an_error_of_each_item_of_a_bulk_upload(fake, source, resume):
    (result,) = upload_many([(source, "bucket", "k")], resume=resume)
    assert isinstance(result.error, InvalidResponseError)
    assert result.error.operation == ("HeadObject" if resume else "PutObject")
    assert len(fake.requests) == 1


@pytest.mark.usefixtures("page")
def test_a_page_is_no_frame_cache(fake, target):
    cache = FrameCache("match-01")
    for use in (
        cache.exists,
        cache.manifest,
        lambda: cache.get(target.parent),
        lambda: cache.write_once(lambda: pytest.fail("whether there are frames is not known")),
        cache.discard,
        cache.sweep,
    ):
        with pytest.raises(InvalidResponseError):
            use()
    assert untouched(target)
    assert len(fake.requests) == 6


# --- one response among those of a store ----------------------------------------------------------------


@pytest.mark.usefixtures("always_parts")
def test_a_page_in_the_place_of_a_part_discards_the_upload(fake, source):
    fake.page = Page(takes=lambda _method, path: "partNumber=1" in path)
    with pytest.raises(InvalidResponseError, match=r"UploadPart on bucket/k: .* no ETag header"):
        upload_file(source, "bucket", "k")
    assert len(fake.seen("DELETE")) == 1
    assert not fake.objects


COMPLETE = requests_of("CompleteMultipartUpload")
NOT_COMPLETE = {
    "page": Page().body,
    "empty": b"",
    "another root": b"<R><ETag>x</ETag></R>",
    "no ETag": b"<?xml version='1.0'?><CompleteMultipartUploadResult><Key>k</Key></CompleteMultipartUploadResult>",
    "cut off": b"<CompleteMultipartUploadResult><ETag>x",
}


@pytest.mark.parametrize("times", [1, None], ids=["the first response", "every response"])
@pytest.mark.usefixtures("small_parts", "pauses")
def test_an_upload_whose_completion_got_a_page_for_response_is_found(any_bucket, tmp_path, transport, times):
    source = tmp_path / "large"
    source.write_bytes(os.urandom(7 * MIB))
    completed: list[Any] = []

    def complete_and_lose(request, send):
        if not completed:
            send().close()
            completed.append(request)
        return response(200, Page().body, {"Content-Type": "text/html"}, request)

    transport.handle(COMPLETE, complete_and_lose, times)
    info = upload_file(source, any_bucket, "large")
    assert (info.size, info.verified_by) == (7 * MIB, "md5")
    assert [(one.key, one.size) for one in list_objects(any_bucket)] == [("large", 7 * MIB)]
    assert transport.requests["CompleteMultipartUpload"] == (2 if times else 5)
    # Of a second attempt, stores either say that there is no such upload, or confirm it once more (SeaweedFS).
    assert transport.requests["HeadObject"] == 1 or times
    assert transport.requests["AbortMultipartUpload"] == 0


@pytest.mark.parametrize("body", NOT_COMPLETE.values(), ids=NOT_COMPLETE)
@pytest.mark.usefixtures("always_parts", "pauses")
def test_an_upload_that_is_never_confirmed_is_an_error_and_discarded(fake, source, transport, body):
    transport.respond(COMPLETE, 200, body)
    with pytest.raises(InvalidResponseError, match=r"CompleteMultipartUpload on bucket/k: .* no XML element"):
        upload_file(source, "bucket", "k")
    assert transport.requests["CompleteMultipartUpload"] == 5
    assert transport.requests["AbortMultipartUpload"] == 1
    assert not fake.objects


@pytest.mark.usefixtures("always_parts", "pauses")
def test_an_error_after_white_space_with_status_200_is_retried(fake, source, transport):
    # AWS sends white space to keep the connection open while it completes, and an error document after it.
    late = b'<?xml version="1.0"?>\n' + b" \n" * 500
    transport.respond(COMPLETE, 200, late + b"<Error><Code>InternalError</Code></Error>", times=2)
    assert upload_file(source, "bucket", "k").verified_by == "md5"
    assert transport.requests["CompleteMultipartUpload"] == 3
    assert fake.objects["/bucket/k"] == source.read_bytes()


@pytest.mark.parametrize(
    "start", [b"", b"\n  ", b' \n<?xml version="1.0"?>', b'<?xml version="1.0"?>' + b" \n" * 500, b"<!-- a -->\n"]
)
@pytest.mark.usefixtures("always_parts", "fake")
def test_a_completion_counts_with_any_text_before_its_root_element(source, transport, start):
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    result = f'<CompleteMultipartUploadResult xmlns="{space}"><ETag>opaque</ETag></CompleteMultipartUploadResult>'
    transport.respond(COMPLETE, 200, start + result.encode())
    assert upload_file(source, "bucket", "k").etag == "opaque"


@pytest.mark.parametrize("status", [200, 404, 206])
def test_a_page_in_the_middle_of_a_download_leaves_the_old_file(fake, target, status):
    fake.put("/bucket/k", b"new" * 100_000)
    fake.faults.append(truncated(1000))
    page = Page(status, takes=lambda _method, _path: len(fake.requests) == 1)
    fake.page = page
    with pytest.raises(InvalidResponseError, match=f"status {status}"):
        download_file("bucket", "k", target)
    assert len(fake.requests) == 2
    assert untouched(target)


def test_a_part_in_the_place_of_the_whole_object_is_an_error(fake, target):
    fake.put("/bucket/k", os.urandom(300_000))
    fake.always = lambda handler, whole, start: handler.send_object(whole[:1000], start, partial=True)
    with pytest.raises(IntegrityError, match="without a range received a partial response"):
        download_file("bucket", "k", target)
    assert untouched(target)


def test_an_object_that_is_an_html_page_is_downloaded(fake, target):
    fake.put("/bucket/k", Page().body)
    fake.headers["Content-Type"] = "text/html"
    assert download_file("bucket", "k", target).etag == etag_of(Page().body).strip('"')
    assert target.read_bytes() == Page().body


# --- what is retried ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_page_with_a_status_of_a_server_error_is_retried(fake, target, source, status):
    fake.page = Page(status)
    for transfer in (
        lambda: download_file("bucket", "k", target),
        lambda: upload_file(source, "bucket", "k"),
        lambda: list(list_objects("bucket")),
    ):
        fake.requests.clear()
        with pytest.raises(StoreUnreachableError):
            transfer()
        assert len(fake.requests) == 5
    assert untouched(target)


def test_a_404_of_a_proxy_is_not_the_absence_of_an_object(fake, target):
    fake.page = Page(404)
    with pytest.raises(InvalidResponseError, match=r"status 404, .* no error code of S3") as caught:
        download_file("bucket", "k", target)
    assert not isinstance(caught.value, FileNotFoundError)
    assert len(fake.requests) == 1


# --- the message ----------------------------------------------------------------------------------------


def message_of(page: Page, fake: FakeS3) -> str:
    fake.page = page
    with pytest.raises(StorageError) as caught:
        list(list_objects("bucket"))
    return str(caught.value)


def test_the_message_says_what_was_received_why_it_is_refused_and_what_to_do(fake):
    assert message_of(Page(), fake) == (
        "ListObjectsV2 on bucket: the response has status 200, Content-Type text/html ('Sign in - Example') and "
        "no XML element ListBucketResult, so it is not from an S3 API: S3_ENDPOINT_URL is the address of "
        "something else, or a proxy or login page responded instead of the store. Check the host and port of "
        "S3_ENDPOINT_URL (MinIO's console is on port 9001, its S3 API on 9000), HTTPS_PROXY and NO_PROXY"
    )


@pytest.mark.parametrize(
    ("content_type", "body", "shown"),
    [
        ("text/html", b"<title>\n  Caf\xc3\xa9 &amp; Bar\x1b[31m </title>", "'Caf\u00e9 & Bar [31m'"),
        ("text/plain", b"404 page not found\nmore", "'404 page not found'"),
        ("text/plain", b"Credential=AKIAIOSFODNN7EXAMPLE/20250101 bad", "'... bad'"),
        ("text/html", b"<title>" + b"word " * 100 + b"</title>", "'" + ("word " * 16).rstrip() + "'"),
        ("text/html", b"<h1>x-amz-security-token: a-token</h1>", ""),
        ("application/json", b'{"x-amz-security-token": "a-token"}', ""),
    ],
)
def test_the_message_quotes_a_title_or_a_line_and_nothing_that_could_be_a_secret(fake, content_type, body, shown):
    message = message_of(Page(200, body, content_type), fake)
    assert f"Content-Type {content_type}{f' ({shown})' if shown else ''} and" in message
    assert "a-token" not in message
    assert "AKIA" not in message


def test_the_content_type_in_the_message_is_cut(fake):
    assert f"Content-Type {'x' * 60} and" in message_of(Page(200, b"", "x" * 500), fake)


# --- what real stores send ------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_parts")
def test_every_store_sends_what_is_required_of_its_responses(any_bucket, tmp_path, transport: Transport):
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(os.urandom(7 * MIB))
    small.write_bytes(b"")
    for path in (large, small):
        upload_file(path, any_bucket, path.name)
        download_file(any_bucket, path.name, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == path.read_bytes()
    assert all(one.skipped for one in upload_many([(large, any_bucket, "large")], resume=True))
    assert len(list(list_objects(any_bucket))) == 2
    FrameCache("match-01").discard()
    assert set(transport.requests) == {
        *("PutObject", "GetObject", "HeadObject", "ListObjectsV2", "DeleteObject"),
        *("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
    }


# --- statuses without S3's error document ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "error", "sentence"),
    [
        (
            301,
            {"Location": "https://bucket.example/k?token=hush"},
            InvalidResponseError,
            r"a redirect \(301\) to https://bucket.example/k, which",
        ),
        (302, {}, InvalidResponseError, r"a redirect \(302\) to an address that it does not name"),
        (407, {}, StoreUnreachableError, "the proxy requires a login"),
        (413, {}, InvalidResponseError, "client_max_body_size"),
        (403, {}, InvalidResponseError, "status 403, Content-Type text/html .*no error code of S3"),
        (401, {}, InvalidResponseError, "status 401, Content-Type text/html .*no error code of S3"),
        (502, {}, StoreUnreachableError, "a gateway in front of the store responded 502"),
        (503, {}, StoreUnreachableError, "a gateway in front of the store responded 503"),
    ],
)
@pytest.mark.usefixtures("fake", "pauses")
def test_a_status_of_a_proxy_is_named_as_such(status, headers, error, sentence, transport, source, target):
    body = b"<html><title>No</title></html>"

    def respond(request, _send):
        return response(status, body, {"Content-Type": "text/html", **headers}, request)

    transport.handle(lambda _request: True, respond)
    with pytest.raises(error, match=sentence):
        upload_file(source, "bucket", "k")
    with pytest.raises(error, match=sentence):
        download_file("bucket", "k", target)
    assert untouched(target)


def test_an_archived_object_is_an_error_that_says_restore(fake, target):
    fake.put("/bucket/k", b"x")
    fake.always = lambda handler, _body, _start: handler.send_error_document(403, "InvalidObjectState")
    with pytest.raises(StorageError, match=r"bucket/k is archived .*restore it first"):
        download_file("bucket", "k", target)


def test_a_message_of_the_store_shows_no_access_key_and_no_control_character(transport, target, use):
    use("http://127.0.0.1:9", "bucket", key="studio-key-0001")
    body = (
        b"<Error><Code>InvalidAccessKeyId</Code><Message>no key studio-key-0001\x1b[2J here</Message>"
        b"<AWSAccessKeyId>studio-key-0001</AWSAccessKeyId></Error>"
    ).replace(b"\x1b", "\u009b".encode())
    transport.handle(lambda _request: True, lambda request, _send: response(403, body, {}, request))
    with pytest.raises(StorageError, match=r"no key \.\.\.0001 ") as caught:
        download_file("bucket", "k", target)
    assert str(caught.value).isprintable()
    assert "studio-key-0001" not in str(caught.value)
