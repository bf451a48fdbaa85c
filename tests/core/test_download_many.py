from __future__ import annotations

import itertools
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from core.storage import (
    BulkProgress,
    ObjectNotFoundError,
    TransferResult,
    UnsafeKeyError,
    download_many,
    get_s3_client,
    list_objects,
)
from tests.core._fake_s3 import truncated


@pytest.fixture
def frames(bucket):
    """Some objects in some folders, and their content by key."""
    contents = {f"frames/{number % 3}/{number:03}.jpg": os.urandom(100 + number) for number in range(40)}
    for key, content in contents.items():
        get_s3_client().put_object(Bucket=bucket, Key=key, Body=content)
    return contents


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_everything_that_is_listed_arrives_verified(bucket, frames, tmp_path):
    results = list(download_many(list_objects(bucket, "frames/"), tmp_path))
    assert files_in(tmp_path) == frames
    assert {one.info.key for one in results if one.info} == set(frames)
    assert all(one.ok and not one.skipped and one.info and one.info.verified_by == "md5" for one in results)
    assert all(one.path == tmp_path / one.item.key for one in results)


def test_what_is_there_with_the_same_content_is_left(bucket, frames, tmp_path):
    list(download_many(list_objects(bucket, "frames/"), tmp_path))
    same, longer, other = list(frames)[:3]
    before = (tmp_path / same).stat().st_ino
    (tmp_path / longer).write_bytes(frames[longer] + b"x")
    (tmp_path / other).write_bytes(bytes(len(frames[other])))
    results = {one.item.key: one for one in download_many(list_objects(bucket, "frames/"), tmp_path)}
    assert {key for key, one in results.items() if not one.skipped} == {longer, other}
    assert files_in(tmp_path) == frames
    assert (tmp_path / same).stat().st_ino == before


def test_an_item_may_be_a_bucket_and_a_key(bucket, frames, tmp_path):
    key = next(iter(frames))
    (result,) = download_many([(bucket, key)], tmp_path)
    assert result.ok
    assert (tmp_path / key).read_bytes() == frames[key]


@pytest.mark.parametrize("workers", [1, 3, 64])
def test_one_that_fails_does_not_stop_the_others(bucket, frames, tmp_path, workers):
    key = next(iter(frames))
    (tmp_path / "in the way").write_bytes(b"")
    (tmp_path / "folder" / "x").mkdir(parents=True)
    get_s3_client().put_object(Bucket=bucket, Key="folder", Body=b"")
    items: list[Any] = [
        (bucket, "absent"),
        ("absent-bucket", "k"),
        (bucket, "../escape"),
        (bucket, ""),
        (bucket, "folder"),
        (bucket, "in the way/k"),
        (bucket, key),
        "no item",
        (bucket, None),
        (bucket, key, "more"),
    ]
    results = list(download_many(items, tmp_path, workers=workers))
    assert len(results) == len(items)
    errors = {repr(one.item): type(one.error).__name__ for one in results if one.error}
    assert errors == {
        repr((bucket, "absent")): "ObjectNotFoundError",
        repr(("absent-bucket", "k")): "BucketNotFoundError",
        repr((bucket, "../escape")): "UnsafeKeyError",
        repr((bucket, "")): "UnsafeKeyError",
        repr((bucket, "folder")): "IsADirectoryError",
        repr((bucket, "in the way/k")): "FileExistsError",
        repr("no item"): "TypeError",
        repr((bucket, None)): "TypeError",
        repr((bucket, key, "more")): "TypeError",
    }
    assert not (tmp_path.parent / "escape").exists()


def test_a_key_cannot_leave_through_a_link(bucket, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    (result,) = download_many([(bucket, "link/file")], folder)
    assert isinstance(result.error, UnsafeKeyError)
    assert list(outside.iterdir()) == []


def test_nothing_to_do_is_done(tmp_path):
    assert list(download_many([], tmp_path)) == []


@pytest.mark.parametrize("workers", [0, -1, 257, 1.5, True])
def test_a_number_of_workers_that_makes_no_sense_is_refused_at_the_call(workers, tmp_path):
    with pytest.raises(ValueError, match="workers must be"):
        download_many([], tmp_path, workers=workers)


def test_a_folder_that_is_none_is_refused_at_the_call(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        download_many([], tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        download_many([], tmp_path / "absent")


def test_items_are_taken_as_they_are_needed(bucket, frames, tmp_path):
    key = next(iter(frames))
    taken = itertools.count()
    results = download_many(((bucket, key) for _ in iter(lambda: next(taken), 10_000)), tmp_path, workers=2)
    for _ in range(5):
        next(results)
    time.sleep(0.2)
    assert next(taken) < 40  # those in work, and those whose results wait
    results.close()


def test_an_error_of_the_items_own_iterator_is_raised_here(bucket, frames, tmp_path):
    def items():
        yield (bucket, next(iter(frames)))
        raise ZeroDivisionError("of the caller")

    with pytest.raises(ZeroDivisionError):
        list(download_many(items(), tmp_path))
    assert bulk_threads() == []


def test_progress_counts_items_and_bytes(bucket, frames, tmp_path):
    seen: list[BulkProgress] = []
    items = [*((bucket, key) for key in frames), (bucket, "absent")]
    list(download_many(items, tmp_path, progress=seen.append))
    size = sum(map(len, frames.values()))
    assert seen[-1] == BulkProgress(items=len(frames) + 1, failed=1, skipped=0, bytes=size)
    list(download_many(list_objects(bucket, "frames/"), tmp_path, progress=seen.append))
    assert seen[-1] == BulkProgress(items=len(frames), failed=0, skipped=len(frames), bytes=0)


def test_a_progress_that_raises_is_logged_and_left_alone(bucket, frames, tmp_path, caplog):
    def progress(_so_far):
        raise ZeroDivisionError

    assert all(one.ok for one in download_many(list_objects(bucket, "frames/"), tmp_path, progress=progress))
    assert files_in(tmp_path) == frames
    assert caplog.text.count("the progress callback failed") == 1


def bulk_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("mpr-bulk")]


@pytest.mark.parametrize("leave", ["close", "interrupt"])
def test_leaving_stops_the_rest_and_leaves_no_partial_file(fake, tmp_path, leave):
    for number in range(50):
        fake.put(f"/bucket/{number}", os.urandom(300_000))
    results = download_many([("bucket", str(number)) for number in range(50)], tmp_path, workers=4)
    next(results)
    if leave == "close":
        results.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            results.throw(KeyboardInterrupt)
    assert bulk_threads() == []
    there = files_in(tmp_path)
    assert 0 < len(there) < 50
    assert all(len(content) == 300_000 for content in there.values())


def test_a_broken_transfer_among_many_is_resumed_like_a_single_one(fake, tmp_path):
    contents = {str(number): os.urandom(50_000) for number in range(8)}
    for key, content in contents.items():
        fake.put(f"/bucket/{key}", content)
    fake.faults.extend([truncated(10_000)] * 3)
    results = list(download_many([("bucket", key) for key in contents], tmp_path, workers=2))
    assert all(one.ok for one in results)
    assert files_in(tmp_path) == contents


def test_a_result_names_its_item_file_and_object(tmp_path, bucket):
    (result,) = download_many([(bucket, "absent")], tmp_path)
    assert isinstance(result, TransferResult)
    assert (result.item, result.path, result.info, result.ok) == (
        (bucket, "absent"),
        tmp_path / "absent",
        None,
        False,
    )
    assert isinstance(result.error, ObjectNotFoundError)


def test_a_bulk_stays_with_the_store_that_it_began_with(bucket, monkeypatch, tmp_path):
    for number in range(20):
        get_s3_client().put_object(Bucket=bucket, Key=f"{number}.jpg", Body=b"x")

    def items():
        for number in range(20):
            if number == 10:
                monkeypatch.setenv("S3_ENDPOINT_URL", "http://127.0.0.1:9")
            yield bucket, f"{number}.jpg"

    results = list(download_many(items(), tmp_path, workers=2))
    assert [result.error for result in results] == [None] * 20


def test_two_objects_for_one_file_are_an_error_of_the_second(store, new_bucket, bucket, tmp_path):
    other_bucket = new_bucket(store)
    client = get_s3_client()
    for name in (bucket, other_bucket):
        client.put_object(Bucket=name, Key="a.jpg", Body=name.encode())
    results = download_many([(bucket, "a.jpg"), (other_bucket, "a.jpg")], tmp_path, workers=1)
    first, second = results
    assert first.ok
    assert isinstance(second.error, FileExistsError)
    assert "another item of this call has just written this file" in str(second.error)
    assert files_in(tmp_path) == {"a.jpg": bucket.encode()}


def test_a_folder_may_have_folders_of_any_name(bucket, tmp_path):
    get_s3_client().put_object(Bucket=bucket, Key="x/a.jpg", Body=b"a")
    for _ in range(2):
        assert all(one.ok for one in download_many([(bucket, "x/a.jpg")], tmp_path))
    assert (tmp_path / "x" / "a.jpg").read_bytes() == b"a"


def test_the_same_object_twice_is_no_error(bucket, tmp_path):
    get_s3_client().put_object(Bucket=bucket, Key="a.jpg", Body=b"a")
    assert all(one.ok for one in download_many([(bucket, "a.jpg")] * 20, tmp_path))
    assert files_in(tmp_path) == {"a.jpg": b"a"}


def test_a_pipe_in_the_place_of_a_file_is_an_error_of_its_item(bucket, tmp_path):
    get_s3_client().put_object(Bucket=bucket, Key="a.jpg", Body=b"a")
    os.mkfifo(tmp_path / "a.jpg")
    (result,) = download_many([(bucket, "a.jpg")], tmp_path)
    assert isinstance(result.error, FileExistsError)
    assert [one.name for one in tmp_path.iterdir()] == ["a.jpg"]
