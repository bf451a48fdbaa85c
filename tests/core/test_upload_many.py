from __future__ import annotations

import os
from typing import Any

import pytest

from core.storage import BulkProgress, get_s3_client, list_objects, upload_many

MIB = 1024 * 1024


@pytest.fixture
def frames(tmp_path):
    """Some files, and their content by name."""
    contents = {f"{number:03}.jpg": os.urandom(100 + number) for number in range(40)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return contents


@pytest.fixture
def items(frames, tmp_path, bucket):
    return [(tmp_path / name, bucket, f"frames/{name}") for name in frames]


def stored(bucket: str) -> dict[str, bytes]:
    client = get_s3_client()
    return {one.key: client.get_object(Bucket=bucket, Key=one.key)["Body"].read() for one in list_objects(bucket)}


def test_every_file_is_stored_verified_with_its_content_type(bucket, frames, items):
    results = list(upload_many(items))
    assert {one.item for one in results} == set(items)
    assert all(one.ok and one.info and one.info.verified_by == "md5" for one in results)
    assert stored(bucket) == {f"frames/{name}": content for name, content in frames.items()}
    assert get_s3_client().head_object(Bucket=bucket, Key="frames/000.jpg")["ContentType"] == "image/jpeg"


def test_to_resume_leaves_out_what_is_there(bucket, frames, items, tmp_path):
    list(upload_many(items))
    (tmp_path / "000.jpg").write_bytes(bytes(100))
    (tmp_path / "001.jpg").write_bytes(b"longer" * 1000)
    results = list(upload_many([*items, (tmp_path / "000.jpg", bucket, "new")], resume=True))
    assert {one.item[2] for one in results if not one.skipped} == {"frames/000.jpg", "frames/001.jpg", "new"}
    assert stored(bucket)["frames/000.jpg"] == bytes(100)
    assert all(one.info and one.info.size == one.item[0].stat().st_size for one in results)


@pytest.mark.usefixtures("small_parts")
def test_to_resume_knows_what_was_put_in_parts(bucket, tmp_path):
    large = tmp_path / "large.mp4"
    large.write_bytes(os.urandom(11 * MIB))
    (first,) = upload_many([(large, bucket, "large.mp4")], resume=True)
    (second,) = upload_many([(large, bucket, "large.mp4")], resume=True)
    assert (first.skipped, second.skipped) == (False, True)
    with large.open("r+b") as file:
        file.seek(7 * MIB)
        file.write(b"changed")
    (third,) = upload_many([(large, bucket, "large.mp4")], resume=True)
    assert (third.skipped, third.ok) == (False, True)


def test_one_that_fails_does_not_stop_the_others(bucket, items, tmp_path):
    path = items[0][0]
    odd: list[Any] = [
        (tmp_path / "absent", bucket, "k"),
        (tmp_path, bucket, "k"),
        (path, "absent-bucket", "k"),
        (path, bucket, "a//b"),
        (path, bucket, ""),
        (path, bucket),
        None,
    ]
    results = list(upload_many([*odd, *items]))
    assert len(results) == len(odd) + len(items)
    errors = {repr(one.item): type(one.error).__name__ for one in results if one.error}
    names = [
        "FileNotFoundError",
        "IsADirectoryError",
        "BucketNotFoundError",
        "UnsafeKeyError",
        "UnsafeKeyError",
        "TypeError",
        "TypeError",
    ]
    assert errors == dict(zip(map(repr, odd), names, strict=True))


def test_progress_counts_items_and_bytes(frames, items):
    seen: list[BulkProgress] = []
    list(upload_many(items, progress=seen.append))
    assert seen[-1] == BulkProgress(items=40, failed=0, skipped=0, bytes=sum(map(len, frames.values())))


def test_a_number_of_workers_that_makes_no_sense_is_refused_at_the_call():
    with pytest.raises(ValueError, match="workers must be"):
        upload_many([], workers=0)


def test_nothing_to_do_is_done():
    assert list(upload_many([])) == []
