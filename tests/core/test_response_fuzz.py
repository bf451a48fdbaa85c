"""Generated and mutated responses to every operation: the result is right, or a `StorageError`.

Hundreds are part of `make test`; `make faults` tries 100,000.
"""

from __future__ import annotations

import errno
import hashlib
import re
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.storage import (
    FrameCache,
    StorageError,
    download_file,
    download_many,
    list_objects,
    upload_file,
    upload_many,
)
from core.storage._boto.clients import forget_clients
from tests.core.test_fault_schedules import SCHEDULES

CONTENT = b"frame " * 20
ETAG = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
KEY = "frames/0001.jpg"
LISTING = (
    f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    f"<Contents><Key>{KEY}</Key><LastModified>2025-01-01T00:00:00.000Z</LastModified><ETag>&quot;{ETAG}&quot;</ETag>"
    f"<Size>{len(CONTENT)}</Size></Contents><IsTruncated>false</IsTruncated></ListBucketResult>"
).encode()
#: Texts that a response is mutated with: what servers, proxies and attackers put into them.
TEXTS = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b"<", b"&", b'"', b"\xff", b"-1", b"0"),
    *(b"9" * 30, b"A" * 70_000, b"HTTP/1.1 ", b"200", b"206", b"404", b"500", b"100", b"9999-99-99"),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Range: bytes 0-1/2\r\n"),
    *(b"<html>", b"<Error><Code>NoSuchKey</Code></Error>", b"<Error/>", b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"&a;"),
    *(b'ETag: "x"\r\n', b"W/", b"ETag", b"true", b"NextContinuationToken"),
]

mutations = st.lists(
    st.tuples(
        st.sampled_from(["insert", "replace", "delete", "cut", "double"]),
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(TEXTS) | st.binary(min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=4,
)
thorough = settings(
    max_examples=SCHEDULES * 12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def mutated(response: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    for kind, share, text in changes:
        at = int(share * len(response))
        if kind == "insert":
            response = response[:at] + text + response[at:]
        elif kind == "replace":
            response = response[:at] + text + response[at + len(text) :]
        elif kind == "delete":
            response = response[:at] + response[at + len(text) :]
        elif kind == "cut":
            response = response[:at]
        else:
            response += response[at:]
    return response


def valid(body: bytes, *, etag: bool = True) -> bytes:
    headers = f'ETag: "{ETAG}"\r\n' if etag else ""
    return f"HTTP/1.1 200 OK\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def is_documented(error: Exception | None) -> bool:
    """Return whether a download may end with this error: that of a full disk too, for a long Content-Length."""
    return isinstance(error, StorageError) or (isinstance(error, OSError) and error.errno == errno.ENOSPC)


class Server:
    """Sends the same bytes on every connection, once it has a whole request, and closes the connection."""

    def __init__(self) -> None:
        self.response = b""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._respond, args=(near,), daemon=True).start()

    def _respond(self, near: socket.socket) -> None:
        near.settimeout(5)
        with near, suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                request += near.recv(65536) or b"\r\n\r\n"
            head, _, body = request.partition(b"\r\n\r\n")
            length = re.search(rb"\r\nContent-Length: (\d+)", head)
            while length and len(body) < int(length[1]):
                body += near.recv(65536) or bytes(int(length[1]))
            near.sendall(self.response)
            near.shutdown(socket.SHUT_WR)
            while near.recv(65536):  # closed at once, it would be reset, which may overtake the response
                pass


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def respond(server, use, pauses, read_timeout) -> Callable[[bytes], None]:
    """Have the endpoint of the environment send these bytes from now on, to connections that are new."""
    read_timeout(2)
    use(server.endpoint, "bucket")

    def respond(response: bytes) -> None:
        forget_clients()
        pauses.clear()
        server.response = response

    return respond


@thorough
@given(changes=mutations)
def test_a_download_is_the_object_or_an_error(changes, respond, tmp_path):
    respond(mutated(valid(CONTENT), changes))
    target = tmp_path / uuid.uuid4().hex
    target.write_bytes(b"old")
    try:
        info = download_file("bucket", KEY, target)
    except (StorageError, OSError) as error:
        if not is_documented(error):
            raise
        assert target.read_bytes() == b"old"
    else:
        assert info.verified_by == "size" or target.read_bytes() == CONTENT
        assert info.size == target.stat().st_size
    assert list(tmp_path.glob(".mpr-*")) == []


@thorough
@given(changes=mutations)
def test_an_upload_is_confirmed_or_an_error(changes, respond, tmp_path):
    respond(mutated(valid(b""), changes))
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    try:
        info = upload_file(source, "bucket", KEY)
    except StorageError:
        return
    assert info.verified_by == "content-md5" or info.etag.lower() == ETAG


@thorough
@given(changes=mutations, workers=st.sampled_from([1, 3]))
def test_a_listing_is_of_objects_or_an_error(changes, workers, respond):
    respond(mutated(valid(LISTING, etag=False), changes))
    try:
        found = list(list_objects("bucket", workers=workers))
    except StorageError:
        return
    assert all(one.key and one.size >= 0 and one.last_modified.tzinfo for one in found)


@thorough
@given(changes=mutations)
def test_a_presence_check_is_true_or_false_or_an_error(changes, respond):
    respond(mutated(valid(LISTING, etag=False), changes))
    with suppress(StorageError):
        assert FrameCache("match-01").exists() in {True, False}


@thorough
@given(changes=mutations)
def test_every_item_of_a_bulk_has_a_result(changes, respond, tmp_path):
    respond(mutated(valid(CONTENT), changes))
    folder = tmp_path / uuid.uuid4().hex
    folder.mkdir()
    results = list(download_many([("bucket", f"{number}.jpg") for number in range(3)], folder, workers=2))
    assert len(results) == 3
    assert all(result.ok or is_documented(result.error) for result in results)
    source = Path(folder, "source")
    source.write_bytes(CONTENT)
    (result,) = upload_many([(source, "bucket", KEY)], resume=True)
    assert result.ok or isinstance(result.error, StorageError)
