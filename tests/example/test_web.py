"""What the page asks for, and who signs it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest

from examples.pipeline.serving import listener
from infra.env import files
from tests.conftest import REPO, free_ports
from tests.example.conftest import FRAMES


def ask(url, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} | headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            content = error.read()
            return error.code, json.loads(content) if content.startswith(b"{") else content


def put(signed, content, content_type=None):
    headers = {"Content-Type": content_type or signed["content_type"]}
    request = urllib.request.Request(signed["url"], content, headers, method="PUT")
    try:
        with urllib.request.urlopen(request) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def signer(url):
    return parse_qs(urlsplit(url).query)["X-Amz-Credential"][0].partition("/")[0]


def key_of(place, identity):
    keys = files.access_key(place.environment.file(identity))
    assert keys
    return keys.access_key_id


def test_the_page_shows_chunks_frames_and_what_a_job_found(place, chunk, address):
    timeline = place.done("pipeline", "work", "--once").partition(":")[0]
    waiting = place.put("waiting.mp4", b"not looked at yet")
    _, chunks = ask(f"{address}/api/chunks")
    assert [(one["key"], [job["stage"] for job in one["jobs"]]) for one in chunks] == [
        (chunk, ["extract", "detect"]),
        (waiting, []),
    ]
    _, frames = ask(f"{address}/api/timelines/{timeline}/frames")
    _, found = ask(f"{address}/api/jobs/{timeline}")
    assert len(frames) == len(found) == FRAMES
    assert [one["frame"]["key"] for one in found] == [one["key"] for one in frames]
    for url in (frames[3]["url"], found[3]["overlay"]["url"]):
        assert signer(url) == key_of(place, "viewer")
        with urllib.request.urlopen(url) as response:
            assert response.read()[:4] in {b"\xff\xd8\xff\xe0", b"\x89PNG"}


def test_an_upload_is_signed_by_ingest_and_lands_as_a_new_chunk(place, film, address):
    wanted = {"name": "a b%ü.mp4", "content_type": "video/mp4"}
    _, first = ask(f"{address}/api/uploads", wanted)
    _, second = ask(f"{address}/api/uploads", wanted)
    assert first["key"] != second["key"]
    assert signer(first["url"]) == key_of(place, "ingest") != key_of(place, "viewer")
    assert put(first, film.read_bytes()) == 200
    assert place.keys("in") == {first["key"]}
    assert "frames decoded" in place.done("pipeline", "work", "--once")


def test_an_upload_address_is_valid_for_one_key_and_content_type(place, address):
    _, signed = ask(f"{address}/api/uploads", {"name": "a.mp4", "content_type": "video/mp4"})
    assert put(signed, b"x", "text/html") == 403
    moved = signed | {"url": signed["url"].replace("/a-", "/b-")}
    assert put(moved, b"x") == 403
    assert place.keys("in") == set()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.mp4", "text/html"), ("a.mp4", "video/mp4\r\nx: y"), ("a.mp4", ""), ("../a.mp4", "video/mp4"),
     ("a/b.mp4", "video/mp4"), ("a\nb.mp4", "video/mp4"), ("x" * 300, "video/mp4")],
)  # fmt: skip
def test_names_and_types_that_no_chunk_may_have_are_not_signed(address, name, kind):
    status, told = ask(f"{address}/api/uploads", {"name": name, "content_type": kind})
    assert status == 400
    assert isinstance(told["detail"], str)


def test_unknown_timelines_have_status_404_and_invalid_names_400(place, address):
    place.migrated()
    assert ask(f"{address}/api/timelines/nothing/frames")[0] == 404
    assert ask(f"{address}/api/timelines/-x/frames")[0] == 400
    assert ask(f"{address}/api/jobs/nothing") == (200, [])
    assert ask(f"{address}/api/jobs/-x")[0] == 400


def test_a_database_or_store_that_is_down_is_a_sentence_on_the_page(place):
    gone = place.database.replace("host=", "host=/nowhere")
    with place.served(free_ports(1)[0], DATABASE_URL=gone) as address:
        status, told = ask(f"{address}/api/chunks")
    assert status == 503
    assert "DATABASE_URL" in told["detail"]


def test_a_port_in_use_is_reported(place):
    with listener(0) as taken:
        port = str(taken.getsockname()[1])
        done = place.run_process("viewer", "web", "--port", port)
    assert done.returncode == 2
    assert f"port {port}" in done.stderr


def test_the_page_loads_nothing_from_other_hosts():
    """The page loads no script, style or font from another host."""
    for file in (REPO / "examples/pipeline/page").iterdir():
        assert "//" not in file.read_text().replace("// ", ""), file.name


def test_the_web_process_imports_neither_numpy_nor_ffmpeg(place):
    script = (
        "import sys, examples.pipeline.web; sys.exit('numpy' in sys.modules or 'imageio_ffmpeg' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=REPO, env=place.environ("viewer"), check=True)
