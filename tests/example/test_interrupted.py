"""Killed, cut off or out of room in the middle: no half cache, no row without its object, and a way on."""

from __future__ import annotations

import signal

import pytest

from examples.pipeline import video
from tests.core._fault_proxy import FaultProxy
from tests.example.conftest import DETECTION, EXTRACTION, FRAMES, Place
from tests.waiting import no_pause


def recorded(place: Place, job: str) -> int:
    (row,) = place.rows("SELECT count(*) FROM stage_output WHERE job_id = %s AND stage = 'detect'", job)
    assert isinstance(row[0], int)
    return row[0]


@pytest.fixture
def no_waiting(no_backoff: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the library and botocore make their next attempts at once."""
    monkeypatch.setattr("core.storage._http.retry.pause", no_pause)


@pytest.mark.parametrize(
    "after", [9, *(pytest.param(number, marks=pytest.mark.flow) for number in (1, 8, 20, FRAMES))]
)
def test_after_a_killed_detection_every_row_has_its_object_and_the_next_run_completes(place, timeline, after):
    with place.held(DETECTION, after, "replay", timeline, "--job", "one") as process:
        process.kill()
        process.wait()
    place.disconnect()
    assert place.dangling() == set()
    done = recorded(place, "one")
    assert done == (after - 1) // 8 * 8, "batches that the store has, and no other"
    assert place.rows("SELECT state, (detail->>'done')::int FROM checkpoint WHERE job_id = 'one'") == [
        ("running", done)
    ]

    place.done("pipeline", "replay", timeline, "--job", "one")
    assert recorded(place, "one") == FRAMES
    assert place.dangling() == set()


@pytest.mark.flow
@pytest.mark.parametrize("after", [1, FRAMES])
def test_a_killed_extraction_leaves_no_cache_and_no_row(place, chunk, after):
    with place.held(EXTRACTION, after, "work", "--once") as process:
        process.kill()
        process.wait()
    place.disconnect()
    assert not [key for key in place.keys("out") if key.endswith("manifest.json")]
    assert place.rows("SELECT * FROM checkpoint") == []
    assert f"{FRAMES} frames decoded" in place.done("pipeline", "work", "--once")
    assert place.dangling() == set()


@pytest.mark.flow
def test_ctrl_c_has_exit_code_130_and_leaves_no_file(place, timeline):
    with place.held(DETECTION, 3, "replay", timeline, "--job", "one") as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert list(place.scratch.iterdir()) == []


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("where", [EXTRACTION, DETECTION])
def test_a_store_that_stops_during_a_run_is_reported_and_the_next_run_completes(place, chunk, where):
    host, _, port = place.environment.store.endpoint.removeprefix("http://").partition(":")
    proxy = FaultProxy(host, int(port))
    with place.before_upload(where, 4, proxy.close):
        done = place.run("pipeline", "work", "--once", S3_ENDPOINT_URL=proxy.endpoint)
    assert done.returncode == 3
    assert "is the store running" in done.stderr
    assert place.dangling() == set()
    if where == EXTRACTION:
        assert not [key for key in place.keys("out") if key.endswith("manifest.json")]
    place.done("pipeline", "work", "--once")
    assert place.rows("SELECT DISTINCT state FROM checkpoint") == [("done",)]


@pytest.mark.parametrize("where", [EXTRACTION, DETECTION])
def test_a_database_that_stops_during_a_run_is_reported_and_the_next_run_completes(place, chunk, where):
    with place.before_upload(where, 4, place.disconnect):
        done = place.run("pipeline", "work", "--once")
    assert done.returncode == 3
    assert "DATABASE_URL" in done.stderr
    assert place.dangling() == set()
    place.done("pipeline", "work", "--once")
    assert place.rows("SELECT DISTINCT state FROM checkpoint") == [("done",)]


@pytest.mark.parametrize("command", [["work", "--once"], ["extract", "chunks/2026-11-23/a.mp4"], ["replay", "a"]])
def test_a_database_that_is_down_is_reported_without_its_password(place, command):
    gone = "postgresql://app_user:pass-of-app_user@127.0.0.1:1/nothing"
    done = place.run("pipeline", *command, DATABASE_URL=gone)
    assert done.returncode == 3
    assert done.stderr.startswith("error: the database in DATABASE_URL cannot be reached")
    assert "pass-of-app_user" not in done.stderr


@pytest.mark.parametrize("wrong", ["", "nonsense://x", "half a=line"])
def test_a_server_that_is_no_database_is_a_configuration_error(place, wrong):
    done = place.run("pipeline", "work", "--once", DATABASE_URL=wrong)
    assert done.returncode == 2
    assert done.stderr.startswith("error: DATABASE_URL is")


@pytest.mark.usefixtures("no_waiting")
def test_a_store_that_is_down_is_reported(place):
    done = place.run("pipeline", "work", "--once", S3_ENDPOINT_URL="http://127.0.0.1:1")
    assert done.returncode == 3
    assert "is the store running" in done.stderr


@pytest.mark.parametrize("frames", [0, 2], ids=["for the chunk", "for its frames"])
def test_a_full_disk_is_reported_and_no_file_is_left(place, small_disk, tmp_path, frames):
    small = tmp_path / "small.mp4"
    video.generate(small, 12, height=120)
    place.migrated()
    key = place.put("small.mp4", small.read_bytes())
    free = small.stat().st_size + frames * 16_384 if frames else small.stat().st_size // 2
    (small_disk / "filler").write_bytes(bytes(1024 * 1024 - free))
    done = place.run("pipeline", "extract", key, TMPDIR=str(small_disk))
    assert done.stderr.startswith("error: the disk is full")
    assert done.returncode == 1
    assert [one.name for one in small_disk.iterdir()] == ["filler"]
    assert place.keys("out") == set()
    assert place.rows("SELECT * FROM checkpoint") == []
    place.done("pipeline", "extract", key)
