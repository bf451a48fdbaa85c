"""Each process has its identity's keys, and these can do no more than it must."""

from __future__ import annotations

import pytest

from examples.pipeline.processes import Processes, env_file
from tests.conftest import REPO


@pytest.mark.parametrize("identity", ["viewer", "ingest"])
def test_only_the_pipeline_writes_frames_and_rows(place, chunk, identity):
    done = place.run(identity, "work", "--once")
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    assert place.keys("out") == set()
    place.run("pipeline", "replay", "nothing-yet")  # makes the tables, if nothing has
    assert place.rows("SELECT * FROM stage_output") == []


def test_the_viewer_may_not_write_overlays(place, timeline):
    done = place.run("viewer", "replay", timeline, "--job", "one")
    assert done.returncode == 1
    assert "may not" in done.stderr or "denied" in done.stderr.lower()
    assert place.keys("out", "overlays/") == set()
    assert place.rows("SELECT count(*) FROM stage_output WHERE job_id = 'one'") == [(0,)]


@pytest.mark.parametrize("identity", ["viewer", "pipeline"])
def test_only_ingest_uploads_videos(place, film, identity):
    done = place.run(identity, "upload", str(film))
    assert done.returncode == 1
    assert place.keys("in") == set()


def test_the_users_own_aws_variables_reach_no_process_of_the_example(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the user's")
    monkeypatch.setenv("S3_BUCKET_IN", "the user's")
    environ = Processes("example", {"DATABASE_URL": "x"}).environ("viewer")
    assert "the user's" not in environ.values()
    assert environ["S3_ENV_FILE"] == str(REPO / "environments" / "example.viewer.env")
    assert environ["DATABASE_URL"] == "x"
    assert env_file("example", "app") == REPO / "environments" / "example.env"
