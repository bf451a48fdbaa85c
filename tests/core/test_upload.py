from __future__ import annotations

import hashlib
import logging
import os
import signal
import threading
import time
from base64 import b64encode
from pathlib import Path

import pytest

from core.storage import (
    AccessDeniedError,
    BucketNotFoundError,
    IntegrityError,
    UnsafeKeyError,
    download_file,
    get_s3_client,
    upload_file,
)
from core.storage._transfer import multipart
from core.storage._transfer.content_types import content_type_of
from tests.core.transport import requests_of

MIB = 1024 * 1024


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.mp4"
    path.write_bytes(os.urandom(1000))
    return path


@pytest.fixture
def large(tmp_path, small_parts):  # a fixture cannot use usefixtures
    path = tmp_path / "large.mp4"
    path.write_bytes(os.urandom(12 * MIB + 5))
    return path


def test_a_small_file_goes_in_one_request(any_bucket, small):
    reports: list[int] = []
    info = upload_file(small, any_bucket, "out/a.mp4", metadata={"Match": "01"}, progress=reports.append)
    assert info.etag == hashlib.md5(small.read_bytes(), usedforsecurity=False).hexdigest()
    assert (info.key, info.size, info.verified_by) == ("out/a.mp4", 1000, "md5")
    assert info.last_modified.tzinfo is not None
    assert reports == [1000]
    found = get_s3_client().head_object(Bucket=any_bucket, Key="out/a.mp4")
    assert found["ContentType"] == "video/mp4"
    assert found["Metadata"] == {"match": "01"}
    assert found["ETag"] == f'"{info.etag}"'


def test_a_large_file_goes_in_parts(any_bucket, large, tmp_path):
    reports: list[int] = []
    info = upload_file(
        large, any_bucket, "a.bin", content_type="x/y", metadata={"a": "b"}, progress=reports.append
    )
    assert info.verified_by == "md5"
    assert info.etag.endswith("-3")
    assert sum(reports) == 12 * MIB + 5
    assert all(count > 0 for count in reports)
    found = get_s3_client().head_object(Bucket=any_bucket, Key="a.bin")
    assert (found["ContentType"], found["Metadata"]) == ("x/y", {"a": "b", "mpr-part-size": str(5 * MIB)})
    download_file(any_bucket, "a.bin", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == large.read_bytes()


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("size", [0, 6 * MIB, 6 * MIB + 1, 10 * MIB])
def test_files_just_below_and_above_the_threshold_are_uploaded_whole(bucket, tmp_path, size):
    path = tmp_path / "f"
    path.write_bytes(os.urandom(size))
    info = upload_file(path, bucket, "k")
    assert ("-" in info.etag) == (size > 6 * MIB)
    assert get_s3_client().head_object(Bucket=bucket, Key="k")["ContentLength"] == size


def test_every_request_carries_its_md5_and_no_acl(fake, small, large):
    upload_file(small, "bucket", "a")
    upload_file(large, "bucket", "b")
    puts = fake.seen("PUT")
    assert len(puts) == 4
    for headers in puts:
        assert "Content-MD5" in headers
    assert (
        puts[0]["Content-MD5"]
        == b64encode(hashlib.md5(small.read_bytes(), usedforsecurity=False).digest()).decode()
    )
    assert not [name for _, _, headers in fake.requests for name in headers if "acl" in name.lower()]
    assert fake.objects["/bucket/b"] == large.read_bytes()


def test_the_real_store_refuses_a_flipped_bit(any_bucket, small, transport):
    def flip(request, send):
        return send(request._replace(body=bytes([request.body[0] ^ 1]) + request.body[1:]))

    transport.handle(requests_of("PutObject"), flip)
    with pytest.raises(IntegrityError) as caught:
        upload_file(small, any_bucket, "k")
    # Versity compares the SHA-256 of the signature first.
    assert caught.value.code in {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch"}
    assert get_s3_client().list_objects_v2(Bucket=any_bucket)["KeyCount"] == 0


@pytest.mark.parametrize("which", ["small", "large"])
def test_an_etag_that_is_not_the_hash_is_an_error(fake, request, which):
    path = request.getfixturevalue(which)
    fake.etag = "0" * 32 + ("-3" if which == "large" else "")
    with pytest.raises(IntegrityError, match="upload it again"):
        upload_file(path, "bucket", "k")


@pytest.mark.parametrize("which", ["small", "large"])
@pytest.mark.parametrize(
    ("etag", "headers"),
    [('"opaque"', {}), (None, {"x-amz-server-side-encryption": "aws:kms"})],
)
def test_an_etag_that_is_no_hash_proves_less(fake, request, which, etag, headers):
    fake.etag = etag or f'"{"0" * 32}{"-3" if which == "large" else ""}"'
    fake.headers |= headers
    assert upload_file(request.getfixturevalue(which), "bucket", "k").verified_by == "content-md5"


@pytest.mark.parametrize("what", ["PUT", "COMPLETE"])
def test_parts_are_discarded_after_a_failure(fake, large, what):
    fake.refuse[what] = (403, "AccessDenied")
    with pytest.raises(AccessDeniedError):
        upload_file(large, "bucket", "k")
    assert len(fake.seen("DELETE")) == 1
    assert not fake.objects


def test_nothing_is_discarded_when_nothing_was_begun(fake, large):
    fake.refuse["CREATE"] = (404, "NoSuchBucket")
    with pytest.raises(BucketNotFoundError) as caught:
        upload_file(large, "bucket", "k")
    assert caught.value.operation == "CreateMultipartUpload"
    assert not fake.seen("DELETE")


def test_when_discarding_fails_too_the_first_error_is_raised(fake, large, caplog):
    fake.refuse |= {"PUT": (403, "AccessDenied"), "DELETE": (403, "AccessDenied")}
    with pytest.raises(AccessDeniedError) as caught:
        upload_file(large, "bucket", "k")
    assert caught.value.operation == "UploadPart"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "parts of k may be left" in caplog.text


def test_an_interrupt_discards_the_parts(any_bucket, large, transport):
    transport.fail(requests_of("UploadPart"), KeyboardInterrupt(), times=1)
    with pytest.raises(KeyboardInterrupt):
        upload_file(large, any_bucket, "k")
    client = get_s3_client()
    assert not client.list_multipart_uploads(Bucket=any_bucket).get("Uploads")
    assert client.list_objects_v2(Bucket=any_bucket)["KeyCount"] == 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mpr-upload")]


def test_an_interrupt_while_an_upload_is_created_aborts_it(any_bucket, large, transport):
    def interrupted(_request, send):
        response = send()
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)  # the cancellation comes before the response
        return response

    transport.handle(requests_of("CreateMultipartUpload"), interrupted, times=1)
    with pytest.raises(KeyboardInterrupt):
        upload_file(large, any_bucket, "k")
    assert transport.requests["AbortMultipartUpload"] == 1
    assert not get_s3_client().list_multipart_uploads(Bucket=any_bucket).get("Uploads")


@pytest.mark.parametrize("which", ["small", "large"])
@pytest.mark.parametrize("change", ["grow", "shrink", "touch"])
def test_a_file_that_changes_meanwhile_is_not_uploaded(bucket, request, monkeypatch, which, change):
    path = request.getfixturevalue(which)
    real = os.preadv
    todo = [change]

    def preadv(descriptor, buffers, start):
        if todo:
            todo.clear()
            if change == "touch":
                os.utime(path, (1, 1))
            else:
                os.truncate(path, path.stat().st_size + (1 if change == "grow" else -500))
        return real(descriptor, buffers, start)

    monkeypatch.setattr(os, "preadv", preadv)
    with pytest.raises(IntegrityError, match="changed while it was uploaded"):
        upload_file(path, bucket, "k")
    client = get_s3_client()
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_read_that_comes_in_pieces_is_completed(fake, small, monkeypatch):
    real = os.preadv
    monkeypatch.setattr(os, "preadv", lambda descriptor, buffers, start: real(descriptor, [buffers[0][:7]], start))
    upload_file(small, "bucket", "k")
    assert fake.objects["/bucket/k"] == small.read_bytes()


@pytest.mark.parametrize("key", ["", "a/", "a\0", "/a", "a//b", "a/../b", "./a", "a\\b"])
def test_keys_that_stores_take_differently_are_refused(fake, small, key):
    with pytest.raises(UnsafeKeyError):
        upload_file(small, "bucket", key)
    assert not fake.requests


def test_what_is_no_file_is_refused(fake, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        upload_file(tmp_path, "bucket", "k")
    with pytest.raises(OSError, match="no regular file"):
        upload_file(tmp_path / "pipe", "bucket", "k")
    with pytest.raises(FileNotFoundError):
        upload_file(tmp_path / "none", "bucket", "k")
    assert not fake.requests


def test_a_file_whose_size_is_reported_as_0_is_uploaded_with_its_content(bucket):
    content = Path("/proc/version").read_bytes()
    assert Path("/proc/version").stat().st_size == 0
    assert upload_file("/proc/version", bucket, "version.txt").size == len(content) > 0
    assert get_s3_client().get_object(Bucket=bucket, Key="version.txt")["Body"].read() == content


@pytest.mark.usefixtures("any_bucket")
def test_a_missing_bucket_is_named(small):
    with pytest.raises(BucketNotFoundError, match="no bucket absent-bucket"):
        upload_file(small, "absent-bucket", "k")


def test_parts_grow_so_that_there_are_never_too_many():
    tib = 1024**4
    for size in (1, 33 * MIB, 100 * 1024 * MIB, 5 * tib, 48 * tib):
        part = multipart.part_size(size)
        assert part >= 16 * MIB
        assert part % MIB == 0
        assert -(-size // part) <= 10_000
    assert multipart.part_size(100 * 1024 * MIB) == 16 * MIB


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.mp4", "video/mp4"), ("A.MKV", "video/x-matroska"), ("a.mov", "video/quicktime"),
        ("a.webm", "video/webm"), ("a.m4v", "video/x-m4v"), ("a.ts", "video/mp2t"),
        ("a.jsonl", "application/jsonl"), ("a.parquet", "application/vnd.apache.parquet"),
        ("a.jpg", "image/jpeg"), ("a.png", "image/png"), ("a.json", "application/json"), ("a.txt", "text/plain"),
        ("a.npy", "application/octet-stream"), ("a", "application/octet-stream"),
        # Python's own table has no entry for these, or another one in each version.
        ("a.avif", "image/avif"), ("a.opus", "audio/ogg"), ("a.flac", "audio/flac"), ("a.ass", "text/x-ssa"),
        ("a.m3u8", "application/vnd.apple.mpegurl"), ("a.ttml", "application/ttml+xml"),
        ("a.mxf", "application/mxf"), ("a.js", "text/javascript"),
        (".mp4", "application/octet-stream"),
        ("a.tar.gz", "application/octet-stream"), ("a.mp4/b", "application/octet-stream"),
    ],
)  # fmt: skip
def test_the_content_type_goes_by_the_suffix_of_the_key(name, expected):
    assert content_type_of(name) == expected


@pytest.mark.parametrize(
    ("metadata", "error", "sentence"),
    [
        ({"a": 1}, TypeError, "must map text to text"),
        ({1: "a"}, TypeError, "must map text to text"),
        ({"a b": "c"}, ValueError, "a name of metadata must be letters"),
        ({"a:b": "c"}, ValueError, "a name of metadata must be letters"),
        ({"": "c"}, ValueError, "a name of metadata must be letters"),
        ({"Match": "1", "match": "2"}, ValueError, "differ in case alone"),
        ({"a": "b\r\nc: d"}, ValueError, "must be printable ASCII"),
    ],
)
def test_metadata_that_cannot_be_a_header_is_refused(fake, small, metadata, error, sentence):
    with pytest.raises(error, match=sentence):
        upload_file(small, "bucket", "k", metadata=metadata)
    assert fake.requests == []


@pytest.mark.minio
@pytest.mark.usefixtures("small_parts")
def test_an_object_in_parts_under_a_key_of_kms_is_uploaded_and_downloaded(
    minio, new_bucket, admin, large, tmp_path
):
    """MinIO names the key in its responses to UploadPart, and not in that to CompleteMultipartUpload."""
    bucket = new_bucket(minio)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "tests"}}
    admin(minio).put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert upload_file(large, bucket, "a.bin").verified_by == "content-md5"
    assert download_file(bucket, "a.bin", tmp_path / "back").verified_by == "size"
    assert (tmp_path / "back").read_bytes() == large.read_bytes()


@pytest.mark.parametrize("change", [str.upper, lambda etag: f"W/{etag}"], ids=["upper case", "weak"])
@pytest.mark.usefixtures("small_parts")
def test_etags_in_upper_case_and_weak_ones_are_compared(bucket, small, large, transport, change, tmp_path):
    def changed(request, send):
        response = send()
        if request.operation == "UploadPart" and change is str.upper:
            return response  # the real store knows its own ETags alone
        response.headers = dict(response.headers)
        if "etag" in response.headers:
            response.headers["etag"] = change(response.headers["etag"])
        return response

    transport.handle(lambda _request: True, changed)
    for path in (small, large):
        assert upload_file(path, bucket, "k").verified_by == "md5"
        assert download_file(bucket, "k", tmp_path / "back").verified_by == "md5"
