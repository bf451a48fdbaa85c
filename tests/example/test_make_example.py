"""What `make example` runs, in a clone of its own: from nothing to the page, again, and to its end by Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPO


class Clone:
    """A fresh clone, whose temporary files are its own."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root, self.scratch = root, scratch
        skip = shutil.ignore_patterns("__pycache__", "*.env")
        for name in ("core", "infra", "examples", "environments"):
            shutil.copytree(REPO / name, root / name, ignore=skip)
        scratch.mkdir()

    def start(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=self.root,
            env=kept | {"TMPDIR": str(self.scratch), "AWS_ACCESS_KEY_ID": "the user's"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, module: str, *arguments: str) -> tuple[int, str]:
        process = self.start(module, *arguments)
        told, _ = process.communicate()
        return process.returncode, told


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    # Sockets have short paths: pytest's own folders are too deep for a PostgreSQL on some systems.
    scratch = Path("/tmp") / f"mpr-test-{os.getpid()}"  # noqa: S108  # created by this test alone
    made = Clone(tmp_path / "clone", scratch)
    yield made
    made.run("infra", "store", "stop")
    shutil.rmtree(scratch)


@pytest.mark.flow
@pytest.mark.timeout(400)
def test_make_example_serves_the_page_on_the_first_and_the_second_run(clone):
    process = clone.start("examples.pipeline", "example")
    assert process.stdout
    told = []
    for line in process.stdout:
        told.append(line)
        if "ready after" in line:
            break
    else:
        pytest.fail("".join(told))
    assert any("frames decoded in" in line for line in told), told
    assert any("times faster" in line for line in told), told
    with urllib.request.urlopen(f"{line.split()[-1]}/api/chunks") as response:
        chunks = json.loads(response.read())
    assert len(chunks) == 4
    assert all([job["state"] for job in one["jobs"]] == ["done"] * 3 for one in chunks)
    process.send_signal(signal.SIGINT)
    rest = process.communicate()[0]
    assert process.returncode == 0, rest
    assert "Traceback" not in "".join(told) + rest
    assert list(clone.scratch.iterdir()) == [], "the database and every temporary file are gone"

    code, again = clone.run("examples.pipeline", "example", "--once")
    assert code == 0, again
    assert "frames from the cache" in again
    assert list(clone.scratch.iterdir()) == []


def test_an_environment_without_the_identities_is_refused(clone):
    code, told = clone.run("examples.pipeline", "example", "local")
    assert code == 2
    assert "has no identity ingest, pipeline, viewer" in told


def test_an_environment_that_does_not_exist_is_refused(clone):
    code, told = clone.run("examples.pipeline", "example", "nothing")
    assert code == 2
    assert "Traceback" not in told
