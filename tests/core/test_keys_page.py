"""The examples of docs/how-to/keys.md are in the layout, and DuckDB runs its SQL with the result that it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from core.storage import keys
from core.storage._frames.manifest import CachedFrame, FrameManifest, encoded
from core.storage.keys import FrameKey

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "keys.md").read_text(encoding="utf-8")
SQL = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
TABLES, JOIN, LIKE, PARTS, RANGE, MANIFEST = SQL
RUN = "9f3c20d1e4b7a586"
TIMELINES = ("match-01", "match_01", "matchX01", "match_010", "match", "00000000-0000-4000-8000-000000000000")


def frames_of(timeline_id: str) -> list[str]:
    flat = [FrameKey(timeline_id, index).key for index in (0, 7, 12)]
    return sorted([*flat, *(FrameKey(timeline_id, index, run=RUN).key for index in (99, 100, 199, 200))])


@pytest.fixture
def database() -> Any:
    with duckdb.connect() as found:
        for statement in TABLES.split(";"):
            if statement.strip():
                found.execute(statement)
        for timeline_id in TIMELINES:
            rows = [*frames_of(timeline_id), keys.ManifestKey(timeline_id).key]
            found.executemany("INSERT INTO frame VALUES (?, 1, '')", [[key] for key in rows])
        yield found


def test_the_examples_are_in_the_layout():
    examples = re.findall(r"^\| `(?:in|out)` \| `([^`]+)` \| `([^`]+)` \|$", PAGE, re.MULTILINE)
    assert len(examples) == 5
    for layout, example in examples:
        key = keys.parse(example)
        assert (key.key, layout.count("/")) == (example, example.count("/"))
        # It is in the module's own table too.
        assert f"``{layout}``" in (keys.__doc__ or "")
        assert f"``{example}``" in (keys.__doc__ or "")


@pytest.mark.parametrize("timeline_id", TIMELINES)
@pytest.mark.parametrize("query", [JOIN, LIKE], ids=["range", "like"])
def test_the_frames_of_a_timeline_are_found_and_no_others(database, query, timeline_id):
    database.execute("INSERT INTO timeline VALUES (?)", [timeline_id])
    found = [row[-1] for row in database.execute(query).fetchall()]
    expected = [*frames_of(timeline_id), keys.ManifestKey(timeline_id).key]
    assert sorted(found) == sorted(expected)
    if query is JOIN:
        assert found == sorted(expected)


def test_an_underscore_that_is_not_escaped_finds_others_too(database):
    found = database.execute("SELECT key FROM frame WHERE key LIKE 'frames/match_01/%'").fetchall()
    assert {keys.parse(key).timeline_id for (key,) in found} == {"match_01", "match-01", "matchX01"}  # type: ignore[union-attr]


def test_the_parts_are_those_of_the_layout(database):
    found = database.execute(PARTS).fetchall()
    assert len(found) == len(TIMELINES) * 7
    for timeline_id, number, suffix, run in found:
        key = FrameKey(timeline_id, number, f".{suffix}", run or "").key
        assert key in frames_of(timeline_id)


def test_a_range_of_frames_is_a_range_of_keys(database):
    found = [key for (key,) in database.execute(RANGE).fetchall()]
    assert found == [FrameKey("match-01", index, run=RUN).key for index in (100, 199)]


def test_a_manifest_becomes_rows(database, tmp_path):
    folder = FrameKey("match-01", 0, run=RUN).folder
    frames = tuple(CachedFrame(f"{folder}{index:08}.png", 10 * index, f"{index:032x}") for index in range(3))
    file = tmp_path / "manifest.json"
    file.write_bytes(encoded(FrameManifest("media-out", "match-01", RUN, frames)))
    database.execute("DELETE FROM frame")
    database.execute(re.sub(r"'s3://[^']*'", f"'{file}'", MANIFEST))
    found = database.execute("SELECT * FROM frame ORDER BY key").fetchall()
    assert found == [(frame.key, frame.size, frame.md5) for frame in frames]
