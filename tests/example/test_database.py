"""The tables take keys and facts, and refuse everything else."""

from __future__ import annotations

import base64
import os
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.types.json import Jsonb

from core.storage.keys import FrameKey, ManifestKey, OverlayKey, parse
from examples.pipeline import database as rows
from examples.pipeline.database import Checkpoint, Output

RUN = "9f3c20d1e4b7a586"
CHUNK, MANIFEST = "chunks/2026-11-23/match 01.mp4", "frames/match-01/manifest.json"
FRAME, OVERLAY = f"frames/match-01/{RUN}/00000042.jpg", "overlays/job/00000042.png"
JOB = Checkpoint("detect", "job", "match-01", MANIFEST, "running", {})


@pytest.fixture
def connection(database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database)
    with rows.connected() as found:
        rows.migrate(found)
        yield found


def test_several_processes_may_migrate_at_once(database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database)

    def migrated(_number):
        with rows.connected() as connection:
            rows.migrate(connection)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrated, range(4)))
    with rows.connected() as connection:
        assert connection.execute("SELECT name FROM migration").fetchall() == [("0001-tables.sql",)]


def test_recorded_outputs_are_read_back(connection):
    made = Output(OVERLAY, FRAME, {"boxes": [[1, 2, 3, 4]], "share": 0.5})
    rows.record(connection, JOB, [made])
    assert rows.checkpoint(connection, "detect", "job") == JOB
    assert rows.outputs(connection, "detect", "job") == [made]
    rows.record(connection, JOB, [made])  # once more, as after a kill
    assert len(rows.outputs(connection, "detect", "job")) == 1
    rows.forget(connection, JOB)
    assert rows.outputs(connection, "detect", "job") == []


@pytest.mark.parametrize(
    "blob",
    [{"png": base64.b64encode(os.urandom(4000)).decode()}, {"boxes": list(range(2000))}, [1, 2], "text", None],
    ids=["an image", "too much", "no object", "a text", "null"],
)
def test_encoded_images_in_a_row_are_refused(connection, blob):
    rows.record(connection, JOB)
    with pytest.raises(psycopg.errors.IntegrityError):
        rows.record(connection, JOB, [Output(OVERLAY, FRAME, blob)])
    with pytest.raises(psycopg.errors.IntegrityError):
        connection.execute("UPDATE checkpoint SET detail = %s", [Jsonb(blob)])
    assert rows.outputs(connection, "detect", "job") == []


def test_no_column_can_hold_bytes(connection):
    kinds = connection.execute("SELECT DISTINCT data_type FROM information_schema.columns WHERE table_name IN "
                               "('checkpoint', 'stage_output')").fetchall()  # fmt: skip
    assert {kind for (kind,) in kinds} == {"text", "jsonb", "timestamp with time zone"}


@pytest.mark.parametrize(
    ("key", "source"),
    [
        ("overlays/other/00000042.png", FRAME),  # another job's
        ("overlays/job/42.png", FRAME),
        ("overlays/job/../00000042.png", FRAME),
        ("/overlays/job/00000042.png", FRAME),
        (FRAME, FRAME),
        (OVERLAY, OVERLAY),
        (OVERLAY, CHUNK),
        (OVERLAY, "data:image/png;base64,AAAA"),
        (OVERLAY, None),
    ],
)
def test_keys_of_another_stage_are_refused(connection, key, source):
    rows.record(connection, JOB)
    with pytest.raises(psycopg.errors.IntegrityError):
        rows.record(connection, JOB, [Output(key, source, {})])


def test_a_row_without_its_job_is_refused(connection):
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute("INSERT INTO stage_output VALUES ('detect', 'job', %s, %s, '{}')", [OVERLAY, FRAME])


@pytest.mark.parametrize(
    "key",
    [
        CHUNK, MANIFEST, FRAME, OVERLAY, FrameKey("match-01", 7, ".png").key, ManifestKey("9").key,
        OverlayKey("A_b-c", 99_999_999, ".webp").key, "chunks/2026-11-23/été 🎥 %_'.mp4",
        "chunks/2026-11-23/" + "x" * 255,
        "chunks/2026-11-23/", "chunks/2026-11-23/a/b", "chunks/2026-11-23/a\\b", "chunks/20261123/a", "chunks//a",
        "frames/-a/manifest.json", "frames/a b/00000001.jpg", "frames/a/00000001.JPG", "frames/a/x/00000001.jpg",
        "frames/a/0000001.jpg", "overlays/a/manifest.json", "overlays/a/b/00000001.png", "other/a", "",
        "chunks/2026-11-23/" + "x" * 256, "frames/" + "x" * 129 + "/manifest.json", "overlays/a/00000001.png\n",
    ],
)  # fmt: skip
def test_the_database_accepts_exactly_the_keys_that_the_library_parses(connection, key):
    try:
        expected = bool(parse(key))
    except ValueError:
        expected = False
    try:
        connection.execute("SELECT %s::text::object_key", [key])
    except psycopg.errors.CheckViolation:
        taken = False
    else:
        taken = True
    assert taken == expected


def test_a_read_only_connection_cannot_write(database, connection, monkeypatch):
    with rows.connected(read_only=True) as reader, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        rows.record(reader, JOB)
