"""An application that uses every synchronous function of `core.storage`. Type checkers read it; it never runs."""

# ruff: noqa: T201  # applications print

from __future__ import annotations

import array
import datetime as dt
import io
import mmap
import os
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, Literal, NamedTuple, assert_type

import numpy as np
import numpy.typing as npt

from core.storage import (
    BUCKET_IN,
    BUCKET_OUT,
    AccessDeniedError,
    BucketNotFoundError,
    BulkProgress,
    CachedFrame,
    ClockSkewError,
    ExpiredCredentialsError,
    FrameCache,
    FrameManifest,
    IntegrityError,
    InvalidCredentialsError,
    InvalidResponseError,
    LayoutError,
    ObjectChangedError,
    ObjectInfo,
    ObjectNotFoundError,
    Settings,
    StorageConfigError,
    StorageError,
    StoreUnreachableError,
    TransferResult,
    UnsafeKeyError,
    WrongRegionError,
    delete_many,
    delete_object,
    download_bytes,
    download_file,
    download_many,
    download_to_temp,
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
from core.storage.keys import ChunkKey, FrameKey, ManifestKey, OverlayKey, parse


class Location(NamedTuple):
    bucket: str
    key: str


class Upload(NamedTuple):
    path: Path
    bucket: str
    key: str


Mixed = ObjectInfo | tuple[str, str]


def one_object(path: Path) -> None:
    assert_type(BUCKET_IN, str)
    assert_type(BUCKET_OUT, str)
    assert_type(list_objects(BUCKET_IN), Iterator[ObjectInfo])
    assert_type(list_objects(BUCKET_IN, "chunks/", suffixes=(".mp4",), limit=3, workers=4), Iterator[ObjectInfo])
    assert_type(list_objects(BUCKET_IN, suffixes=".mp4"), Iterator[ObjectInfo])
    assert_type(get_object_info(BUCKET_IN, "k"), ObjectInfo)
    assert_type(object_exists(BUCKET_IN, "k"), bool)
    assert_type(download_file(BUCKET_IN, "k", path), ObjectInfo)
    assert_type(download_file(BUCKET_IN, "k", "file", progress=print), ObjectInfo)
    assert_type(download_to_temp(BUCKET_IN, "k"), Path)
    with temporary_download(BUCKET_IN, "k") as temporary:
        assert_type(temporary, Path)
    assert_type(download_bytes(BUCKET_IN, "k", start=1, length=None), bytes)
    assert_type(open_object(BUCKET_IN, "k").read(), bytes)
    with open_object(BUCKET_IN, "k") as file, zipfile.ZipFile(file) as archive:
        assert_type(upload_file(archive.open("member"), BUCKET_OUT, "k"), ObjectInfo)
    assert_type(get_presigned_url(BUCKET_IN, "k", 60, method="GET", filename="video.mp4"), str)
    assert_type(safe_path("folder", "k"), Path)
    delete_object(BUCKET_OUT, "k")


def uploads(path: Path, binary: BinaryIO, stream: IO[bytes], picture: npt.NDArray[np.uint8]) -> None:
    assert_type(upload_file(path, BUCKET_OUT, "k", content_type="text/plain", metadata={"a": "b"}), ObjectInfo)
    assert_type(upload_file("file", BUCKET_OUT, "k", progress=lambda count: print(count + 1)), ObjectInfo)
    assert_type(upload_file(path.open("rb"), BUCKET_OUT, "k"), ObjectInfo)
    assert_type(upload_file(io.BytesIO(), BUCKET_OUT, "k"), ObjectInfo)
    assert_type(upload_file(binary, BUCKET_OUT, "k"), ObjectInfo)
    assert_type(upload_file(stream, BUCKET_OUT, "k"), ObjectInfo)
    with SpooledTemporaryFile() as spooled:
        assert_type(upload_file(spooled, BUCKET_OUT, "k"), ObjectInfo)
    assert_type(upload_bytes(b"", BUCKET_OUT, "k", content_type="text/plain", metadata={}), ObjectInfo)
    assert_type(upload_bytes(bytearray(), BUCKET_OUT, "k"), ObjectInfo)
    assert_type(upload_bytes(memoryview(b""), BUCKET_OUT, "k"), ObjectInfo)
    assert_type(upload_bytes(array.array("i"), BUCKET_OUT, "k"), ObjectInfo)
    assert_type(upload_bytes(mmap.mmap(-1, 1), BUCKET_OUT, "k"), ObjectInfo)
    assert_type(upload_bytes(picture, BUCKET_OUT, "k"), ObjectInfo)
    assert_type(upload_bytes(np.zeros(3), BUCKET_OUT, "k"), ObjectInfo)


def many_downloads(pairs: list[tuple[str, str]], named: list[Location], mixed: Iterable[Mixed]) -> None:
    assert_type(download_many(pairs, "folder"), Generator[TransferResult[tuple[str, str]], None, None])
    for of_listing in download_many(list_objects(BUCKET_OUT), Path("folder"), workers=4, progress=on_progress):
        assert_type(of_listing, TransferResult[ObjectInfo])
        assert_type(of_listing.item.key, str)
        assert_type(of_listing.path, Path | None)
        assert_type(of_listing.info, ObjectInfo | None)
        assert_type(of_listing.error, Exception | None)
        assert_type(of_listing.data, bytes | None)
        assert_type(of_listing.ok, bool)
        assert_type(of_listing.skipped, bool)
        report(of_listing)
    for of_pair in download_many(((BUCKET_OUT, str(number)) for number in range(3)), None):
        assert_type(of_pair, TransferResult[tuple[str, str]])
        report(of_pair)
    for of_named in download_many(named, None):
        assert_type(of_named, TransferResult[Location])
    for of_mixed in download_many(mixed, None):
        assert_type(of_mixed, TransferResult[Mixed])
    for of_mixed in download_many([("bucket", "k"), *list_objects(BUCKET_OUT)], None):
        assert_type(of_mixed, TransferResult[Mixed])
    report_all(download_many(list_objects(BUCKET_OUT), None))
    report_all(download_many(pairs, None))


def many_deletions(pairs: list[tuple[str, str]], named: list[Location], mixed: Iterable[Mixed]) -> None:
    assert_type(delete_many(pairs), Generator[TransferResult[tuple[str, str]], None, None])
    assert_type(list(delete_many(list_objects(BUCKET_OUT))), list[TransferResult[ObjectInfo]])
    assert_type([result.item for result in delete_many(named) if result.error], list[Location])
    assert_type(list(delete_many(mixed)), list[TransferResult[Mixed]])
    assert_type(list(delete_many([("bucket", "k"), *list_objects(BUCKET_OUT)])), list[TransferResult[Mixed]])


def many_uploads(
    paths: list[Path], named: list[Upload], arrays: list[tuple[npt.NDArray[np.uint8], str, str]]
) -> None:
    for of_path in upload_many((path, BUCKET_OUT, path.name) for path in paths):
        assert_type(of_path, TransferResult[tuple[Path, str, str]])
    sources = [(path, BUCKET_OUT, path.name) for path in paths]
    for of_path in upload_many(sources, workers=4, resume=True, progress=on_progress):
        assert_type(of_path.item, tuple[Path, str, str])
    assert_type(upload_many(sources), Generator[TransferResult[tuple[Path, str, str]], None, None])
    for of_name in upload_many([("file", BUCKET_OUT, "k")]):
        assert_type(of_name, TransferResult[tuple[str, str, str]])
    for of_bytes in upload_many((bytes(number), BUCKET_OUT, str(number)) for number in range(3)):
        assert_type(of_bytes, TransferResult[tuple[bytes, str, str]])
    for of_array in upload_many(arrays):
        assert_type(of_array, TransferResult[tuple[npt.NDArray[np.uint8], str, str]])
    for of_named in upload_many(named):
        assert_type(of_named, TransferResult[Upload])
    # A list of both kinds, written where it is used: its items have no common type but `object`.
    for of_mixed in upload_many([(Path("a.jpg"), BUCKET_OUT, "a.jpg"), (b"{}", BUCKET_OUT, "a.json")]):
        assert_type(of_mixed.item[1], str)
        report(of_mixed)


def mixed_uploads(mixed: list[tuple[Path | bytes, str, str]]) -> list[str]:
    return [result.item[2] for result in upload_many(mixed) if result.error]


def on_progress(progress: BulkProgress) -> None:
    assert_type((progress.items, progress.failed, progress.skipped), tuple[int, int, int])
    assert_type(progress.bytes, int)


def report(result: TransferResult[object]) -> None:
    assert_type(result.item, object)


def report_all(results: Iterable[TransferResult[Mixed]]) -> None:
    for result in results:
        assert_type(result.item, Mixed)


def frames(folder: Path, decode: Callable[[], list[Path]]) -> None:
    cache = FrameCache("match-01", bucket=BUCKET_OUT)
    assert_type((cache.timeline_id, cache.bucket), tuple[str, str])
    assert_type(cache.exists(), bool)
    assert_type(cache.write_once(decode, progress=on_progress), FrameManifest)
    assert_type(cache.write_once(lambda: (f"{number}.jpg" for number in range(3))), FrameManifest)
    assert_type(cache.get(folder, progress=on_progress), list[Path])
    manifest = cache.manifest()
    assert_type(manifest.frames, tuple[CachedFrame, ...])
    assert_type((manifest.bucket, manifest.timeline_id, manifest.run), tuple[str, str, str])
    frame = manifest.frames[0]
    assert_type((frame.key, frame.name, frame.md5), tuple[str, str, str])
    assert_type((frame.size, frame.index), tuple[int, int])
    cache.discard()
    assert_type(cache.sweep(), int)


def layout() -> None:
    chunk = ChunkKey(dt.date(2025, 4, 15), "match-01.mp4")
    assert_type((chunk.date, chunk.name, chunk.key, chunk.folder), tuple[dt.date, str, str, str])
    assert_type(FrameKey("match-01", 42, run="9f3c20d1e4b7a586").suffix, str)
    assert_type(ManifestKey("match-01").timeline_id, str)
    assert_type(OverlayKey("7d44", 42, ".png").index, int)
    assert_type(parse("chunks/2025-04-15/match-01.mp4"), ChunkKey | FrameKey | ManifestKey | OverlayKey)
    match parse("frames/match-01/00000042.jpg"):
        case FrameKey(timeline_id, index):
            assert_type(timeline_id, str)
            assert_type(index, int)
        case _:
            pass


def settings() -> None:
    loaded = Settings.load()
    assert_type(loaded, Settings)
    assert_type(Settings.load(os.environ), Settings)
    assert_type(Settings.from_env({"AWS_REGION": "eu-west-1"}, {}), Settings)
    assert_type(loaded.to_env(), dict[str, str])
    assert_type(loaded.bucket("in"), str)
    assert_type(loaded.region, str)
    assert_type(loaded.endpoint_url, str | None)
    assert_type(loaded.addressing_style, Literal["path", "virtual"] | None)
    other = Settings(endpoint_url="http://minio:9000", region="us-east-1", addressing_style="path")
    get_s3_client(other).close()
    print(get_s3_client().head_object(Bucket=BUCKET_IN, Key="k")["ContentLength"])
    for page in get_s3_client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET_IN):
        print([content.get("Key") for content in page.get("Contents", [])])


def errors() -> None:
    try:
        download_bytes(BUCKET_IN, "k")
    except (ObjectNotFoundError, BucketNotFoundError) as error:
        assert_type(error, ObjectNotFoundError | BucketNotFoundError)
        absent: FileNotFoundError = error
        print(absent)
    except (AccessDeniedError, InvalidCredentialsError, ExpiredCredentialsError) as error:
        denied: PermissionError = error
        print(denied)
    except StoreUnreachableError as error:
        unreachable: ConnectionError = error
        print(unreachable)
    except (StorageConfigError, UnsafeKeyError, LayoutError) as error:
        wrong: ValueError = error
        print(wrong)
    except (
        ClockSkewError,
        IntegrityError,
        InvalidResponseError,
        ObjectChangedError,
        WrongRegionError,
        StorageError,
    ) as error:
        assert_type(error.message, str)
        assert_type((error.bucket, error.key), tuple[str | None, str | None])
        assert_type((error.operation, error.code, error.request_id), tuple[str | None, str | None, str | None])
