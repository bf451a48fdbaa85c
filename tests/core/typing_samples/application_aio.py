"""An application that uses every function of `core.storage.aio`. Type checkers read it; it never runs."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from pathlib import Path
from typing import NamedTuple, assert_type

from core.storage import BUCKET_IN, BUCKET_OUT, ObjectInfo, TransferResult, aio, list_objects


class Upload(NamedTuple):
    path: Path
    bucket: str
    key: str


Mixed = ObjectInfo | tuple[str, str]


async def one_object(path: Path) -> None:
    assert_type(aio.list_objects(BUCKET_IN, "chunks/", suffixes=".mp4"), AsyncGenerator[ObjectInfo, None])
    async for info in aio.list_objects(BUCKET_IN, limit=3, workers=4):
        assert_type(info, ObjectInfo)
    assert_type(await aio.get_object_info(BUCKET_IN, "k"), ObjectInfo)
    assert_type(await aio.object_exists(BUCKET_IN, "k"), bool)
    assert_type(await aio.download_file(BUCKET_IN, "k", path, progress=print), ObjectInfo)
    assert_type(await aio.download_to_temp(BUCKET_IN, "k"), Path)
    async with aio.temporary_download(BUCKET_IN, "k") as temporary:
        assert_type(temporary, Path)
    assert_type(await aio.download_bytes(BUCKET_IN, "k", start=1, length=2), bytes)
    assert_type(await aio.upload_file(path, BUCKET_OUT, "k", metadata={"a": "b"}), ObjectInfo)
    assert_type(await aio.upload_file(io.BytesIO(), BUCKET_OUT, "k"), ObjectInfo)
    assert_type(await aio.upload_bytes(memoryview(b""), BUCKET_OUT, "k", content_type="text/plain"), ObjectInfo)
    assert_type(await aio.get_presigned_url(BUCKET_IN, "k", 60, method="GET"), str)
    await aio.delete_object(BUCKET_OUT, "k")


async def many_downloads(pairs: list[tuple[str, str]], mixed: AsyncIterable[Mixed]) -> None:
    assert_type(aio.download_many(pairs, "folder"), AsyncGenerator[TransferResult[tuple[str, str]], None])
    async for of_listing in aio.download_many(aio.list_objects(BUCKET_OUT), "folder", workers=4, progress=print):
        assert_type(of_listing, TransferResult[ObjectInfo])
        assert_type(of_listing.data, bytes | None)
    async for of_listing in aio.download_many(list_objects(BUCKET_OUT), None):
        assert_type(of_listing, TransferResult[ObjectInfo])
    async for of_pair in aio.download_many(((BUCKET_OUT, str(number)) for number in range(3)), None):
        assert_type(of_pair, TransferResult[tuple[str, str]])
    async for of_mixed in aio.download_many(mixed, None):
        assert_type(of_mixed, TransferResult[Mixed])
    async for of_mixed in aio.download_many([("bucket", "k"), *list_objects(BUCKET_OUT)], None):
        assert_type(of_mixed, TransferResult[Mixed])


async def many_deletions(pairs: list[tuple[str, str]], mixed: list[Mixed]) -> None:
    assert_type(aio.delete_many(pairs), AsyncGenerator[TransferResult[tuple[str, str]], None])
    assert_type([item async for item in aio.delete_many(mixed)], list[TransferResult[Mixed]])
    old = (info async for info in aio.list_objects(BUCKET_OUT) if info.size == 0)
    assert_type([result.item async for result in aio.delete_many(old)], list[ObjectInfo])
    literal = aio.delete_many([("bucket", "k"), *list_objects(BUCKET_OUT)])
    assert_type([result async for result in literal], list[TransferResult[Mixed]])


async def many_uploads(paths: list[Path], named: AsyncIterator[Upload]) -> None:
    async for of_path in aio.upload_many((path, BUCKET_OUT, path.name) for path in paths):
        assert_type(of_path, TransferResult[tuple[Path, str, str]])
    async for of_bytes in aio.upload_many([(b"", BUCKET_OUT, "k")], workers=4, resume=True, progress=print):
        assert_type(of_bytes, TransferResult[tuple[bytes, str, str]])
    async for of_name in aio.upload_many((info.key, BUCKET_OUT, info.key) async for info in aio.list_objects("b")):
        assert_type(of_name, TransferResult[tuple[str, str, str]])
    async for of_named in aio.upload_many(named):
        assert_type(of_named, TransferResult[Upload])
    async for of_mixed in aio.upload_many([(Path("a.jpg"), BUCKET_OUT, "a.jpg"), (b"{}", BUCKET_OUT, "a.json")]):
        assert_type(of_mixed.item[1], str)
