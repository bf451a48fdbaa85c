"""Wrong uses of `core.storage`. Each line with a comment must be an error for every type checker."""

# ruff: noqa: ARG005, B018, PLC0415  # wrong uses also look useless

from __future__ import annotations

import io
from pathlib import Path

import core.storage
from core.storage import (
    FrameCache,
    ObjectInfo,
    Settings,
    StorageError,
    TransferResult,
    aio,
    delete_many,
    delete_object,
    download_bytes,
    download_file,
    download_many,
    get_object_info,
    get_presigned_url,
    get_s3_client,
    list_objects,
    object_exists,
    open_object,
    safe_path,
    temporary_download,
    upload_bytes,
    upload_file,
    upload_many,
)
from core.storage.keys import ChunkKey, FrameKey, parse
from core.storage.testing import FakeStorage


def one_object(path: Path, text: io.TextIOWrapper) -> None:
    from core.storage import downlod_file  # type: ignore[attr-defined]

    downlod_file("b", "k", path)
    core.storage.upload_fiel(path, "b", "k")  # type: ignore[attr-defined]
    download_bytes("b", "k", start="0")  # type: ignore[arg-type]
    download_bytes("b", "k", 5)  # type: ignore[call-arg]
    download_bytes("b")  # type: ignore[call-arg]
    download_file("b", "k")  # type: ignore[call-arg]
    download_file("b", "k", None)  # type: ignore[arg-type]
    download_file("b", path, path)  # type: ignore[arg-type]
    download_file("b", "k", path, progress=lambda done, total: None)  # type: ignore[arg-type, misc]
    get_object_info("b", "k").etags  # type: ignore[attr-defined]
    get_object_info("b", "k").size = 1  # type: ignore[misc]
    get_presigned_url("b", "k", expires="1h")  # type: ignore[arg-type]
    list_objects("b", limit="5")  # type: ignore[arg-type]
    list_objects("b", suffixes=1)  # type: ignore[arg-type]
    object_exists("b", b"k")  # type: ignore[arg-type]
    delete_object("b", None)  # type: ignore[arg-type]
    open_object("b", "k").read().encode()  # type: ignore[attr-defined]
    safe_path("folder")  # type: ignore[call-arg]
    temporary_download("b", "k").name  # type: ignore[attr-defined]
    upload_bytes("text", "b", "k")  # type: ignore[arg-type]
    upload_bytes(path, "b", "k")  # type: ignore[arg-type]
    upload_bytes(b"", "b", "k", metadata={"a": 1})  # type: ignore[dict-item]
    upload_file(b"content", "b", "k")  # type: ignore[arg-type]
    upload_file(text, "b", "k")  # type: ignore[arg-type]
    upload_file(path, "b", "k", content_typ="text/plain")  # type: ignore[call-arg]


def many_objects(path: Path, result: TransferResult[ObjectInfo]) -> None:
    download_many(["k"], "folder")  # type: ignore[type-var]
    download_many("k", "folder")  # type: ignore[type-var]
    download_many([("b", "k", "k")], "folder")  # type: ignore[type-var]
    download_many([("b", path)], "folder")  # type: ignore[type-var]
    download_many([("b", "k"), "k"], "folder")  # type: ignore[type-var]
    download_many([("b", "k")])  # type: ignore[call-overload]
    download_many([("b", "k")], "folder", worker=3)  # type: ignore[call-overload]
    download_many(list_objects("b"), b"folder")  # type: ignore[call-overload]
    download_many(aio.list_objects("b"), "folder")  # type: ignore[call-overload]
    delete_many(["k"])  # type: ignore[type-var]
    delete_many("b", "prefix/")  # type: ignore[call-overload]
    upload_many([path])  # type: ignore[type-var]
    upload_many([(path, "b")])  # type: ignore[type-var]
    upload_many([(path, "b", path)])  # type: ignore[type-var]
    upload_many((path, "b", path) for _ in range(3))  # type: ignore[type-var]
    upload_many([(path.open("rb"), "b", "k")])  # type: ignore[type-var]
    upload_many([(1, "b", "k"), (b"", "b", "k")])  # type: ignore[type-var]
    upload_many([(path, "b", "k")], resume="yes", workers="3")  # type: ignore[call-overload]
    result.info.size  # type: ignore[union-attr]
    result.data.decode()  # type: ignore[union-attr]
    result.item.bucket_name  # type: ignore[attr-defined]
    result.ok = True  # type: ignore[misc]


async def in_the_loop_of_the_caller(path: Path) -> None:
    aio.upload_file(path, "b", "k")  # type: ignore[unused-coroutine]
    aio.download_bytes("b", "k").decode()  # type: ignore[attr-defined]
    len(aio.download_bytes("b", "k"))  # type: ignore[arg-type]
    await download_bytes("b", "k")  # type: ignore[misc]
    await aio.list_objects("b")  # type: ignore[misc]
    await aio.upload_bytes("text", "b", "k")  # type: ignore[arg-type]
    aio.upload_many([(path, "b")])  # type: ignore[type-var]
    aio.download_many(["k"], None)  # type: ignore[type-var]
    aio.open_object("b", "k")  # type: ignore[attr-defined]
    async for _ in list_objects("b"):  # type: ignore[attr-defined]
        pass
    for _ in aio.list_objects("b"):  # type: ignore[attr-defined]
        pass
    for _ in aio.delete_many([("b", "k")]):  # type: ignore[attr-defined]
        pass
    with aio.temporary_download("b", "k"):  # type: ignore[attr-defined]
        pass


def the_rest(settings: Settings, error: StorageError, storage: FakeStorage) -> None:
    get_s3_client("prod")  # type: ignore[arg-type]
    Settings("http://minio:9000")  # type: ignore[call-arg]
    Settings(region="r", addressing_style="auto")  # type: ignore[arg-type]
    settings.bucket("inn")  # type: ignore[arg-type]
    settings.region = "r"  # type: ignore[misc]
    error.bucket.upper()  # type: ignore[union-attr]
    error.status  # type: ignore[attr-defined]
    ChunkKey("2025-04-15", "match-01.mp4")  # type: ignore[arg-type]
    FrameKey("match-01")  # type: ignore[call-arg]
    parse("k").timeline_id  # type: ignore[union-attr]
    FrameCache("match-01").write_once([Path("1.jpg")])  # type: ignore[arg-type]
    FrameCache("match-01").get(None)  # type: ignore[arg-type]
    FrameCache("match-01", "bucket")  # type: ignore[call-arg]
    storage.fail("GetObject", times="2")  # type: ignore[arg-type]
    storage.fails("GetObject")  # type: ignore[attr-defined]
