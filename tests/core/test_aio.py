"""The functions for asyncio: the same as the synchronous ones, in the event loop of the caller."""

from __future__ import annotations

import asyncio
import inspect
import io
import os
import random
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

import core.storage
from core.storage import (
    InvalidResponseError,
    ObjectNotFoundError,
    StorageConfigError,
    UnsafeKeyError,
    aio,
    get_s3_client,
    list_objects,
    upload_bytes,
)
from tests.core._fake_s3 import Page
from tests.core.transport import MIB

BODY = random.Random(1).randbytes(2 * MIB + 17)  # noqa: S311  # the same in every process
#: What is synchronous by its nature.
ONLY_SYNC = {"get_s3_client", "open_object", "safe_path"}


def test_each_function_has_a_twin_with_the_same_arguments_and_documentation():
    functions = {name for name in core.storage.__all__ if name[0].islower()}
    assert set(aio.__all__) == functions - ONLY_SYNC
    for name in aio.__all__:
        twin, function = getattr(aio, name), getattr(core.storage, name)
        assert list(inspect.signature(twin).parameters.values()) != [], name
        shown = [
            [one.replace(annotation=one.empty) for one in inspect.signature(each).parameters.values()]
            for each in (twin, function)
        ]
        assert shown[0] == shown[1], name
        assert inspect.getdoc(twin) == inspect.getdoc(function), name


def test_everything_runs_in_the_loop_of_the_caller(any_bucket, tmp_path):
    async def main() -> None:
        source = tmp_path / "source"
        source.write_bytes(BODY)
        reports: list[int] = []
        sent = await aio.upload_file(source, any_bucket, "a.mp4", progress=reports.append)
        assert (sent.size, sum(reports)) == (len(BODY), len(BODY))
        assert (await aio.get_object_info(any_bucket, "a.mp4")).etag == sent.etag
        got = await aio.download_file(any_bucket, "a.mp4", tmp_path / "target", progress=reports.append)
        assert (got.verified_by, sum(reports)) == ("md5", 2 * len(BODY))
        assert (tmp_path / "target").read_bytes() == BODY
        assert await aio.download_bytes(any_bucket, "a.mp4") == BODY
        assert await aio.download_bytes(any_bucket, "a.mp4", start=5, length=7) == BODY[5:12]
        async with aio.temporary_download(any_bucket, "a.mp4") as path:
            assert path.read_bytes() == BODY
        assert not path.exists()
        temporary = await aio.download_to_temp(any_bucket, "a.mp4")
        assert temporary.suffix == ".mp4"
        temporary.unlink()
        assert (await aio.get_presigned_url(any_bucket, "a.mp4")).startswith("http")
        await aio.upload_bytes(b"x", any_bucket, "b")
        assert [info.key async for info in aio.list_objects(any_bucket)] == ["a.mp4", "b"]
        await aio.delete_object(any_bucket, "b")
        assert not await aio.object_exists(any_bucket, "b")
        assert await aio.object_exists(any_bucket, "a.mp4")

    threads = {thread.name for thread in threading.enumerate()}
    asyncio.run(main())
    assert "mpr-storage" not in {thread.name for thread in threading.enumerate()} - threads


async def _items(bucket: str, count: int) -> AsyncIterator[tuple[bytes, str, str]]:
    for number in range(count):
        await asyncio.sleep(0)
        yield os.urandom(number), bucket, f"f/{number:03}"


def test_many_go_up_and_down_and_away(any_bucket, tmp_path):
    async def main() -> None:
        seen: list[Any] = []
        sent = [one async for one in aio.upload_many(_items(any_bucket, 60), progress=seen.append)]
        assert all(one.ok for one in sent)
        assert (seen[-1].items, seen[-1].bytes) == (60, sum(range(60)))
        content = {one.item[2]: one.item[0] for one in sent}
        # an asynchronous iterable, and an ordinary one
        listing = aio.list_objects(any_bucket, "f/", workers=3)
        in_memory = {one.item.key: one.data async for one in aio.download_many(listing, None)}
        assert in_memory == content
        infos = [info async for info in aio.list_objects(any_bucket, "f/")]
        files = [one async for one in aio.download_many(infos, tmp_path)]
        assert {f"f/{one.path.name}": one.path.read_bytes() for one in files if one.path} == content
        again = [one async for one in aio.download_many(infos, tmp_path)]
        assert all(one.skipped for one in again)
        assert all([one.ok async for one in aio.delete_many(aio.list_objects(any_bucket))])
        assert [info async for info in aio.list_objects(any_bucket)] == []

    asyncio.run(main())


def test_one_loop_after_the_other_uses_connections_of_its_own(bucket):
    async def main() -> bytes:
        await aio.upload_bytes(b"x", bucket, "k")
        return await aio.download_bytes(bucket, "k")

    assert [asyncio.run(main()) for _ in range(3)] == [b"x"] * 3
    upload_bytes(b"y", bucket, "k")  # and the functions with a loop of their own, at the same time
    assert asyncio.run(main()) == b"x"


def test_loops_in_several_threads_do_not_meet(bucket):
    results: list[list[bool]] = []

    async def main(number: int) -> list[bool]:
        data = os.urandom(1000 + number)
        found = []
        for _ in range(20):
            await aio.upload_bytes(data, bucket, f"k{number}")
            found.append(await aio.download_bytes(bucket, f"k{number}") == data)
        return found

    threads = [threading.Thread(target=lambda n=n: results.append(asyncio.run(main(n)))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[True] * 20] * 4


def test_errors_are_those_of_the_synchronous_functions(fake, monkeypatch, tmp_path):
    async def main() -> None:
        with pytest.raises(UnsafeKeyError):
            await aio.download_file("bucket", "", tmp_path / "f")
        with pytest.raises(ObjectNotFoundError):
            await aio.download_bytes("bucket", "absent")
        with pytest.raises(ValueError, match="start must be at least 0"):
            await aio.download_bytes("bucket", "k", start=-1)
        with pytest.raises(TypeError, match="encode text"):
            await aio.upload_bytes("text", "bucket", "k")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="workers must be a whole number"):
            aio.download_many([], tmp_path, workers=0)
        with pytest.raises(ValueError, match="limit must be at least 1"):
            await anext(aio.list_objects("bucket", limit=0))
        fake.page = Page()
        with pytest.raises(InvalidResponseError):
            await aio.object_exists("bucket", "k")
        with pytest.raises(InvalidResponseError):
            await anext(aio.list_objects("bucket"))
        monkeypatch.delenv("S3_ENDPOINT_URL")
        monkeypatch.delenv("AWS_REGION")
        with pytest.raises(StorageConfigError):
            await aio.get_object_info("bucket", "k")

    asyncio.run(main())


def test_a_cancelled_download_leaves_the_file_as_it_was(bucket, transport, tmp_path):
    upload_bytes(BODY, bucket, "k")
    target = tmp_path / "f"
    target.write_bytes(b"old")

    async def main() -> None:
        task = asyncio.create_task(aio.download_file(bucket, "k", target, progress=lambda _: task.cancel()))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await aio.download_bytes(bucket, "k") == BODY  # and the loop goes on

    asyncio.run(main())
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.usefixtures("small_parts")
def test_a_cancelled_upload_discards_its_parts(any_bucket, transport):
    async def main() -> None:
        file = io.BytesIO(os.urandom(21 * MIB))
        task = asyncio.create_task(aio.upload_file(file, any_bucket, "k", progress=lambda _: task.cancel()))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert transport.requests["AbortMultipartUpload"] == 1
    assert not get_s3_client().list_multipart_uploads(Bucket=any_bucket).get("Uploads")
    assert list(list_objects(any_bucket)) == []


def test_a_time_limit_of_the_caller_ends_a_request(fake, tmp_path):
    fake.put("/bucket/k", BODY)
    stop = threading.Event()
    fake.always = lambda _handler, _body, _start: stop.wait(10)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await aio.download_file("bucket", "k", tmp_path / "f")

    asyncio.run(main())
    stop.set()
    assert list(tmp_path.iterdir()) == []


def test_leaving_a_bulk_transfer_stops_the_rest(bucket, transport, tmp_path):
    for number in range(50):
        upload_bytes(b"x", bucket, f"{number}")
    transport.requests.clear()

    async def main() -> None:
        async with aclosing(aio.download_many(aio.list_objects(bucket), tmp_path, workers=2)) as results:
            async for _ in results:
                break
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    assert transport.requests["GetObject"] < 30
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".mpr")]


@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_of_the_items_is_raised_after_the_results(bucket, is_async):
    def ordinary() -> Any:
        yield b"x", bucket, "k"
        raise ZeroDivisionError

    async def asynchronous() -> Any:
        for item in ordinary():
            yield item

    async def main() -> None:
        results = aio.upload_many(asynchronous() if is_async else ordinary())
        assert (await anext(results)).ok
        with pytest.raises(ZeroDivisionError):
            await anext(results)

    asyncio.run(main())


def test_asynchronous_items_are_refused_by_the_synchronous_functions(bucket):
    with pytest.raises(TypeError, match=r"use the functions of core\.storage\.aio"):
        next(core.storage.upload_many(_items(bucket, 1)))  # type: ignore[call-overload]


def test_a_broken_callback_ends_no_transfer(bucket, tmp_path, caplog):
    upload_bytes(BODY, bucket, "k")

    def broken(_count: int) -> None:
        raise ZeroDivisionError

    asyncio.run(aio.download_file(bucket, "k", tmp_path / "f", progress=broken))
    assert (tmp_path / "f").read_bytes() == BODY
    assert [record.message for record in caplog.records] == [
        "the progress callback failed; the transfer goes on without it"
    ]


def test_a_coroutine_that_is_not_awaited_is_a_warning_of_python(tmp_path: Path):
    with pytest.warns(RuntimeWarning, match="coroutine 'upload_file' was never awaited"):
        aio.upload_file(tmp_path / "f", "bucket", "k")  # type: ignore[unused-coroutine]
