"""Bad input to the functions and their asynchronous twins: an error says what is wrong and what to do.

Each is raised before any request is sent, unless the test says otherwise.
"""

from __future__ import annotations

import array
import asyncio
import codecs
import inspect
import io
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import core.storage
from core.storage import IntegrityError, StorageError, aio, download_bytes, open_object, upload_bytes
from tests.core.transport import requests_of

Call = Callable[..., Any]


@pytest.fixture(params=["sync", "aio"])
def call(request) -> Call:
    """Call a function of `core.storage`, or its twin of `core.storage.aio` in a new event loop."""

    async def awaited(function: Call, arguments: Any, options: Any) -> Any:
        return await function(*arguments, **options)

    def call(name: str, *arguments: Any, **options: Any) -> Any:
        if request.param == "sync":
            return getattr(core.storage, name)(*arguments, **options)
        return asyncio.run(awaited(getattr(aio, name), arguments, options))

    return call


def released() -> memoryview:
    view = memoryview(b"frame")
    view.release()
    return view


# --- data -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("text", TypeError, "got str: encode text with .encode(), upload a file with upload_file"),
        (Path("video.mp4"), TypeError, "Path: encode text with .encode(), upload a file with upload_file"),
        (io.BytesIO(b"frame"), TypeError, "bytes-like object, got BytesIO: upload a file with upload_file"),
        (None, TypeError, "data must be a bytes-like object, got NoneType: pass bytes"),
        (5, TypeError, "data must be a bytes-like object, got int: pass bytes"),
        ([1, 2], TypeError, "data must be a bytes-like object, got list: pass bytes"),
        (np.zeros((4, 4))[:, ::2], ValueError, "data must be contiguous: make a copy of it, with numpy.asc"),
        (memoryview(b"frames")[::2], ValueError, "data must be contiguous: make a copy of it"),
        (
            released(),
            ValueError,
            "the bytes of data (memoryview) cannot be read: operation forbidden on released memoryview object",
        ),
        (np.array(["2026"], dtype="M8[D]"), ValueError, "the bytes of data (ndarray) cannot be read: cannot incl"),
        (np.array(["a", None], dtype=object), TypeError, "data (ndarray) holds references to Python objects"),
        (
            np.zeros(2, dtype=[("O", "i4"), ("b", object)]),
            TypeError,
            "(ndarray) holds references to Python object",
        ),
    ],
)
def test_what_is_no_data_is_refused(fake, call, data, error, message):
    with pytest.raises(error) as caught:
        call("upload_bytes", data, "bucket", "k")
    assert message in str(caught.value)
    assert not fake.requests


@pytest.mark.parametrize("data", [np.zeros(2, dtype=[("O", "i4"), ("b", "f8")]), np.array(5.0), array.array("i")])
def test_an_unusual_buffer_is_data(fake, call, data):
    call("upload_bytes", data, "bucket", "k")
    assert fake.objects["/bucket/k"] == data.tobytes()


@pytest.mark.parametrize(
    ("new", "shrink"),
    [
        (lambda: bytearray(1000), bytearray.pop),
        (lambda: array.array("b", bytes(1000)), array.array.pop),
        (lambda: mmap.mmap(-1, 1000), mmap.mmap.close),
    ],
    ids=["bytearray", "array", "mmap"],
)
def test_data_cannot_change_its_size_while_it_is_uploaded(bucket, call, transport, new, shrink):
    data, refused = new(), []

    def shrinking() -> None:
        try:
            shrink(data)
        except BufferError:
            refused.append(True)

    transport.after(requests_of("PutObject"), shrinking)
    call("upload_bytes", data, bucket, "k")
    assert refused == [True]
    assert download_bytes(bucket, "k") == bytes(1000)
    transport.sent.clear()
    shrink(data)  # after the call, the library does not hold it


def test_data_that_changes_its_content_while_it_is_uploaded_is_refused_by_the_store(any_bucket, call, transport):
    data = bytearray(b"x" * 1000)

    def changing(_request: Any, send: Any) -> Any:
        data[5] += 1
        return send()

    transport.handle(requests_of("PutObject"), changing)
    with pytest.raises(IntegrityError, match="the received bytes do not have the checksum that was sent"):
        call("upload_bytes", data, any_bucket, "k")
    assert not core.storage.object_exists(any_bucket, "k")


# --- ranges -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["start", "length"])
@pytest.mark.parametrize("value", [True, False, 1.0, float("nan"), "1", b"1", np.int64(1)])
def test_what_is_no_number_of_bytes_is_refused(fake, call, name, value):
    with pytest.raises(TypeError) as caught:
        call("download_bytes", "bucket", "k", **{name: value})
    assert str(caught.value) == f"{name} must be a whole number of bytes (an int), got {value!r}"
    assert not fake.requests


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"start": -1}, "start must be at least 0, got -1"),
        ({"length": 0}, "length must be at least 1, got 0"),
        ({"length": -5}, "length must be at least 1, got -5"),
        ({"start": 2**63}, "start must be from 0 to 9223372036854775807, got a number of 64 bits"),
        ({"length": 2**63}, "length must be from 1 to 9223372036854775807, got a number of 64 bits"),
        ({"start": 10**5000}, "start must be from 0 to 9223372036854775807, got a number of 16610 bits"),
        ({"start": -(10**5000)}, "start must be from 0 to 9223372036854775807, got a number of 16610 bits"),
    ],
)
def test_what_is_no_range_is_refused(fake, call, given, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the message is compared
        call("download_bytes", "bucket", "k", **given)
    assert str(caught.value) == message
    assert not fake.requests


def test_a_start_is_required_to_be_a_number(fake, call):
    with pytest.raises(TypeError, match="start must be a whole number of bytes"):
        call("download_bytes", "bucket", "k", start=None)
    assert not fake.requests


@pytest.mark.parametrize("start", [5, 6, 10**12, 2**63 - 1])
def test_a_range_beyond_the_end_says_so(any_bucket, call, start):
    upload_bytes(b"short", any_bucket, "k")
    with pytest.raises(
        StorageError, match=r"range of .*/k begins at or after its end; get_object_info returns"
    ) as caught:
        call("download_bytes", any_bucket, "k", start=start)
    assert caught.value.code in {"InvalidRange", "416"}


@pytest.mark.parametrize("start", [0, 3])
def test_a_length_may_be_the_largest_integer(any_bucket, call, start):
    upload_bytes(b"short", any_bucket, "k")
    assert call("download_bytes", any_bucket, "k", start=start, length=2**63 - 1) == b"short"[start:]


@pytest.mark.parametrize("start", [10, 11, 10**15])
def test_a_server_that_sends_a_range_after_the_end_is_an_error(fake, call, start):
    fake.put("/bucket/k", b"0123456789")
    with pytest.raises(IntegrityError, match=f"from byte {start} on received another range"):
        call("download_bytes", "bucket", "k", start=start)


@pytest.mark.parametrize("function", ["download_bytes", "download_file"])
def test_a_partial_response_without_a_range_is_an_error(fake, call, function, tmp_path):
    def partial(handler: Any, body: bytes, start: int) -> None:
        handler.send_object(body, start, partial=True)

    fake.put("/bucket/k", b"0123456789")
    fake.always = partial
    where = [str(tmp_path / "k")] if function == "download_file" else []
    with pytest.raises(IntegrityError, match="without a range received a partial response"):
        call(function, "bucket", "k", *where)
    assert not list(tmp_path.iterdir())


# --- file objects -------------------------------------------------------------------------------------------


class Reader:
    """A stream whose first read returns this, whatever was requested."""

    def __init__(self, data: Any) -> None:
        self._data = iter([data])

    def read(self, _size: int) -> Any:
        return next(self._data, b"")


class Generous(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        return super().read(size) + b"more"


class Asynchronous:
    async def read(self, _size: int) -> bytes:
        return b""


@pytest.mark.parametrize("data", ["text", "", 5, 0, [1], np.zeros(3, dtype=np.uint8)])
def test_a_file_object_that_returns_no_bytes_is_refused(fake, call, data):
    with pytest.raises(TypeError) as caught:
        call("upload_file", Reader(data), "bucket", "k")
    assert str(caught.value) == (
        f"read() of the file object must return bytes, got {type(data).__name__}: open it in binary mode, with "
        "open(path, 'rb')"
    )
    assert not fake.requests


def test_a_file_object_without_data_for_now_is_refused(fake, call):
    with pytest.raises(BlockingIOError, match="the file object does not block: open it in blocking mode"):
        call("upload_file", Reader(None), "bucket", "k")
    assert not fake.requests


def test_a_file_object_that_returns_more_than_was_requested_is_refused(fake, call):
    with pytest.raises(
        ValueError, match=r"read\(5\) of the file object returned 9 bytes: it must not return more"
    ):
        call("upload_file", Generous(b"frame"), "bucket", "k")
    with pytest.raises(ValueError, match=r"read\(16777216\) of the file object returned 16777217 bytes"):
        call("upload_file", Reader(bytes(2**24 + 1)), "bucket", "k")
    assert not fake.requests


@pytest.mark.parametrize("data", [bytearray(b"frame!"), memoryview(b"frame!"), array.array("h", [1, 2])])
def test_a_file_object_may_return_other_buffers_than_bytes(fake, call, data):
    view = memoryview(data)
    call("upload_file", Reader(view if isinstance(data, array.array) else data), "bucket", "k")
    assert fake.objects["/bucket/k"] == view.tobytes()


def test_a_file_object_after_its_end_is_refused(fake, call):
    file = io.BytesIO(b"frame")
    file.seek(10)
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the message is compared
        call("upload_file", file, "bucket", "k")
    assert str(caught.value) == (
        "the file object is at position 10, after its end at 5: seek to the first byte to upload"
    )
    assert not fake.requests


def test_an_asynchronous_file_object_is_refused(fake, call):
    with pytest.raises(TypeError, match=r"\(Asynchronous\) is asynchronous: pass an ordinary one"):
        call("upload_file", Asynchronous(), "bucket", "k")
    assert not fake.requests


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"bytes", "expected a path or a binary file object, got bytes: upload bytes with upload_bytes"),
        (5, "expected a path or a binary file object, got int: pass a path, or open(path, 'rb')"),
        (None, "expected a path or a binary file object, got NoneType: pass a path, or open(path, 'rb')"),
        (io.BytesIO, "expected a path or a binary file object, got type: pass a path, or open(path, 'rb')"),
    ],
)
def test_what_is_no_file_is_refused(fake, call, value, message):
    with pytest.raises(TypeError) as caught:
        call("upload_file", value, "bucket", "k")
    assert str(caught.value) == message
    assert not fake.requests


def test_a_text_or_closed_or_write_only_file_is_refused(fake, call, tmp_path):
    path = tmp_path / "f"
    with path.open("wb") as file, pytest.raises(ValueError, match="not open for reading: open it with open"):
        call("upload_file", file, "bucket", "k")
    with pytest.raises(ValueError, match="the file object is closed: open it again"):
        call("upload_file", file, "bucket", "k")
    path.write_text("text")
    with (
        path.open() as text,
        pytest.raises(TypeError, match="is opened as text: open it in binary mode, with open"),
    ):
        call("upload_file", text, "bucket", "k")
    with (
        codecs.open(str(path), "r", "utf-8") as text,
        pytest.raises(TypeError, match="return bytes, got str: open"),
    ):
        call("upload_file", text, "bucket", "k")
    assert not fake.requests


def test_an_object_that_is_open_as_a_file_is_refused_once_it_is_closed(fake, call):
    fake.put("/bucket/k", b"frame")
    file = open_object("bucket", "k")
    file.close()
    fake.requests.clear()
    with pytest.raises(ValueError, match="the file object is closed: open it again"):
        call("upload_file", file, "bucket", "k")
    for use in (file.read, file.tell, lambda: file.seek(0)):
        with pytest.raises(ValueError, match="closed"):
            use()
    assert not fake.requests


# --- paths, metadata and content types ------------------------------------------------------------------------


def test_what_is_no_path_is_refused(fake, call, tmp_path):
    fake.put("/bucket/k", b"frame")
    for value in (5, None, b"f", io.BytesIO()):
        with pytest.raises(
            TypeError, match=f"the path must be a str or an os.PathLike, got {type(value).__name__}"
        ):
            call("download_file", "bucket", "k", value)
    message = r"the path '.*a\\x00b' holds a NUL character: no file can have such a name"
    with pytest.raises(ValueError, match=message):
        call("download_file", "bucket", "k", tmp_path / "a\0b")
    with pytest.raises(ValueError, match=message):
        call("upload_file", "a\0b", "bucket", "k")
    assert not fake.requests
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"content_type": 5}, "content_type must be text such as 'video/mp4', got 5"),
        ({"content_type": b"a/b"}, "content_type must be text such as 'video/mp4', got b'a/b'"),
        ({"metadata": "a"}, "metadata must be a mapping such as {'camera': 'north'}, got 'a'"),
        ({"metadata": []}, "metadata must be a mapping such as {'camera': 'north'}, got []"),
        ({"metadata": {"a": 1}}, "metadata must map text to text, got 'a': 1"),
    ],
)
def test_what_is_no_metadata_is_refused(fake, call, tmp_path, given, message):
    (tmp_path / "f").write_bytes(b"")
    for name, content in (("upload_bytes", b""), ("upload_file", tmp_path / "f")):
        with pytest.raises(TypeError) as caught:
            call(name, content, "bucket", "k", **given)
        assert str(caught.value) == message
    assert not fake.requests


# --- coroutines -----------------------------------------------------------------------------------------------


def test_a_coroutine_in_the_place_of_its_result_is_refused_and_does_not_start(fake, call):
    fake.put("/bucket/k", b"frame")
    download = aio.download_bytes("bucket", "k")
    with pytest.raises(TypeError, match="got coroutine: await it"):
        call("upload_bytes", download, "bucket", "o")
    with pytest.raises(TypeError, match="got coroutine: await it"):
        call("upload_file", download, "bucket", "o")
    with pytest.raises(TypeError, match=r"must be a str or an os\.PathLike, got coroutine"):
        call("download_file", "bucket", "k", download)
    with pytest.raises(TypeError, match="start must be a whole number of bytes"):
        call("download_bytes", "bucket", "k", start=download)
    items: list[Any] = [(download, "bucket", "o")]
    (result,) = core.storage.upload_many(items)
    assert str(result.error) == "data must be a bytes-like object, got coroutine: await it"
    assert inspect.getcoroutinestate(download) == inspect.CORO_CREATED
    download.close()
    assert not fake.requests


@pytest.mark.parametrize("name", ["download_bytes", "get_object_info", "object_exists", "delete_object"])
def test_a_coroutine_that_is_not_awaited_sends_nothing(fake, name):
    with pytest.warns(RuntimeWarning, match=f"coroutine '{name}' was never awaited"):
        getattr(aio, name)("bucket", "k")
    assert not fake.requests


def test_a_bulk_that_is_not_iterated_sends_nothing(fake, tmp_path):
    """Python has no warning for an asynchronous generator; the documentation says that it starts when iterated."""
    aio.upload_many([(b"x", "bucket", "k")])
    aio.download_many([("bucket", "k")], tmp_path)
    aio.delete_many([("bucket", "k")])
    aio.list_objects("bucket")
    assert not fake.requests


# --- keys, buckets and listings -------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [5, None, b"k", Path("k"), [], ("a", "b")])
def test_what_is_no_text_is_no_key(fake, call, tmp_path, key):
    (tmp_path / "f").write_bytes(b"")
    calls: list[tuple[Any, ...]] = [
        *(
            (name, "bucket", key)
            for name in ("download_bytes", "get_object_info", "object_exists", "delete_object")
        ),
        ("get_presigned_url", "bucket", key),
        ("download_file", "bucket", key, tmp_path / "new"),
        ("upload_bytes", b"", "bucket", key),
        ("upload_file", tmp_path / "f", "bucket", key),
    ]
    for name, *arguments in calls:
        with pytest.raises(TypeError) as caught:
            call(name, *arguments)
        assert str(caught.value) == f"the key must be text (a str), got {type(key).__name__}", name
    assert not fake.requests


@pytest.mark.parametrize("bucket", [5, None, b"bucket", Path("b")])
def test_what_is_no_text_is_no_bucket(fake, call, bucket):
    calls: list[tuple[Any, ...]] = [
        *(
            (name, bucket, "k")
            for name in ("download_bytes", "object_exists", "delete_object", "get_presigned_url")
        ),
        ("upload_bytes", b"", bucket, "k"),
    ]
    for name, *arguments in calls:
        with pytest.raises(TypeError) as caught:
            call(name, *arguments)
        assert str(caught.value) == f"the bucket must be text (a str), got {type(bucket).__name__}", name
    assert not fake.requests


@pytest.mark.parametrize("bucket", ["", "a/b", "Bad_Bucket", "b" * 64, "line\nbreak"])
def test_a_url_is_presigned_for_the_names_that_buckets_may_have(fake, call, bucket):
    with pytest.raises(core.storage.StorageConfigError, match=r"the bucket name '.*' must") as caught:
        call("get_presigned_url", bucket, "k")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("filename", [5, b"a.mp4"])
def test_what_is_no_text_is_no_file_name(fake, call, filename):
    with pytest.raises(TypeError, match=r"filename must be text \(a str\), got"):
        call("get_presigned_url", "bucket", "k", filename=filename)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"limit": "1"}, TypeError, "limit must be a whole number (an int), got '1'"),
        ({"limit": 1.5}, TypeError, "limit must be a whole number (an int), got 1.5"),
        ({"limit": True}, TypeError, "limit must be a whole number (an int), got True"),
        ({"limit": 0}, ValueError, "limit must be at least 1, got 0"),
        ({"workers": None}, TypeError, "workers must be a whole number (an int), got None"),
        ({"workers": -1}, ValueError, "workers must be at least 1, got -1"),
        ({"prefix": 5}, TypeError, "prefix must be text (a str), got 5"),
        ({"prefix": b"a"}, TypeError, "prefix must be text (a str), got b'a'"),
        ({"suffixes": [5]}, TypeError, "a suffix must be text (a str), got 5"),
        ({"suffixes": b"a"}, TypeError, "a suffix must be text (a str), got 97"),
    ],
)
def test_what_is_no_selection_is_refused(fake, given, error, message):
    async def listed() -> None:
        await anext(aio.list_objects("bucket", **given))

    for function in (lambda: next(core.storage.list_objects("bucket", **given)), lambda: asyncio.run(listed())):
        with pytest.raises(error) as caught:
            function()
        assert str(caught.value) == message
    assert not fake.requests


def test_an_asynchronous_iterator_is_for_the_asynchronous_functions(fake, tmp_path):
    items: Any = aio.list_objects("bucket")
    for start in (
        lambda: next(core.storage.delete_many(items)),
        lambda: next(core.storage.upload_many(items)),
        lambda: next(core.storage.download_many(items, tmp_path)),
    ):
        with pytest.raises(
            TypeError, match=r"from an asynchronous iterator: use the functions of core\.storage\.aio"
        ):
            start()
    assert not fake.requests
