"""Copies that end in the middle, run as users run them: what is left, and how they go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infra.conftest import Project
from tests.infra.copy._gate import Gate
from tests.infra.copy.conftest import Pair, Place
from tests.infra.copy.test_copy import in_parts
from tests.waiting import wait_until

MIB = 1024 * 1024


@dataclass(frozen=True)
class Stuck:
    """A copy whose large object stands in the middle, and the way on."""

    project: Project
    source: Place
    target: Place
    gate: Gate
    body: bytes

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "infra", "copy", self.source.name, self.target.name, "--yes"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        process = subprocess.Popen(
            command,
            cwd=self.project.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.gate.reached.wait(60)
        return process

    def again(self) -> subprocess.CompletedProcess[str]:
        self.gate.open.set()
        return self.project.run("copy", self.source.name, self.target.name, "--yes")

    def must_be_whole(self, done: subprocess.CompletedProcess[str]) -> None:
        assert (done.returncode, done.stderr) == (0, "")
        assert "in: 1 object, 11.5 MB copied; 2 objects verified, all by MD5" in done.stdout
        assert self.target.get("in", "big.mp4")["Body"] == self.body
        assert self.target.unfinished("in", "big.mp4") == []


@pytest.fixture
def stuck(pair: Pair, project: Project, gate: Callable[..., Gate]) -> Stuck:
    """A small object is there already; of a large one in parts, no connection carries more than 2 MiB."""
    project.environments.rmdir()
    project.environments.symlink_to(pair.source.environment.folder)
    slow = gate(pair.target.settings.endpoint_url, 2 * MIB)
    pair.target.rewrite(endpoint_url=slow.endpoint)
    for place in (pair.source, pair.target):
        place.put("in", "small.mp4", b"small")
    body = os.urandom(11 * MIB)
    in_parts(pair.source, "big.mp4", [5 * MIB, 5 * MIB, MIB], body)
    return Stuck(project, pair.source, pair.target, slow, body)


def processes() -> dict[int, tuple[int, str]]:
    """Every process of this machine: its parent and its command line, as any user sees them."""
    said = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = (line.split(None, 2) for line in said.stdout.splitlines())
    return {int(row[0]): (int(row[1]), row[2]) for row in rows if len(row) == 3}


def rclone_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    return next((pid, args) for pid, (parent, args) in processes().items() if parent == process.pid)


@pytest.mark.flow
def test_no_other_user_sees_a_secret_while_it_runs(stuck: Stuck):
    process = stuck.start()
    pid, arguments = rclone_of(process)
    secrets = [*stuck.source.secrets, *stuck.target.secrets]
    assert "rclone copy from:" in arguments
    assert not [one for one in secrets if one in "".join(args for _, args in processes().values())]
    environ = Path(f"/proc/{pid}/environ")
    assert not environ.exists() or environ.stat().st_mode & 0o077 == 0
    stuck.gate.open.set()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert not [one for one in secrets if one in out]


def test_ctrl_c_aborts_unfinished_uploads_and_says_how_to_continue(stuck: Stuck):
    process = stuck.start()
    pid, _ = rclone_of(process)
    assert stuck.target.unfinished("in", "big.mp4")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (130, "interrupted; run the same command again to continue")
    assert pid not in processes()
    assert stuck.target.unfinished("in", "big.mp4") == []
    assert stuck.target.keys("in") == ["small.mp4"]
    stuck.must_be_whole(stuck.again())


@pytest.mark.flow
def test_after_kill_9_no_partial_object_exists_and_the_next_run_completes(stuck: Stuck):
    process = stuck.start()
    pid, _ = rclone_of(process)
    process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: pid not in processes(), 60)
    assert stuck.target.keys("in") == ["small.mp4"]
    assert stuck.target.unfinished("in", "big.mp4") == ["big.mp4"]
    stuck.must_be_whole(stuck.again())


@pytest.mark.flow
def test_a_killed_rclone_is_a_failure_and_the_next_run_completes(stuck: Stuck):
    process = stuck.start()
    pid, _ = rclone_of(process)
    os.kill(pid, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "in: 1 object: is not there afterwards" in err
    stuck.must_be_whole(stuck.again())
