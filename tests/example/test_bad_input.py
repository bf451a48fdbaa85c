"""What is no video, or not there: a sentence, an exit code, and neither frames nor rows that point to nothing."""

from __future__ import annotations

import subprocess

import pytest

from examples.pipeline import video
from tests.example.conftest import DAY, FRAMES


def seen(path):
    return path.read_bytes()


def cut_short(path):
    return seen(path)[: path.stat().st_size // 2]


def cut_with_its_index(path):
    """A video whose index comes first, so that a decoder begins and only then finds that the rest is missing."""
    front = path.with_name("front.mp4")
    first = ["-y", "-v", "error", "-i", str(path), "-c", "copy", "-movflags", "faststart", str(front)]
    subprocess.run([video.program(), *first], check=True)
    return cut_short(front)


def flipped(path):
    content = bytearray(seen(path))
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(one ^ 0x5A for one in content[middle : middle + 2000])
    return bytes(content)


def playlist(path):
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:24\n#EXTINF:24,\nfile://{path}\n#EXT-X-ENDLIST\n".encode()


def list_of_files(path):
    return f"ffconcat version 1.0\nfile {path}\n".encode()


def nothing(_path):
    return b""


def text(_path):
    return b"this is no video\n" * 1000


BROKEN = [cut_short, cut_with_its_index, flipped, playlist, list_of_files, nothing, text]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.__name__)
def test_a_broken_chunk_gives_no_frames_and_a_failed_checkpoint(place, film, broken):
    key = place.put("broken.mp4", broken(film))
    done = place.run("pipeline", "extract", key)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {key} gives no frames: it cannot be decoded: ")
    assert len(done.stderr.splitlines()) == 1
    assert place.keys("out") == set(), "not one frame of it is kept"
    assert place.rows("SELECT state, source FROM checkpoint") == [("failed", key)]
    assert place.rows("SELECT * FROM stage_output") == []
    assert list(place.scratch.iterdir()) == []


def test_the_worker_names_a_broken_chunk_and_continues_with_the_next(place, film):
    broken, whole = place.put("a.mp4", flipped(film)), place.put("b.mp4", seen(film))
    done = place.run("pipeline", "work", "--once")
    assert done.returncode == 1
    assert broken in done.stdout
    assert f"{FRAMES} frames decoded" in done.stdout
    assert place.rows("SELECT source FROM stage_output WHERE stage = 'extract'") == [(whole,)]
    assert place.done("pipeline", "work", "--once") == "", "it is not tried again and again"


def test_a_missing_chunk_is_reported(place):
    done = place.run("pipeline", "extract", f"chunks/{DAY}/nowhere.mp4")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: there is no chunk chunks/{DAY}/nowhere.mp4")
    assert place.rows("SELECT * FROM checkpoint") == []


def test_a_key_that_is_a_prefix_of_another_is_a_missing_chunk(place, film):
    place.put("a.mp4.mp4", seen(film))
    assert place.run("pipeline", "extract", f"chunks/{DAY}/a.mp4").returncode == 1


@pytest.mark.parametrize("key", ["match.mp4", "chunks/yesterday/match.mp4", "frames/a/00000001.jpg", "../x", ""])
def test_a_key_of_another_form_than_a_chunk_is_refused(place, key):
    done = place.run("pipeline", "extract", key)
    assert done.returncode == 2
    assert "is no key of a chunk" in done.stderr


def test_a_replay_of_a_timeline_without_cached_frames_is_refused(place):
    done = place.run("pipeline", "replay", "match-01")
    assert done.returncode == 1
    assert done.stderr.startswith("error: timeline match-01 has no cached frames")
    assert place.rows("SELECT * FROM checkpoint") == []


def test_a_missing_cached_frame_fails_the_replay(place, timeline):
    (first, *_) = sorted(key for key in place.keys("out") if key.endswith(".jpg"))
    place.environment.store.s3.delete_object(Bucket=place.bucket("out"), Key=first)
    done = place.run("pipeline", "replay", timeline, "--job", "one")
    assert done.returncode == 1
    assert f"{first} does not exist" in done.stderr
    assert place.keys("out", "overlays/") == set()
    assert place.rows("SELECT count(*) FROM stage_output WHERE job_id = 'one'") == [(0,)]


def test_a_job_name_of_another_timeline_is_refused(place, timeline, film):
    place.done("pipeline", "replay", timeline, "--job", "one")
    other = place.done("pipeline", "extract", place.put("other.mp4", seen(film))).strip()
    done = place.run("pipeline", "replay", other, "--job", "one")
    assert done.returncode == 2
    assert timeline in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["replay", "../x"], ["replay", "a", "--job", "a/b"], ["replay", "a", "--threshold", "0"], ["nothing"],
     ["replay", "a", "b", "--job", "c"], ["upload", "/nowhere.mp4"], ["upload", "x", "--date", "now"]],
)  # fmt: skip
def test_wrong_arguments_have_exit_code_2(place, arguments):
    done = place.run("pipeline", *arguments)
    assert done.returncode == 2


def test_a_file_that_is_no_video_is_not_uploaded(place, tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_bytes(text(path))
    done = place.run("ingest", "upload", str(path))
    assert done.returncode == 1
    assert "cannot be cut" in done.stderr
    assert place.keys("in") == set()


def test_without_an_env_file_the_message_names_make_up(place):
    done = place.run_process("pipeline", "work", "--once", S3_ENV_FILE="")
    assert done.returncode == 2
    assert "make up" in done.stderr
