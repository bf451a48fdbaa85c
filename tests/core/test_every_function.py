"""Every function that reads or writes objects, synchronous and asynchronous, against the same faults."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.storage import (
    AccessDeniedError,
    IntegrityError,
    InvalidResponseError,
    ObjectChangedError,
    ObjectNotFoundError,
    StoreUnreachableError,
    aio,
    download_bytes,
    download_file,
    download_many,
    download_to_temp,
    open_object,
    temporary_download,
    upload_bytes,
    upload_file,
    upload_many,
)
from tests.core import _fake_s3 as faults
from tests.core._fake_s3 import FakeS3, Page
from tests.core.transport import requests_of

BODY = random.Random(2).randbytes(300_001)  # noqa: S311  # the same in every process
Read = Callable[[Path], bytes]
Write = Callable[[Path], Any]


def _file(folder: Path) -> bytes:
    download_file("bucket", "k", folder / "f")
    return (folder / "f").read_bytes()


def _temporary(_folder: Path) -> bytes:
    path = download_to_temp("bucket", "k")
    try:
        return path.read_bytes()
    finally:
        path.unlink()


def _block(_folder: Path) -> bytes:
    with temporary_download("bucket", "k") as path:
        return path.read_bytes()


def _many(folder: Path) -> bytes:
    (result,) = download_many([("bucket", "k")], folder)
    if result.error:
        raise result.error
    return (folder / "k").read_bytes()


def _many_in_memory(_folder: Path) -> bytes:
    (result,) = download_many([("bucket", "k")], None)
    if result.error:
        raise result.error
    return result.data or b""


async def _aio_file(folder: Path) -> bytes:
    await aio.download_file("bucket", "k", folder / "f")
    return (folder / "f").read_bytes()


async def _aio_many(_folder: Path) -> bytes:
    (result,) = [one async for one in aio.download_many([("bucket", "k")], None)]
    if result.error:
        raise result.error
    return result.data or b""


async def _aio_block(_folder: Path) -> bytes:
    async with aio.temporary_download("bucket", "k") as path:
        return path.read_bytes()


READS: dict[str, Read] = {
    "download_file": _file,
    "download_to_temp": _temporary,
    "temporary_download": _block,
    "download_many": _many,
    "download_many in memory": _many_in_memory,
    "download_bytes": lambda _: download_bytes("bucket", "k"),
    "download_bytes range": lambda _: BODY[:1] + download_bytes("bucket", "k", start=1),
    "open_object": lambda _: open_object("bucket", "k").read(),
    "aio.download_file": lambda folder: asyncio.run(_aio_file(folder)),
    "aio.download_bytes": lambda _: asyncio.run(aio.download_bytes("bucket", "k")),
    "aio.download_many": lambda folder: asyncio.run(_aio_many(folder)),
    "aio.temporary_download": lambda folder: asyncio.run(_aio_block(folder)),
}
#: What has no checksum of the store.
RANGES = {"download_bytes range", "open_object"}


@pytest.fixture(params=READS)
def read(request, tmp_path) -> Any:
    """Each function that reads an object."""
    (tmp_path / "down").mkdir()
    return lambda: READS[request.param](tmp_path / "down")


@pytest.fixture
def served(fake) -> FakeS3:
    fake.put("/bucket/k", BODY)
    return fake  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "fault",
    [faults.truncated(0), faults.truncated(1000), faults.reset(0), faults.reset(1000)],
    ids=["nothing", "truncated", "reset at once", "reset"],
)
def test_a_response_that_breaks_is_resumed(served, read, fault):
    served.faults += [fault, fault]
    assert read() == BODY


def test_an_object_is_read_whole(served, read):
    assert read() == BODY


def test_a_flipped_bit_is_noticed_where_there_is_a_checksum(served, request, read):
    served.faults.append(faults.flipped)
    name = request.node.callspec.params["read"]
    assert (read() == BODY) is (name not in RANGES)


def test_a_bit_that_always_flips_is_an_error_where_there_is_a_checksum(served, request, read):
    if request.node.callspec.params["read"] in RANGES:
        pytest.skip("a range has no checksum: docs/how-to/objects.md says so")
    served.always = faults.flipped
    with pytest.raises(IntegrityError, match="checksum mismatch"):
        read()


def test_a_store_that_never_sends_it_all_is_unreachable(served, read):
    served.always = faults.truncated(10)
    with pytest.raises(StoreUnreachableError):
        read()


def test_a_wrong_range_is_an_error(served, read):
    served.faults.append(faults.truncated(1000))
    served.always = faults.wrong_range
    with pytest.raises(IntegrityError, match=r"received another range|received a partial response"):
        read()


def test_an_object_that_is_replaced_meanwhile_is_an_error(served, read):
    def cut(handler: Any, body: bytes, start: int) -> None:
        faults.truncated(1000)(handler, body, start)
        served.put("/bucket/k", BODY[::-1])

    served.faults.append(cut)
    with pytest.raises(ObjectChangedError):
        read()


@pytest.mark.parametrize("status", [200, 404, 500, 302])
def test_another_server_is_not_taken_for_the_store(served, read, status):
    served.page = Page(status=status)
    with pytest.raises((InvalidResponseError, StoreUnreachableError)):
        read()


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "AccessDenied", AccessDeniedError),
        (404, "NoSuchKey", ObjectNotFoundError),
        (503, "SlowDown", StoreUnreachableError),
    ],
)
def test_an_error_of_the_store_is_its_class(served, read, transport, status, code, error):
    for operation in ("GetObject", "HeadObject"):
        transport.refuse(requests_of(operation), status, code)
    with pytest.raises(error):
        read()


@pytest.mark.usefixtures("pauses")
def test_a_busy_store_gets_another_attempt(served, read, transport):
    transport.refuse(requests_of("GetObject"), 503, "SlowDown", times=2)
    assert read() == BODY


# --- writing ------------------------------------------------------------------------------------------------


def _source(folder: Path) -> Path:
    path = folder / "source"
    path.write_bytes(BODY)
    return path


def _one(results: Any) -> Any:
    (result,) = results
    if result.error:
        raise result.error
    return result.info


async def _all(results: Any) -> Any:
    return _one([one async for one in results])


WRITES: dict[str, Write] = {
    "upload_file": lambda folder: upload_file(_source(folder), "bucket", "k"),
    "upload_file object": lambda _: upload_file(io.BytesIO(BODY), "bucket", "k"),
    "upload_bytes": lambda _: upload_bytes(BODY, "bucket", "k"),
    "upload_many": lambda folder: _one(upload_many([(_source(folder), "bucket", "k")])),
    "upload_many from memory": lambda _: _one(upload_many([(BODY, "bucket", "k")])),
    "aio.upload_file": lambda folder: asyncio.run(aio.upload_file(_source(folder), "bucket", "k")),
    "aio.upload_bytes": lambda _: asyncio.run(aio.upload_bytes(BODY, "bucket", "k")),
    "aio.upload_many": lambda _: asyncio.run(_all(aio.upload_many([(BODY, "bucket", "k")]))),
}


@pytest.fixture(params=WRITES)
def write(request, tmp_path) -> Any:
    """Each function that writes an object."""
    return lambda: WRITES[request.param](tmp_path)


@pytest.fixture(params=["whole", "in parts"])
def sent(request, fake) -> FakeS3:
    """The server, for objects that go in one request and in parts."""
    if request.param == "in parts":
        request.getfixturevalue("always_parts")
    return fake  # type: ignore[no-any-return]


def test_an_object_is_written_whole_and_verified(sent, write):
    info = write()
    assert (info.size, info.verified_by) == (len(BODY), "md5")
    assert sent.objects["/bucket/k"] == BODY


@pytest.mark.usefixtures("pauses")
def test_a_lost_response_is_requested_again(sent, write, transport):
    for operation in ("PutObject", "UploadPart", "CreateMultipartUpload"):
        transport.lose(requests_of(operation))
    write()
    assert sent.objects["/bucket/k"] == BODY


def test_a_wrong_etag_is_an_error(sent, write, request):
    in_parts = request.node.callspec.params["sent"] == "in parts"
    sent.etag = f'"{"0" * 32}{"-1" if in_parts else ""}"'
    with pytest.raises(IntegrityError, match="checksum mismatch"):
        write()


@pytest.mark.parametrize("status", [200, 404, 500, 302])
def test_another_server_does_not_confirm_an_upload(sent, write, status):
    sent.page = Page(status=status)
    with pytest.raises((InvalidResponseError, StoreUnreachableError)):
        write()


def test_a_refusal_is_its_class(sent, write, transport):
    for operation in ("PutObject", "CreateMultipartUpload"):
        transport.refuse(requests_of(operation), 403, "AccessDenied")
    with pytest.raises(AccessDeniedError):
        write()
    assert "/bucket/k" not in sent.objects
