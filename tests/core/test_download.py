from __future__ import annotations

import hashlib
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import zlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.storage import (
    IntegrityError,
    ObjectChangedError,
    ObjectNotFoundError,
    StorageError,
    StoreUnreachableError,
    UnsafeKeyError,
    download_file,
    download_to_temp,
    get_s3_client,
    temporary_download,
    upload_file,
)
from core.storage._engine import run
from core.storage._http import retry
from core.storage._transfer import atomic_file
from tests.core import _fake_s3 as faults

BODY = random.Random(1).randbytes(3 * 1024 * 1024 + 17)  # noqa: S311  # the same in every process


@pytest.fixture
def target(tmp_path):
    """A file that exists, in a folder of its own: after a failure both must be as they were."""
    path = tmp_path / "video.mp4"
    path.write_bytes(b"old")
    return path


@pytest.fixture
def served(fake):
    fake.put("/bucket/k.mp4", BODY)
    return fake


def untouched(target: Path) -> bool:
    return target.read_bytes() == b"old" and list(target.parent.iterdir()) == [target]


def whole(target: Path, body: bytes = BODY) -> bool:
    return target.read_bytes() == body and list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 5_000_003])
def test_a_download_is_what_was_uploaded(any_bucket, target, tmp_path_factory, size):
    source = tmp_path_factory.mktemp("source") / "f"
    source.write_bytes(os.urandom(size))
    sent = upload_file(source, any_bucket, "in/video.mp4")
    reports: list[int] = []

    info = download_file(any_bucket, "in/video.mp4", target, progress=reports.append)

    assert whole(target, source.read_bytes())
    assert (info.key, info.size, info.etag, info.verified_by) == ("in/video.mp4", size, sent.etag, "md5")
    assert info.last_modified.tzinfo is not None
    assert sum(reports) == size
    assert all(report > 0 for report in reports)


@pytest.mark.parametrize(
    "key", ["a b+c&d?e#f.mp4", "%41%2F.mp4", "\u00e9.mp4", "e\u0301.mp4", "🎬/x.mp4", "a'\"b"]
)
def test_odd_keys_arrive(any_bucket, target, key):
    get_s3_client().put_object(Bucket=any_bucket, Key=key, Body=b"odd")
    assert download_file(any_bucket, key, target).key == key
    assert target.read_bytes() == b"odd"


def test_a_missing_object_leaves_the_target_alone(any_bucket, target):
    with pytest.raises(ObjectNotFoundError) as caught:
        download_file(any_bucket, "none.mp4", target)
    assert (caught.value.bucket, caught.value.key, caught.value.code) == (any_bucket, "none.mp4", "NoSuchKey")
    assert caught.value.operation == "GetObject"
    assert caught.value.request_id
    assert untouched(target)


@pytest.mark.parametrize("key", ["", "folder/", "a\0b"])
def test_what_names_no_object_is_refused_before_any_request(served, target, key):
    with pytest.raises(UnsafeKeyError):
        download_file("bucket", key, target)
    assert not served.requests
    assert untouched(target)


def test_a_bad_target_is_refused_before_any_request(served, tmp_path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        download_file("bucket", "k.mp4", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"create it first.*none"):
        download_file("bucket", "k.mp4", tmp_path / "none" / "k.mp4")
    with pytest.raises(NotADirectoryError):
        download_file("bucket", "k.mp4", tmp_path / "file" / "k.mp4")
    with pytest.raises(FileExistsError):
        download_file("bucket", "k.mp4", tmp_path / "pipe")
    assert not served.requests


@pytest.mark.usefixtures("served")
def test_a_name_as_long_as_the_file_system_allows(tmp_path):
    target = tmp_path / ("é" * 127)
    download_file("bucket", "k.mp4", target)
    assert whole(target)


@pytest.mark.usefixtures("served")
def test_a_new_file_has_the_mode_that_umask_says(tmp_path):
    old = os.umask(0o027)
    try:
        download_file("bucket", "k.mp4", tmp_path / "f")
    finally:
        os.umask(old)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


@pytest.mark.usefixtures("served")
def test_a_link_is_replaced_and_not_followed(target):
    link = target.with_name("link")
    link.symlink_to(target)
    download_file("bucket", "k.mp4", link)
    assert not link.is_symlink()
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("fault", [faults.truncated, faults.reset])
@pytest.mark.parametrize("at", [0, 1, 70_000, 2_500_000])
def test_a_broken_connection_is_resumed_where_it_broke(served, target, fault, at):
    served.faults.append(fault(at))
    reports: list[int] = []
    assert download_file("bucket", "k.mp4", target, progress=reports.append).verified_by == "md5"
    assert whole(target)
    assert sum(reports) == len(BODY)
    second = served.seen("GET")[1]
    if fault is faults.truncated and at:
        assert second["Range"] == f"bytes={at}-"
        assert second["If-Match"] == faults.etag_of(BODY)


@pytest.mark.parametrize("at", [0, 100])
@pytest.mark.parametrize("fault", [faults.truncated, faults.reset])
def test_a_connection_that_always_breaks_is_given_up(served, target, fault, at):
    served.always = fault(at)
    with pytest.raises(StoreUnreachableError, match="broke 5 times at byte"):
        download_file("bucket", "k.mp4", target)
    assert len(served.requests) == 5
    assert untouched(target)


def test_a_connection_that_always_breaks_but_gets_further_arrives(served, target):
    body = os.urandom(8 * 1024 * 1024)
    served.put("/bucket/k.mp4", body)
    served.always = faults.truncated(1_100_000)
    download_file("bucket", "k.mp4", target)
    assert whole(target, body)


def test_without_a_length_a_part_does_not_count_as_the_object(served, target):
    served.always = faults.unframed(1000)
    with pytest.raises(IntegrityError, match="has no Content-Length"):
        download_file("bucket", "k.mp4", target)
    assert untouched(target)


def test_a_server_that_ignores_ranges_is_read_from_the_start(served, target):
    served.faults.extend([faults.truncated(2_000_000), faults.ignores_range()])
    reports: list[int] = []
    download_file("bucket", "k.mp4", target, progress=reports.append)
    assert whole(target)
    assert sum(reports) == len(BODY)
    assert all(report > 0 for report in reports)


def test_a_server_that_ignores_ranges_and_always_breaks_is_given_up(served, target):
    served.always = faults.ignores_range(2_000_000)
    with pytest.raises(StoreUnreachableError):
        download_file("bucket", "k.mp4", target)
    assert len(served.requests) < 10
    assert untouched(target)


def test_a_wrong_range_is_not_written(served, target):
    served.faults.extend([faults.truncated(1000), faults.wrong_range])
    served.always = faults.truncated(1000)
    served.faults.extend([faults.truncated(1000), faults.wrong_range])
    with pytest.raises(IntegrityError, match="from byte 1000"):
        download_file("bucket", "k.mp4", target)
    assert untouched(target)


def test_more_bytes_than_named_are_refused(served, target):
    served.faults.extend([faults.truncated(1000), faults.longer] * 2)
    with pytest.raises(IntegrityError, match="more of"):
        download_file("bucket", "k.mp4", target)
    assert untouched(target)


def test_an_object_that_is_replaced_midway_is_an_error(served, target):
    served.faults.append(faults.swapping(BODY[::-1], 1_000_000))
    with pytest.raises(ObjectChangedError) as caught:
        download_file("bucket", "k.mp4", target)
    assert caught.value.code == "PreconditionFailed"
    assert untouched(target)


def test_a_replaced_object_is_an_error_on_a_server_that_ignores_conditions_too(served, target):
    served.faults.extend([faults.swapping(BODY[::-1], 1_000_000)])
    original = faults.etag_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults._Handler, "do_GET", _unconditional(faults._Handler.do_GET))
        with pytest.raises(ObjectChangedError, match="replaced"):
            download_file("bucket", "k.mp4", target)
    assert original(BODY) != original(BODY[::-1])
    assert untouched(target)


def _unconditional(do_get: Callable[..., None]) -> Callable[..., None]:
    def get(handler: Any) -> None:
        del handler.headers["If-Match"]
        do_get(handler)

    return get


def test_a_flipped_bit_is_seen_and_the_object_read_again(served, target):
    served.faults.append(faults.flipped)
    assert download_file("bucket", "k.mp4", target).verified_by == "md5"
    assert whole(target)
    assert len(served.requests) == 2


def test_an_object_that_is_damaged_in_the_store_is_an_error(served, target):
    served.always = faults.flipped
    with pytest.raises(IntegrityError, match="md5"):
        download_file("bucket", "k.mp4", target)
    assert untouched(target)


def _multipart_etag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "etag_of", lambda body: f'"{hashlib.sha1(body).hexdigest()[:32]}-2"')  # noqa: S324


@pytest.mark.parametrize(
    ("header", "name", "value"),
    [
        ("x-amz-checksum-sha256", "sha256", hashlib.sha256(BODY).digest()),
        ("x-amz-checksum-sha1", "sha1", hashlib.sha1(BODY).digest()),  # noqa: S324
        ("x-amz-checksum-crc32", "crc32", zlib.crc32(BODY).to_bytes(4, "big")),
    ],
)
def test_where_the_etag_is_no_md5_a_stored_checksum_is_checked(served, target, monkeypatch, header, name, value):
    _multipart_etag(monkeypatch)
    served.headers[header] = b64encode(value).decode()
    assert download_file("bucket", "k.mp4", target).verified_by == name
    served.always = faults.flipped
    with pytest.raises(IntegrityError, match=name):
        download_file("bucket", "k.mp4", target)
    assert whole(target)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-amz-checksum-crc32": "AAAAAA==-2"},
        {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-type": "COMPOSITE"},
        *({"x-amz-meta-mpr-part-size": text} for text in ("9" * 5000, "0", "-5", "5e6", "")),
    ],
)
def test_without_a_usable_hash_the_result_says_that_only_the_size_was_checked(
    served, target, monkeypatch, headers
):
    _multipart_etag(monkeypatch)
    served.headers |= headers
    assert download_file("bucket", "k.mp4", target).verified_by == "size"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-server-side-encryption": "aws:kms"},
        {"x-amz-server-side-encryption": "aws:kms:dsse"},
        {"x-amz-server-side-encryption-customer-algorithm": "AES256"},
    ],
)
def test_under_a_key_of_kms_or_of_the_customer_the_etag_is_no_hash(served, target, headers):
    served.headers |= headers
    assert download_file("bucket", "k.mp4", target).verified_by == "size"


def test_a_busy_store_gets_another_request(served, target):
    served.faults.extend([faults.busy, faults.busy])
    download_file("bucket", "k.mp4", target)
    assert whole(target)


def test_a_store_that_stays_busy_is_an_error(served, target):
    served.always = faults.busy
    with pytest.raises(StoreUnreachableError) as caught:
        download_file("bucket", "k.mp4", target)
    assert (caught.value.code, caught.value.request_id) == ("SlowDown", "a-request")
    assert len(served.requests) == retry.ATTEMPTS
    assert untouched(target)


def test_a_stall_is_noticed_and_resumed(served, target, read_timeout):
    read_timeout(0.3)
    over = threading.Event()
    served.faults.append(faults.hanging(over))
    download_file("bucket", "k.mp4", target)
    over.set()
    assert whole(target)


@pytest.mark.usefixtures("served")
def test_a_progress_callback_that_raises_is_logged_once(target, caplog):
    calls = []

    def broken(count):
        calls.append(count)
        raise RuntimeError("no bar")

    download_file("bucket", "k.mp4", target, progress=broken)
    assert whole(target)
    assert len(calls) == 1
    assert [(record.name, record.levelno) for record in caplog.records] == [("core.storage", logging.ERROR)]


@pytest.mark.usefixtures("served")
def test_an_interrupt_leaves_nothing(target):
    def interrupt(_count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_file("bucket", "k.mp4", target, progress=interrupt)
    assert untouched(target)


@pytest.mark.usefixtures("served")
def test_a_full_disk_is_an_error_before_the_download(target, monkeypatch):
    real = os.fstatvfs

    def full(descriptor):
        found = list(real(descriptor))
        found[4] = 1  # f_bavail
        return os.statvfs_result(found)

    monkeypatch.setattr(os, "fstatvfs", full)
    with pytest.raises(OSError, match="the file system has") as caught:
        download_file("bucket", "k.mp4", target)
    assert caught.value.errno == 28
    assert untouched(target)


@pytest.mark.usefixtures("served")
def test_a_file_system_that_reports_no_blocks_is_not_full(target, monkeypatch):
    monkeypatch.setattr(os, "fstatvfs", lambda _descriptor: os.statvfs_result((4096, 4096, *[0] * 8)))
    download_file("bucket", "k.mp4", target)
    assert whole(target)


@pytest.mark.usefixtures("served")
def test_a_disk_that_fills_up_leaves_nothing(target, monkeypatch):
    monkeypatch.setattr(os, "fsync", _no_space)
    with pytest.raises(OSError, match="No space"):
        download_file("bucket", "k.mp4", target)
    assert untouched(target)


def _no_space(_descriptor):
    raise OSError(28, "No space left on device")


@pytest.mark.usefixtures("served")
def test_many_downloads_to_one_target_leave_one_whole_file(target):
    threads = [
        threading.Thread(target=download_file, args=("bucket", "k.mp4", target), daemon=True) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert whole(target)


@pytest.mark.usefixtures("served")
def test_the_part_is_hidden_and_beside_the_target(target):
    seen: list[str] = []
    download_file(
        "bucket", "k.mp4", target, progress=lambda _: seen.extend(path.name for path in target.parent.iterdir())
    )
    parts = {name for name in seen if name != target.name}
    assert len(parts) == 1
    part = parts.pop()
    assert part.startswith(".mpr-")
    assert part.endswith(".part")
    assert len(part) == len(".mpr-12345678.part")


@pytest.mark.usefixtures("served")
def test_a_file_that_is_not_ours_is_never_written_to(target, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "urandom", lambda count: b"\1" * count)
    monkeypatch.setattr(atomic_file, "_numbers", [])
    other = tmp_path / "other"
    target.with_name(".mpr-01010101.part").symlink_to(other)
    with pytest.raises(FileExistsError):
        download_file("bucket", "k.mp4", target)
    assert not other.exists()
    assert target.read_bytes() == b"old"


KILLED = """
import sys, time
from core.storage import download_file

def wait(_count):
    print("half", flush=True)
    for _ in range(600):  # a signal just before one long sleep would be handled after it
        time.sleep(0.1)

print("on", flush=True)
download_file("bucket", "k.mp4", sys.argv[1], progress=wait)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_process_never_leaves_a_partial_target(served, target, number):
    killed = threading.Event()

    def half(handler, body, start):
        faults.truncated(len(body) // 2)(handler, body, start)
        handler.wfile.flush()
        killed.wait(60)  # else it might be whole before the signal

    served.always = half
    with subprocess.Popen([sys.executable, "-c", KILLED, str(target)], stdout=subprocess.PIPE, stderr=-3) as child:
        assert child.stdout
        assert child.stdout.readline() == b"on\n"
        assert child.stdout.readline() == b"half\n"
        child.send_signal(number)
        child.wait(20)
    killed.set()
    assert target.read_bytes() == b"old"
    left = {path.name for path in target.parent.iterdir()} - {target.name}
    # No process can clean up after its own SIGKILL; the name of the leftover file says where it is from.
    assert all(name.startswith(".mpr-") for name in left)
    assert bool(left) is (number == signal.SIGKILL)


@pytest.mark.parametrize(
    ("key", "suffix"),
    [("a/b.MP4", ".MP4"), ("a.b/c", ""), ("a.tar.gz", ".gz"), ("a.mp4;rm -rf", ""), ("x." + "y" * 40, "")],
)
def test_a_temporary_file_keeps_the_suffix(fake, key, suffix, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fake.put(f"/bucket/{key}", b"data")
    path = download_to_temp("bucket", key)
    assert path.parent == tmp_path
    assert path.suffix == suffix
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == b"data"


def test_a_temporary_file_is_gone_after_a_failure(served, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ObjectNotFoundError):
        download_to_temp("bucket", "none")
    served.always = faults.flipped
    with pytest.raises(IntegrityError):
        download_to_temp("bucket", "k.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("served")
def test_a_temporary_download_is_gone_after_the_block(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with temporary_download("bucket", "k.mp4") as path:
        assert whole(path)
    assert not path.exists()
    with pytest.raises(ZeroDivisionError), temporary_download("bucket", "k.mp4") as path:
        assert 1 // (path.stat().st_size - len(BODY))
    assert not path.exists()
    with temporary_download("bucket", "k.mp4") as path:
        Path(path).unlink()  # the caller was faster


def test_pauses_grow_and_differ(monkeypatch):
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(retry, "sleep", sleep)
    for failure in (1, 2, 3, 20):
        run(retry.pause(failure))
    for bound, taken in zip((0.2, 0.4, 0.8, 10), pauses, strict=True):
        assert bound / 2 <= taken <= bound


def test_a_connection_that_breaks_is_taken_up_after_growing_pauses(served, target, pauses):
    served.faults.extend([faults.reset(100)] * 3)
    download_file("bucket", "k.mp4", target)
    assert pauses == [1, 2, 3]
    assert whole(target)


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AccessDenied"), (404, "NoSuchKey"), (403, "InvalidAccessKeyId"), (412, "PreconditionFailed")],
)
def test_a_request_that_cannot_succeed_is_sent_once(served, target, status, code):
    served.always = lambda handler, _body, _start: handler.send_error_document(status, code)
    with pytest.raises(StorageError):
        download_file("bucket", "k.mp4", target)
    assert len(served.requests) == 1
    assert untouched(target)
