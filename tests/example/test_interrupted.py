"""Killed, cut off or out of room in the middle: no half cache, no row without its object, and a way on."""

from __future__ import annotations

import signal
import subprocess

import pytest

from examples.pipeline import video
from tests.core._fault_proxy import FaultProxy
from tests.example.conftest import DETECTION, EXTRACTION, FRAMES, Place


def recorded(place: Place, job: str) -> int:
    (row,) = place.rows("SELECT count(*) FROM stage_output WHERE job_id = %s AND stage = 'detect'", job)
    assert isinstance(row[0], int)
    return row[0]


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate()
    assert "Traceback" not in said
    return process.returncode, said


@pytest.mark.parametrize("after", [1, 8, 9, 20, FRAMES])
def test_a_killed_detection_leaves_no_row_without_its_object_and_goes_on(place, timeline, after):
    with place.held(DETECTION, after, "replay", timeline, "--job", "one") as process:
        process.kill()
        process.wait()
    place.gone()
    assert place.dangling() == set()
    done = recorded(place, "one")
    assert done == (after - 1) // 8 * 8, "batches that the store has, and no other"
    assert place.rows("SELECT state, (detail->>'done')::int FROM checkpoint WHERE job_id = 'one'") == [
        ("running", done)
    ]

    place.done("pipeline", "replay", timeline, "--job", "one")
    assert recorded(place, "one") == FRAMES
    assert place.dangling() == set()


@pytest.mark.parametrize("after", [1, FRAMES])
def test_a_killed_extraction_leaves_no_cache_and_no_row(place, chunk, after):
    with place.held(EXTRACTION, after, "work", "--once") as process:
        process.kill()
        process.wait()
    place.gone()
    assert not [key for key in place.keys("out") if key.endswith("manifest.json")]
    assert place.rows("SELECT * FROM checkpoint") == []
    assert f"{FRAMES} frames decoded" in place.done("pipeline", "work", "--once")
    assert place.dangling() == set()


def test_ctrl_c_is_130_and_leaves_no_file(place, timeline):
    with place.held(DETECTION, 3, "replay", timeline, "--job", "one") as process:
        process.send_signal(signal.SIGINT)
        assert ended(process)[0] == 130
    assert list(place.scratch.iterdir()) == []


@pytest.mark.parametrize("where", [EXTRACTION, DETECTION])
def test_the_store_goes_down_in_the_middle(place, chunk, where):
    host, _, port = place.environment.store.endpoint.removeprefix("http://").partition(":")
    proxy = FaultProxy(host, int(port))
    with place.held(where, 4, "work", "--once", S3_ENDPOINT_URL=proxy.endpoint) as process:
        proxy.close()
        code, said = ended(process)
    assert code == 3
    assert "is the store running" in said
    assert place.dangling() == set()
    if where == EXTRACTION:
        assert not [key for key in place.keys("out") if key.endswith("manifest.json")]
    place.done("pipeline", "work", "--once")
    assert place.rows("SELECT DISTINCT state FROM checkpoint") == [("done",)]


@pytest.mark.parametrize("where", [EXTRACTION, DETECTION])
def test_the_database_goes_down_in_the_middle(place, chunk, where):
    with place.held(where, 4, "work", "--once") as process:
        place.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        code, said = ended(process)
    assert code == 3
    assert "DATABASE_URL" in said
    assert place.dangling() == set()
    place.done("pipeline", "work", "--once")
    assert place.rows("SELECT DISTINCT state FROM checkpoint") == [("done",)]


@pytest.mark.parametrize("command", [["work", "--once"], ["extract", "chunks/2026-11-23/a.mp4"], ["replay", "a"]])
def test_a_database_that_is_down_is_said_and_its_password_is_not(place, command):
    gone = "postgresql://someone:pass-of-someone@127.0.0.1:1/nothing"
    done = place.run("pipeline", *command, DATABASE_URL=gone)
    assert done.returncode == 3
    assert done.stderr.startswith("error: the database in DATABASE_URL cannot be reached")
    assert "pass-of-someone" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("wrong", ["", "nonsense://x", "half a=line"])
def test_a_database_that_is_none_is_wrong_configuration(place, wrong):
    done = place.run("pipeline", "work", "--once", DATABASE_URL=wrong)
    assert done.returncode == 2
    assert done.stderr.startswith("error: DATABASE_URL is")


def test_a_store_that_is_down_is_said(place):
    done = place.run("pipeline", "work", "--once", S3_ENDPOINT_URL="http://127.0.0.1:1")
    assert done.returncode == 3
    assert "is the store running" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("frames", [0, 2], ids=["for the chunk", "for its frames"])
def test_a_disk_without_room_is_said_and_nothing_is_left(place, small_disk, tmp_path, frames):
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
