"""The frame extraction on a Dask cluster of this machine."""

from __future__ import annotations

import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.storage import AccessDeniedError, ObjectInfo, ObjectNotFoundError, Settings, StorageError
from tests.conftest import REPO
from tests.example.conftest import DAY, FRAMES, Place

CHUNKS = 4
#: Kills the process of a worker while it decodes, and prints what `run` says.
_KILLING = """
import datetime as dt, os, sys, threading, time
from distributed import Client, LocalCluster
from examples.cluster.run import run

def kill(address):
    with Client(address) as client:
        while not (busy := [worker for worker, tasks in client.processing().items() if tasks]):
            time.sleep(0.02)
        pids = client.run(os.getpid, workers=busy[:1])
        os.kill(pids[busy[0]], 9)
        print("killed", flush=True)

if __name__ == "__main__":
    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=2, threads_per_worker=1, **local) as cluster:
        thread = threading.Thread(target=kill, args=[cluster.scheduler_address])
        thread.start()
        code = run(dt.date.fromisoformat(sys.argv[1]), print, scheduler=cluster.scheduler_address)
        thread.join()
    sys.exit(code)
"""


@pytest.fixture
def day(place: Place, film: Path) -> str:
    """A day with several chunks."""
    for number in range(CHUNKS):
        place.put(f"match-{number:03}.mp4", film.read_bytes())
    return DAY


def cluster(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the example as identity `pipeline`."""
    command = [sys.executable, "-m", "examples.cluster", *arguments]
    return subprocess.run(
        command, cwd=REPO, env=place.environ("pipeline"), capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.flow
def test_a_day_is_extracted_and_a_second_time_from_the_cache(place, day):
    first = cluster(place, "run", day)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[0].startswith(f"progress of {CHUNKS} chunks: http://127.0.0.1:")
    assert first.stdout.count(f": {FRAMES} frames decoded") == CHUNKS
    manifests = {key for key in place.keys("out") if key.endswith("manifest.json")}
    assert {line.partition(":")[0] for line in first.stdout.splitlines()[1:]} == manifests
    second = cluster(place, "run", day)
    assert second.stdout.count(f": {FRAMES} frames from the cache") == CHUNKS


@pytest.mark.flow
def test_a_worker_that_is_killed_loses_nothing(place, day):
    done = subprocess.run(
        [sys.executable, "-c", _KILLING, day],
        cwd=REPO,
        env=place.environ("pipeline"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "killed" in done.stdout
    assert done.stdout.count(f": {FRAMES} frames ") == CHUNKS
    # Each cache is whole: the frames that its manifest names, and no other cache of the same chunk.
    assert len([key for key in place.keys("out") if key.endswith("manifest.json")]) == CHUNKS
    again = cluster(place, "run", day)
    assert again.stdout.count(f": {FRAMES} frames from the cache") == CHUNKS


@pytest.mark.flow
def test_a_chunk_that_is_no_video_fails_alone(place, day):
    place.put("broken.mp4", b"no video")
    done = cluster(place, "run", day)
    assert done.returncode == 1
    assert done.stdout.count("frames decoded") == CHUNKS
    assert "failed: extract-broken-" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["run", "2020-01-01"], 1, "there is no chunk of 2020-01-01"),
        (["run", "yesterday"], 2, "invalid fromisoformat value"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(place, arguments, code, sentence):
    done = cluster(place, *arguments)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_environment_the_sentence_says_what_to_set(place):
    command = [sys.executable, "-m", "examples.cluster", "run", DAY]
    environment = {name: value for name, value in place.environ("pipeline").items() if name != "S3_ENV_FILE"}
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "AWS_REGION is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_passes_between_machines_survives_pickling():
    info = ObjectInfo("chunks/2026-11-24/a.mp4", 5, "etag", datetime.now(UTC), "md5", "bucket")
    settings = Settings(region="r-1", endpoint_url="http://127.0.0.1:9", access_key_id="a", secret_access_key="b")
    for thing in (info, settings):
        assert pickle.loads(pickle.dumps(thing)) == thing  # noqa: S301  # ours
    for kind in (StorageError, AccessDeniedError, ObjectNotFoundError):
        error = kind("a sentence", bucket="b", key="k", operation="GetObject", code="C", request_id="r")
        found = pickle.loads(pickle.dumps(error))  # noqa: S301  # ours
        assert (type(found), str(found), vars(found)) == (kind, "a sentence", vars(error))
