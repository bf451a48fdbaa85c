"""Uploads from memory and downloads into memory, whole and by range. Bad input: `test_bad_input.py`."""

from __future__ import annotations

import array
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from core.storage import (
    IntegrityError,
    ObjectChangedError,
    ObjectNotFoundError,
    StoreUnreachableError,
    UnsafeKeyError,
    download_bytes,
    download_many,
    get_s3_client,
    list_objects,
    upload_bytes,
    upload_many,
)
from core.storage._transfer.sink import CHUNK
from tests.core import _fake_s3 as faults
from tests.core.transport import MIB

BODY = bytes(range(256)) * 4096 + b"the end"  # over 1 MiB, so that it is hashed in a thread


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 5_000_003])
def test_what_is_downloaded_is_what_was_uploaded(any_bucket, size):
    data = os.urandom(size)
    info = upload_bytes(data, any_bucket, "a.bin", metadata={"camera": "north"})
    assert (info.size, info.etag, info.verified_by) == (size, hashlib.md5(data).hexdigest(), "md5")  # noqa: S324
    assert download_bytes(any_bucket, "a.bin") == data
    head = get_s3_client().head_object(Bucket=any_bucket, Key="a.bin")
    assert head["Metadata"] == {"camera": "north"}


@pytest.mark.usefixtures("small_parts")
def test_much_data_goes_in_parts(any_bucket):
    data = os.urandom(11 * MIB + 5)
    assert upload_bytes(data, any_bucket, "a.bin").etag.endswith("-3")
    assert download_bytes(any_bucket, "a.bin") == data


@pytest.mark.parametrize(
    "data",
    [
        bytearray(b"frame"),
        memoryview(b"a frame")[2:],
        array.array("H", [1, 2, 3]),
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.zeros((0, 3), dtype=np.uint8),
    ],
    ids=["bytearray", "memoryview", "array", "numpy", "empty numpy"],
)
def test_every_contiguous_buffer_is_data(bucket, data):
    upload_bytes(data, bucket, "k")
    assert download_bytes(bucket, "k") == bytes(memoryview(data).tobytes())


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, 5, BODY[:5]),
        (5, None, BODY[5:]),
        (len(BODY) - 3, None, b"end"),
        (len(BODY) - 3, 100, b"end"),
        (100, 2 * CHUNK, BODY[100 : 100 + 2 * CHUNK]),
        (0, len(BODY), BODY),
    ],
)
def test_a_range_is_the_bytes_that_a_slice_has(any_bucket, transport, start, length, expected):
    upload_bytes(BODY, any_bucket, "k")
    assert download_bytes(any_bucket, "k", start=start, length=length) == expected
    assert transport.requests["GetObject"] == 1


@pytest.mark.parametrize("key", ["", "a/", "a\0"])
def test_what_is_no_key_is_refused(fake, key):
    with pytest.raises(UnsafeKeyError):
        download_bytes("bucket", key)
    with pytest.raises(UnsafeKeyError):
        upload_bytes(b"", "bucket", key)
    assert not fake.requests


def test_an_absent_object_is_named(any_bucket):
    with pytest.raises(ObjectNotFoundError, match="there is no object 'k'"):
        download_bytes(any_bucket, "k")


@pytest.mark.parametrize("fault", [faults.truncated(1000), faults.reset(1000)], ids=["truncated", "reset"])
def test_a_download_that_breaks_is_resumed(fake, fault):
    fake.put("/bucket/k", BODY)
    fake.faults.append(fault)
    assert download_bytes("bucket", "k") == BODY
    assert [headers.get("Range") for headers in fake.seen("GET")] == [None, "bytes=1000-"]


def test_a_flipped_bit_is_read_again_and_then_an_error(fake):
    fake.put("/bucket/k", BODY)
    fake.faults.append(faults.flipped)
    assert download_bytes("bucket", "k") == BODY
    fake.always = faults.flipped
    with pytest.raises(IntegrityError, match="checksum mismatch"):
        download_bytes("bucket", "k")


def test_a_store_that_never_sends_it_all_is_unreachable(fake):
    fake.put("/bucket/k", BODY)
    fake.always = faults.truncated(10)
    with pytest.raises(StoreUnreachableError, match=r"broke 5 times at byte 50"):
        download_bytes("bucket", "k")


@pytest.mark.parametrize("start", [0, 3])
def test_an_object_that_is_replaced_meanwhile_is_an_error(fake, start):
    fake.put("/bucket/k", BODY)

    def cut(handler, body, position):
        faults.truncated(1000)(handler, body, position)
        fake.put("/bucket/k", b"another" * 1000)

    fake.faults.append(cut)
    with pytest.raises(ObjectChangedError, match="was replaced while it was read"):
        download_bytes("bucket", "k", start=start)


def test_a_server_that_ignores_the_range_is_an_error(fake):
    fake.put("/bucket/k", BODY)
    fake.always = faults.ignores_range()
    for given in ({"start": 3}, {"length": 3}):
        with pytest.raises(IntegrityError, match="received the whole object: a proxy may remove the header Range"):
            download_bytes("bucket", "k", **given)
    assert download_bytes("bucket", "k", length=len(BODY)) == BODY  # which is what was requested


def test_many_go_to_and_from_memory(any_bucket):
    contents = {f"f/{number}": os.urandom(number) for number in range(40)}
    results = list(upload_many((data, any_bucket, key) for key, data in contents.items()))
    assert all(result.ok and result.path is None for result in results)
    downloads = list(download_many(list_objects(any_bucket, "f/"), None))
    assert {result.item.key: result.data for result in downloads} == contents
    assert all(result.info and result.info.verified_by == "md5" for result in downloads)
    again = list(upload_many(((data, any_bucket, key) for key, data in contents.items()), resume=True))
    assert all(result.skipped for result in again)
    changed = list(upload_many([(b"?" * 5, any_bucket, "f/5")], resume=True))
    assert not changed[0].skipped


def test_an_item_that_is_none_is_its_own_error(bucket):
    items: list[Any] = [
        (b"x", bucket, "k"),
        ("/absent", bucket, "k2"),
        (5, bucket, "k3"),
        b"x",
        (np.zeros(4)[::2], bucket, "k"),
    ]
    errors = {str(result.item)[:10]: result.error for result in upload_many(items)}
    kinds = sorted(type(error).__name__ for error in errors.values())
    assert kinds == ["FileNotFoundError", "NoneType", "TypeError", "TypeError", "ValueError"]


def test_the_data_of_a_result_is_not_in_its_repr(bucket):
    upload_bytes(b"secret content", bucket, "k")
    (result,) = download_many([(bucket, "k")], None)
    assert result.data == b"secret content"
    assert "secret content" not in repr(result)


def test_many_threads_use_it_at_once(bucket):
    contents = [os.urandom(1000 + number) for number in range(40)]

    def work(number: int) -> bytes:
        upload_bytes(contents[number], bucket, f"k{number}")
        return download_bytes(bucket, f"k{number}")

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(work, range(40))) == contents
