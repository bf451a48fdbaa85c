"""The pipeline as it is meant to run: upload, frames, detection, replay."""

from __future__ import annotations

import json

import pytest

from core.storage import FrameCache
from tests.example.conftest import DAY, FRAMES


def boxes(place, job):
    return place.rows(
        "SELECT source, detail FROM stage_output WHERE job_id = %s AND stage = 'detect' ORDER BY key", job
    )


def test_the_first_run_leaves_frames_overlays_and_rows_that_point_to_them(place, chunk):
    assert chunk == f"chunks/{DAY}/match-000.mp4"
    (line,) = place.done("pipeline", "work", "--once").splitlines()
    timeline = line.partition(":")[0]
    assert f"{FRAMES} frames decoded" in line

    frames = {key for key in place.keys("out", f"frames/{timeline}/") if not key.endswith("manifest.json")}
    overlays = place.keys("out", f"overlays/{timeline}/")
    assert len(frames) == len(overlays) == FRAMES
    made = place.rows("SELECT key, source FROM stage_output WHERE stage = 'detect'")
    assert {key for key, _ in made} == overlays
    assert {source for _, source in made} == frames
    assert place.rows("SELECT key, source FROM stage_output WHERE stage = 'extract'") == [
        (f"frames/{timeline}/manifest.json", chunk)
    ]
    assert place.rows("SELECT DISTINCT state FROM checkpoint") == [("done",)]
    assert place.dangling() == set()
    found = [detail for _, detail in boxes(place, timeline)]
    assert found[0]["boxes"] == []
    assert all(one["boxes"] for one in found[1:]), "the tile moves in every frame but the first"


def test_a_second_run_has_nothing_to_do(place, chunk):
    place.done("pipeline", "work", "--once")
    before = place.keys("out")
    assert place.done("pipeline", "work", "--once") == ""
    assert place.keys("out") == before


@pytest.mark.flow
def test_a_replay_without_the_video_gives_the_same_boxes(place, chunk):
    timeline = place.done("pipeline", "work", "--once").partition(":")[0]
    place.environment.store.s3.delete_object(Bucket=place.bucket("in"), Key=chunk)
    job = place.done("pipeline", "replay", timeline).split()[-1]
    assert job != timeline
    assert boxes(place, job) == boxes(place, timeline)
    assert len(place.keys("out", f"overlays/{job}/")) == FRAMES


@pytest.mark.flow
def test_a_higher_threshold_finds_fewer_boxes(place, timeline):
    job = place.done("pipeline", "replay", timeline, "--threshold", "200").split()[-1]
    more = place.done("pipeline", "replay", timeline, "--threshold", "10").split()[-1]

    def total(name):
        return sum(detail["share"] for _, detail in boxes(place, name))

    assert total(job) < total(more)


def test_frames_are_decoded_once(place, chunk, timeline):
    manifest = f"frames/{timeline}/manifest.json"

    def run():
        body = place.environment.store.s3.get_object(Bucket=place.bucket("out"), Key=manifest)["Body"]
        return json.loads(body.read())["run"]

    before = run()
    assert place.done("pipeline", "extract", chunk).strip() == timeline
    assert run() == before
    assert "from the cache" in place.done("pipeline", "work", "--once")


def test_a_chunk_with_another_content_is_another_timeline(place, chunk, timeline, film):
    place.put("match-000.mp4", film.read_bytes() + b"\0\0\0\x08free")
    assert place.done("pipeline", "extract", chunk).strip() != timeline


@pytest.mark.flow
def test_a_job_starts_again_when_its_frames_were_written_again(place, timeline):
    place.done("pipeline", "replay", timeline, "--job", "again")
    before = boxes(place, "again")
    with place.variables("pipeline"):
        FrameCache(timeline).discard()
    place.done("pipeline", "work", "--once")
    place.done("pipeline", "replay", timeline, "--job", "again")
    after = boxes(place, "again")
    assert [detail for _, detail in after] == [detail for _, detail in before]
    assert not {source for source, _ in after} & {source for source, _ in before}


def test_no_temporary_file_is_left(place, chunk):
    place.done("pipeline", "work", "--once")
    assert list(place.scratch.iterdir()) == []
