"""Writers of the same frames at once: one cache comes of it, on stores with and without conditional writes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from core.storage import (
    FrameCache,
    FrameManifest,
    ObjectNotFoundError,
    Settings,
    StoreUnreachableError,
    get_s3_client,
)
from core.storage._config.endpoints import Dialect
from core.storage._frames.manifest import encoded
from core.storage._frames.read import download
from tests.core._frames import child, contents, made, stored
from tests.core.transport import Transport, requests_of

MANIFEST = "frames/match-01/manifest.json"
PUBLISHING = requests_of("PutObject", key=MANIFEST)
LATER = "0123456789abcdef"

WRITER = """
    import sys
    from pathlib import Path
    from core.storage import FrameCache

    def make():
        print("making", flush=True)
        sys.stdin.readline()
        return sorted(Path(sys.argv[1]).iterdir())

    print(FrameCache("match-01").write_once(make).run)
"""


def test_two_processes_at_once_make_one_cache(bucket, tmp_path):
    sources = [tmp_path / "one", tmp_path / "other"]
    frames = [made(source, 40) for source in sources]
    with child(WRITER, sources[0]) as one, child(WRITER, sources[1]) as other:
        for process in (one, other):  # both have seen that there is none
            assert process.stdout
            assert process.stdout.readline() == "making\n"
        for process in (one, other):
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        runs = {process.stdout.read().strip() for process in (one, other) if process.stdout}
    assert (one.returncode, other.returncode) == (0, 0)
    cache = FrameCache("match-01")
    assert runs == {cache.manifest().run}
    folder = tmp_path / "there"
    folder.mkdir()
    assert contents(cache.get(folder)) in [contents(paths) for paths in frames]
    assert len(stored(bucket)) == 41  # what the slower one wrote is gone


def at_once(count: int, tmp_path: Path) -> tuple[list[FrameManifest], list[list[bytes]]]:
    """What as many threads get that have all seen that there is no cache, and what each of them made."""
    frames = [made(tmp_path / f"thread-{number}", 8) for number in range(count)]
    barrier = threading.Barrier(count)

    def work(paths: list[Path]) -> FrameManifest:
        def make() -> list[Path]:
            barrier.wait(30)
            return paths

        return FrameCache("match-01").write_once(make)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, frames)), [contents(paths) for paths in frames]


def test_many_threads_at_once_make_one_cache(any_bucket, tmp_path):
    found, made_by = at_once(6, tmp_path)
    assert len({one.run for one in found}) == 1
    assert contents(FrameCache("match-01").get(tmp_path)) in made_by
    assert len(stored(any_bucket)) == 9


@pytest.fixture
def unconditional(monkeypatch):
    """The store of the test, as one that takes no condition for PutObject."""
    dialect = Dialect("when_required", "path", creates=False)
    monkeypatch.setattr(Settings, "dialect", property(lambda _self: dialect))


def test_googles_storage_takes_no_condition():
    def dialect(endpoint: str) -> Dialect:
        return Settings(region="auto", endpoint_url=endpoint).dialect

    assert not dialect("https://storage.googleapis.com").creates
    assert dialect("http://minio:9000").creates


def test_without_the_condition_every_reader_still_sees_a_complete_cache(bucket, unconditional, tmp_path):
    found, made_by = at_once(4, tmp_path)
    cache = FrameCache("match-01")
    assert cache.manifest().run in {one.run for one in found}
    for number, manifest in enumerate(found):  # also those that were overtaken: their frames stay for a day
        folder = tmp_path / f"there-{number}"
        folder.mkdir()
        assert contents(download(manifest, folder, None, Settings.load())) in made_by  # as `get` with it
    assert contents(cache.get(tmp_path)) in made_by


def test_a_writer_that_is_overtaken_leaves_its_frames_to_their_readers(
    cache, bucket, unconditional, files, transport
):
    def overtake():
        first = cache.manifest()
        get_s3_client().put_object(Bucket=bucket, Key=MANIFEST, Body=encoded(replace(first, run=LATER)))

    transport.after(PUBLISHING, overtake)
    assert cache.write_once(lambda: files).run == LATER
    assert len(stored(bucket)) == 13  # another process may have read the manifest that was there in between


def test_without_the_condition_a_cache_that_is_there_stays(cache, bucket, unconditional, files, tmp_path):
    def make():
        FrameCache("match-01").write_once(lambda: made(tmp_path / "faster", 3))
        return files

    assert len(cache.write_once(make).frames) == 3
    assert len(stored(bucket)) == 4


def conditions(transport: Transport) -> list[str | None]:
    """Return the condition of every attempt to put the manifest."""
    return [one.signed.get("If-None-Match") for one in transport.sent if PUBLISHING(one)]


def test_a_store_that_refuses_the_condition_is_written_without_it(cache, files, transport):
    transport.refuse(PUBLISHING, 501, "NotImplemented", times=1)
    assert cache.write_once(lambda: files) == cache.manifest()
    assert conditions(transport) == ["*", None]


@pytest.mark.usefixtures("pauses")
def test_a_condition_that_is_being_decided_for_another_is_tried_again(cache, files, transport):
    transport.refuse(PUBLISHING, 409, "ConditionalRequestConflict", times=2)
    assert cache.write_once(lambda: files) == cache.manifest()
    assert conditions(transport) == ["*"] * 3


@pytest.mark.usefixtures("pauses")
def test_a_refusal_that_never_becomes_a_cache_is_an_error(cache, bucket, files, transport):
    transport.refuse(PUBLISHING, 409, "ConditionalRequestConflict")
    with pytest.raises(ObjectNotFoundError, match="no run has written all frames"):
        cache.write_once(lambda: files)
    assert len(stored(bucket)) == 12  # what the store makes of the requests is not known: `sweep` removes them


@pytest.mark.usefixtures("pauses")
def test_a_manifest_whose_response_was_lost_is_ours(any_bucket, files, transport):
    cache = FrameCache("match-01")
    lost = transport.lose(PUBLISHING)
    written = cache.write_once(lambda: files)
    assert lost == [200]
    assert cache.manifest() == written
    assert len(stored(any_bucket)) == 13


@pytest.mark.usefixtures("pauses")
def test_a_failure_after_the_manifest_removes_nothing(cache, files, tmp_path, transport):
    transport.lose(PUBLISHING, times=1)
    transport.fail(PUBLISHING, ConnectionResetError("no response, however often"))
    with pytest.raises(StoreUnreachableError, match="no response, however often"):
        cache.write_once(lambda: files)
    assert contents(cache.get(tmp_path)) == contents(files)
