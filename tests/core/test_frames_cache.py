"""A frame cache is complete or absent, also while other processes write it, read it or are killed."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.storage import (
    AccessDeniedError,
    BulkProgress,
    FrameCache,
    IntegrityError,
    InvalidResponseError,
    LayoutError,
    ObjectNotFoundError,
    StorageConfigError,
    StorageError,
    get_s3_client,
    keys,
)
from core.storage._frames import write as writing
from infra.stores import iam
from tests.core._frames import child, contents, made, stored
from tests.core.transport import requests_of, response
from tests.infra.conftest import fresh, policy_of, seaweed_store  # noqa: F401  # one is a fixture
from tests.waiting import wait_until

MANIFEST = "frames/match-01/manifest.json"
DENIED = b"<Error><Code>AccessDenied</Code></Error>"


@pytest.fixture
def viewer(bucket, request, use) -> Iterator[tuple[str, Callable[[], None]]]:
    """A bucket, and what makes this process one that may only read it."""
    store = request.getfixturevalue("seaweed_store")
    name = fresh("viewer")
    iam.ensure_identity(store, name, policy_of("viewer", {"in": bucket, "out": bucket}))
    keys = iam.create_key(store, name)
    yield (
        bucket,
        lambda: use(store.endpoint, bucket, key=keys.access_key_id, secret=keys.secret_access_key),
    )
    iam.delete_identity(store, name)


def there_is_none(cache: FrameCache, folder: Path) -> bool:
    """Whether a reader finds nothing at all."""
    with pytest.raises(ObjectNotFoundError, match=r"no run has written all frames of timeline .*write_once"):
        cache.manifest()
    with pytest.raises(FileNotFoundError):
        cache.get(folder)
    return not cache.exists() and list(folder.iterdir()) == []


# --- written and read -----------------------------------------------------------------------------------


def test_what_is_written_comes_back_in_order(bucket, files, tmp_path):
    cache = FrameCache("match-01")
    folder = tmp_path / "there"
    folder.mkdir()
    assert there_is_none(cache, folder)
    written = cache.write_once(lambda: reversed(files))
    assert cache.exists()
    assert cache.manifest() == written
    paths = cache.get(folder)
    assert paths == [folder / f"{number:08}.jpg" for number in range(12)]
    assert contents(paths) == contents(files)
    assert sorted(stored(bucket)) == sorted([*(frame.key for frame in written.frames), MANIFEST])


def test_the_manifest_gives_keys_sizes_and_hashes(cache, bucket, files):
    written = cache.write_once(lambda: files)
    assert (written.bucket, written.timeline_id) == (bucket, "match-01")
    for number, (frame, file) in enumerate(zip(written.frames, files, strict=True)):
        body = file.read_bytes()
        assert frame.key == keys.FrameKey("match-01", number, run=written.run).key
        assert (frame.index, frame.name) == (number, f"{number:08}.jpg")
        assert (frame.size, frame.md5) == (len(body), hashlib.md5(body, usedforsecurity=False).hexdigest())
    assert {str(keys.parse(key)) for key in stored(bucket)} == set(stored(bucket))
    head = get_s3_client().head_object(Bucket=bucket, Key=written.frames[0].key)
    assert head["ContentType"] == "image/jpeg"


def test_a_cache_is_written_once(bucket, files, tmp_path):
    first = FrameCache("match-01").write_once(lambda: files)
    before = stored(bucket)
    assert FrameCache("match-01").write_once(lambda: pytest.fail("they are there")) == first
    assert stored(bucket) == before
    other = FrameCache("match-02").write_once(lambda: made(tmp_path / "other", 2))
    assert len(other.frames) == 2
    assert FrameCache("match-01").manifest() == first


def test_requests_are_few(cache, files, tmp_path, transport):
    asked = transport.requests
    cache.write_once(lambda: files)
    assert asked == {"GetObject": 2, "PutObject": 13}  # is it there; what is there now
    for know, request in ((cache.exists, "ListObjectsV2"), (cache.manifest, "GetObject")):
        asked.clear()
        know()
        assert asked == {request: 1}
    asked.clear()
    cache.write_once(list)
    assert asked == {"GetObject": 1}
    asked.clear()
    cache.get(tmp_path)
    assert asked == {"GetObject": 13}


def test_a_download_goes_on_where_it_ended(cache, files, tmp_path, transport):
    cache.write_once(lambda: files)
    paths = cache.get(tmp_path)
    (tmp_path / "another.txt").write_bytes(b"mine")
    paths[3].unlink()
    paths[4].write_bytes(paths[4].read_bytes()[:-1])
    paths[5].write_bytes(bytes(paths[5].stat().st_size))
    untouched = paths[6].stat().st_ino
    transport.requests.clear()
    assert contents(cache.get(tmp_path)) == contents(files)
    assert transport.requests == {"GetObject": 4}
    assert paths[6].stat().st_ino == untouched
    assert (tmp_path / "another.txt").read_bytes() == b"mine"


def test_frames_need_not_begin_at_0_nor_be_dense_nor_alike(cache, tmp_path):
    names = ["7.jpg", "0000000000900.JPG", "00000008.png"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    written = cache.write_once(lambda: [str(tmp_path / name) for name in names])
    assert [frame.name for frame in written.frames] == ["00000007.jpg", "00000008.png", "00000900.jpg"]


def test_frames_without_a_cache_are_something_else(cache, bucket, files, tmp_path):
    (tmp_path / "there").mkdir()
    key = keys.FrameKey("match-01", 5).key
    get_s3_client().put_object(Bucket=bucket, Key=key, Body=b"plain")
    assert there_is_none(cache, tmp_path / "there")
    cache.write_once(lambda: files)
    assert get_s3_client().get_object(Bucket=bucket, Key=key)["Body"].read() == b"plain"


def test_progress_is_reported_of_uploads_and_downloads(cache, files, tmp_path):
    seen: list[BulkProgress] = []
    cache.write_once(lambda: files, progress=seen.append)
    size = sum(one.stat().st_size for one in files)
    assert seen[-1] == BulkProgress(items=12, bytes=size)
    cache.get(tmp_path, progress=seen.append)
    assert seen[-1] == BulkProgress(items=12, bytes=size)


def test_frames_go_up_while_more_are_made(cache, bucket, files):
    def make() -> Iterator[Path]:
        yield files[0]
        deadline = time.monotonic() + 30
        while not stored(bucket) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(stored(bucket)) == 1
        yield from files[1:]

    assert len(cache.write_once(make).frames) == 12


@pytest.mark.usefixtures("small_parts")
def test_a_frame_that_goes_in_parts_has_its_own_hash(cache, bucket, tmp_path):
    large = tmp_path / "0.npy"
    large.write_bytes(os.urandom(7 * 1024**2))
    (frame,) = cache.write_once(lambda: [large]).frames
    assert "-" in get_s3_client().head_object(Bucket=bucket, Key=frame.key)["ETag"]
    assert frame.md5 == hashlib.md5(large.read_bytes(), usedforsecurity=False).hexdigest()
    large.unlink()
    (path,) = cache.get(tmp_path)
    assert path.stat().st_size == frame.size


def test_the_bucket_is_the_environments(bucket, monkeypatch):
    assert FrameCache("a").bucket == bucket
    assert FrameCache("a", bucket="other-out").bucket == "other-out"
    assert repr(FrameCache("a", bucket="other-out")) == "FrameCache('a', bucket='other-out')"
    monkeypatch.delenv("S3_BUCKET_OUT")
    with pytest.raises(StorageConfigError, match="S3_BUCKET_OUT is not set"):
        FrameCache("a")


@pytest.mark.parametrize("timeline_id", ["", "..", "a/b", "a.b", "x" * 129])
def test_a_timeline_that_cannot_be_part_of_a_key(timeline_id):
    with pytest.raises(LayoutError, match="a timeline_id must be"):
        FrameCache(timeline_id, bucket="media-out")


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "there are no frames of timeline match-01 to write"),
        (["1.jpg", "frame-2.jpg"], r"frame-2\.jpg has no number for a name: call it 42\.jpg or 00000042\.jpg"),
        (["1.jpg", "²"], "has no number"),
        (["1.jpg", "1"], "the suffix of a frame must be"),
        (["1.jpg", "100000000.jpg"], "the index of a frame must be"),
        (["1.jpg", "01.png"], r"two files for frame 1, one of them .*01\.png"),
    ],
)
def test_what_is_no_set_of_frames_is_refused_and_leaves_nothing(cache, bucket, tmp_path, names, said):
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=said):
        cache.write_once(lambda: [tmp_path / name for name in names])
    assert stored(bucket) == []


def test_an_error_of_the_callable_that_makes_frames_is_raised_and_leaves_nothing(cache, bucket, files):
    def make():
        yield from files
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.write_once(make)
    assert stored(bucket) == []


def test_a_file_that_is_not_there_is_an_error_and_leaves_nothing(cache, bucket, files):
    files[5].unlink()
    with pytest.raises(FileNotFoundError):
        cache.write_once(lambda: files)
    assert stored(bucket) == []
    made(files[0].parent, 12)
    assert len(cache.write_once(lambda: files).frames) == 12


def test_what_cannot_be_removed_after_a_failure_is_logged(cache, files, transport, caplog):
    transport.refuse(requests_of("DeleteObject"), 403, "AccessDenied")
    files[5].unlink()
    with pytest.raises(FileNotFoundError):
        cache.write_once(lambda: files)
    assert (
        "could not remove the frames of timeline match-01 that belong to no cache, `sweep` will: " in caplog.text
    )


@pytest.mark.parametrize("look", [7, 14])
def test_a_run_that_was_silent_for_long_publishes_nothing(cache, bucket, files, monkeypatch, look):
    # It looks at the clock when it starts, after each frame, and before it publishes.
    times = iter([0] * (look - 1) + [13 * 3600] * 14)
    monkeypatch.setattr(writing, "time", SimpleNamespace(time=lambda: next(times)))
    with pytest.raises(StorageError, match=r"no frame was uploaded for 13 hours.*nothing was published"):
        cache.write_once(lambda: files)
    assert stored(bucket) == []
    assert writing._LEFT_OVER > 13 * 3600


# --- what the killed leave ------------------------------------------------------------------------------

HALF = """
    import sys, time
    from pathlib import Path
    from core.storage import FrameCache

    def make():
        yield from sorted(Path(sys.argv[1]).iterdir())[:5]
        time.sleep(60)

    FrameCache("match-01").write_once(make)
"""


@pytest.fixture
def killed(bucket, files) -> Any:
    """The bucket, after a writer was killed that had uploaded 5 frames of 12."""
    with child(HALF, files[0].parent) as process:
        wait_until(lambda: len(stored(bucket)) == 5, 60)
        process.kill()
    assert process.returncode == -9
    return bucket


def test_what_a_killed_writer_left_is_no_cache(killed, files, tmp_path):
    cache = FrameCache("match-01")
    folder = tmp_path / "there"
    folder.mkdir()
    assert there_is_none(cache, folder)
    cache.write_once(lambda: files)
    assert contents(cache.get(folder)) == contents(files)


def test_what_it_left_is_swept_when_it_is_old(killed, files, tmp_path, runs_are_left_over_at_once):
    cache = FrameCache("match-01")
    assert cache.sweep() == 0  # it may be going on
    cache.write_once(lambda: files)
    assert cache.sweep() == 0
    assert len(stored(killed)) == 18
    runs_are_left_over_at_once()
    assert cache.sweep() == 5
    assert len(stored(killed)) == 13
    assert contents(cache.get(tmp_path)) == contents(files)
    assert cache.sweep() == 0


def test_sweeping_takes_nothing_of_others(cache, bucket, files, runs_are_left_over_at_once):
    runs_are_left_over_at_once()
    run = "0123456789abcdef"
    theirs = [
        "frames/match-01/00000001.jpg",
        "frames/match-01/previews/00000001.jpg",
        f"frames/match-01/{run}/notes.txt",
        f"frames/match-01/{run}/deeper/00000001.jpg",
        f"frames/match-011/{run}/00000001.jpg",
    ]
    for key in [*theirs, f"frames/match-01/{run}/00000001.jpg"]:
        get_s3_client().put_object(Bucket=bucket, Key=key, Body=b"x")
    assert cache.sweep() == 1
    assert sorted(stored(bucket)) == sorted(theirs)


#: What responds 404 in the place of a store: no error document, or none of S3.
NOT_FOUND_ELSEWHERE = [
    b"<html><head><title>404 Not Found</title></head><body>nginx</body></html>",
    b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><Code>NoSuchKey</Code></html>",
    b"404 page not found",
    b"",
    b"<Error><Message>gone</Message></Error>",
]


@pytest.mark.parametrize("body", NOT_FOUND_ELSEWHERE)
def test_a_404_that_is_not_of_s3_sweeps_nothing(cache, bucket, files, transport, runs_are_left_over_at_once, body):
    cache.write_once(lambda: files)
    runs_are_left_over_at_once()
    transport.respond(requests_of("GetObject", key=MANIFEST), 404, body, {"Content-Type": "text/html"})
    with pytest.raises(InvalidResponseError, match=r"status 404, Content-Type text/html.* no error code of S3"):
        cache.sweep()
    assert transport.requests["DeleteObject"] == 0
    assert len(stored(bucket)) == 13


def test_frames_with_a_listed_manifest_are_not_swept(cache, bucket, files, transport, runs_are_left_over_at_once):
    cache.write_once(lambda: files)
    runs_are_left_over_at_once()
    transport.refuse(requests_of("GetObject", key=MANIFEST), 404, "NoSuchKey", times=1)
    with pytest.raises(StorageError, match="but lists it: nothing was removed, sweep again"):
        cache.sweep()
    assert len(stored(bucket)) == 13
    assert cache.sweep() == 0


@pytest.mark.parametrize("body", NOT_FOUND_ELSEWHERE)
def test_a_404_that_is_not_of_s3_is_no_reason_to_write_frames(cache, transport, body):
    transport.respond(requests_of("GetObject", key=MANIFEST), 404, body)
    with pytest.raises(InvalidResponseError):
        cache.write_once(lambda: pytest.fail("whether there are frames is not known"))


def test_nothing_is_swept_where_the_manifest_cannot_be_read(cache, bucket, files, runs_are_left_over_at_once):
    runs_are_left_over_at_once()
    cache.write_once(lambda: files)
    get_s3_client().put_object(Bucket=bucket, Key=MANIFEST, Body=b"{}")
    with pytest.raises(LayoutError):
        cache.sweep()
    assert len(stored(bucket)) == 13


def test_what_is_discarded_is_no_cache_and_is_written_again(cache, files, tmp_path, runs_are_left_over_at_once):
    cache.discard()  # there is none
    first = cache.write_once(lambda: files)
    cache.discard()
    assert not cache.exists()
    second = cache.write_once(lambda: files[:3])
    assert first.run != second.run
    runs_are_left_over_at_once()
    assert cache.sweep() == 12
    assert contents(cache.get(tmp_path)) == contents(files[:3])


def test_what_is_interrupted_is_left_to_be_swept(cache, bucket, files, runs_are_left_over_at_once):
    def make():
        yield from files[:4]
        wait_until(lambda: len(stored(bucket)) == 4, 60)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.write_once(make)
    assert len(stored(bucket)) == 4
    runs_are_left_over_at_once()
    assert cache.sweep() == 4


# --- readers --------------------------------------------------------------------------------------------


def test_a_reader_sees_none_until_it_sees_all(bucket, files, tmp_path):
    cache, go_on = FrameCache("match-01"), threading.Event()
    folder = tmp_path / "there"
    folder.mkdir()

    def make():
        yield from files[:7]
        go_on.wait(60)
        yield from files[7:]

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(cache.write_once, make)
        try:
            wait_until(lambda: len(stored(bucket)) == 7, 60)
            assert there_is_none(cache, folder)
        finally:
            go_on.set()
        writer.result(60)
    assert contents(cache.get(folder)) == contents(files)


def test_an_identity_that_may_only_read_reads(viewer, files, tmp_path):
    admin, use_viewer = viewer
    FrameCache("match-01").write_once(lambda: files)
    get_s3_client().put_object(Bucket=admin, Key="frames/match-02/0123456789abcdef/00000001.jpg", Body=b"x")
    use_viewer()
    cache = FrameCache("match-01")
    assert cache.exists()
    assert len(cache.write_once(lambda: pytest.fail("they are there")).frames) == 12
    assert contents(cache.get(tmp_path)) == contents(files)
    other = FrameCache("match-02")
    assert not other.exists()
    for forbidden in (cache.discard, lambda: other.write_once(lambda: files)):
        with pytest.raises(PermissionError):
            forbidden()


def test_an_identity_that_may_only_read_sweeps_nothing(viewer, runs_are_left_over_at_once):
    admin, use_viewer = viewer
    get_s3_client().put_object(Bucket=admin, Key="frames/match-02/0123456789abcdef/00000001.jpg", Body=b"x")
    runs_are_left_over_at_once()
    use_viewer()
    with pytest.raises(PermissionError):
        FrameCache("match-02").sweep()
    assert stored(admin) == ["frames/match-02/0123456789abcdef/00000001.jpg"]


def test_an_identity_that_is_held_to_a_prefix_finds_no_manifest_where_there_is_none(
    cache, files, tmp_path, transport
):
    # AWS responds 403 for an absent object; the identity can list below the prefix to see whether it exists.
    def deny_what_is_absent(request: Any, send: Callable[[], Any]) -> Any:
        real = send()
        if real.status == 200:
            return real
        real.read()
        real.close()
        return response(403, DENIED, {}, request)

    transport.handle(requests_of("GetObject", key=MANIFEST), deny_what_is_absent)
    (tmp_path / "there").mkdir()
    assert there_is_none(cache, tmp_path / "there")
    assert len(cache.write_once(lambda: files).frames) == 12


def test_an_identity_that_may_list_and_not_read_is_denied(cache, files, transport):
    cache.write_once(lambda: files)
    transport.respond(requests_of("GetObject"), 403, DENIED)
    with pytest.raises(AccessDeniedError):
        cache.manifest()


def test_a_disk_that_fills_up_is_an_error_and_what_fitted_is_kept(cache, small_disk, tmp_path, transport):
    paths = made(tmp_path / "made", 10)
    for path in paths:
        path.write_bytes(os.urandom(200_000))
    cache.write_once(lambda: paths)
    with pytest.raises(OSError, match="No space left") as caught:
        cache.get(small_disk)
    assert caught.value.errno == errno.ENOSPC
    kept = {one.name for one in small_disk.iterdir()}
    assert 0 < len(kept) < 10
    assert all(one.read_bytes() == paths[int(one.stem)].read_bytes() for one in small_disk.iterdir())
    for one in small_disk.iterdir():
        (tmp_path / one.name).write_bytes(one.read_bytes())
    transport.requests.clear()
    assert contents(cache.get(tmp_path)) == contents(paths)
    assert transport.requests == {"GetObject": 11 - len(kept)}


# --- what was changed behind its back -------------------------------------------------------------------


@pytest.mark.parametrize("size", [505, 100])
def test_a_frame_that_was_replaced_is_never_taken_for_the_one(bucket, files, tmp_path, size):
    cache = FrameCache("match-01")
    frame = cache.write_once(lambda: files).frames[5]
    assert frame.size == 505
    get_s3_client().put_object(Bucket=bucket, Key=frame.key, Body=bytes(size))
    with pytest.raises(IntegrityError, match=r"is not the frame that the manifest names.*`discard`") as caught:
        cache.get(tmp_path)
    assert (caught.value.bucket, caught.value.key) == (bucket, frame.key)
    assert not (tmp_path / frame.name).exists()
    assert not list(tmp_path.glob(".mpr-*"))
    cache.discard()
    cache.write_once(lambda: files)
    assert contents(cache.get(tmp_path)) == contents(files)


@pytest.mark.parametrize("body", [b"content", b"tnetnoc"])
def test_where_the_store_has_no_hash_the_manifests_is_checked(fake, tmp_path, body):
    fake.headers["x-amz-server-side-encryption"] = "aws:kms"
    fake.etag = '"00000000000000000000000000000000"'
    (tmp_path / "1.jpg").write_bytes(b"content")
    cache = FrameCache("match-01")
    (frame,) = cache.write_once(lambda: [tmp_path / "1.jpg"]).frames
    assert frame.md5 == hashlib.md5(b"content", usedforsecurity=False).hexdigest()
    fake.put(f"/bucket/{frame.key}", body)
    if body == b"content":
        assert contents(cache.get(tmp_path)) == [body]
        return
    with pytest.raises(IntegrityError, match="is not the frame that the manifest names"):
        cache.get(tmp_path)


def test_a_frame_that_is_gone_is_an_error(bucket, files, tmp_path):
    cache = FrameCache("match-01")
    frame = cache.write_once(lambda: files).frames[5]
    get_s3_client().delete_object(Bucket=bucket, Key=frame.key)
    with pytest.raises(
        ObjectNotFoundError, match=r"does not exist, although the manifest names it; `discard`"
    ) as caught:
        cache.get(tmp_path)
    assert (caught.value.key, caught.value.code) == (frame.key, "NoSuchKey")
    assert not (tmp_path / frame.name).exists()
