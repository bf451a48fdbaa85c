"""Commands that change one environment at the same time, each in a process of its own, on a real store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from core.storage.settings import Settings, read_env_file
from infra import cli
from infra.config.load import load_environment
from infra.errors import UsageError
from infra.local import store
from infra.local.environment_lock import HOLDER, environment_lock, for_pulumi, lock_file, lock_for_program
from infra.stores import iam
from infra.stores.access_key import AccessKey
from infra.stores.keys import is_accepted
from tests.conftest import REPO
from tests.infra.local._at_once import at_once
from tests.infra.local.conftest import Machine

ROUNDS = 3
_USER = "mpr-local-app"

#: Waits for a line before it begins.
_PROGRAM = """
import sys
from pathlib import Path
from infra import cli
from infra.config import stack_files
from infra.local import engine

stack_files.ROOT, stack_files.ENVIRONMENTS = Path.cwd(), Path.cwd() / "environments"
engine.find = lambda: None
engine.install = lambda _: None
sys.stdin.readline()
sys.exit(cli.run(sys.argv[1:]))
"""


def start(machine: Machine, *arguments: str) -> subprocess.Popen[str]:
    """Start a command that begins when it reads a line, in the project of the machine and without Pulumi."""
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *arguments],
        cwd=machine.root,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def key_of(file: Path) -> AccessKey:
    settings = Settings.from_env(read_env_file(file))
    return AccessKey(settings.access_key_id or "", settings.secret_access_key or "")


def keys(machine: Machine) -> list[str]:
    """Return the access key IDs of `app` on the store."""
    return sorted(iam.access_keys(machine.store, _USER))


def used(command: str, environment: str = "local") -> AbstractContextManager[None]:
    """Hold the lock of an environment, as a command does."""
    return environment_lock(load_environment(environment), command)


def begin(process: subprocess.Popen[str]) -> str:
    """Let a started command begin; return the first line on its stderr."""
    assert process.stdin
    assert process.stderr
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stderr.readline()


def ended(process: subprocess.Popen[str]) -> int:
    """Wait for a started command, read what it writes, and return its exit code."""
    process.communicate()
    return process.returncode


def forget(machine: Machine) -> None:
    iam.delete_identity(machine.store, _USER)
    for file in (machine.root / "environments").glob("*.env"):
        file.unlink()


@pytest.fixture
def running(machine: Machine) -> Iterator[Machine]:
    """A machine with the store started, and an environment that deletes no access key by itself."""
    machine.configure(disposable=False)
    store.start()
    yield machine
    assert not lock_file("local").exists()


@pytest.mark.parametrize("command", ["init", "up"])
def test_three_commands_at_once_create_one_access_key(running, command):
    for _ in range(ROUNDS):
        ended = at_once(running.root, *[(command,)] * 3)
        assert [one.code for one in ended] == [0, 0, 0], ended
        used = key_of(running.env_file)
        assert keys(running) == [used.access_key_id]
        assert is_accepted(running.store, used)
        forget(running)


def test_a_rotation_beside_up_leaves_its_two_access_keys(running):
    slot_file = running.env_file.with_suffix(".a.env")
    for _ in range(ROUNDS):
        running.configure(disposable=False)
        assert cli.run(["up"]) == 0
        ended = at_once(running.root, ("rotate", "--to", "switch"), ("up",))
        assert [one.code for one in ended] == [0, 0], ended
        assert keys(running) == sorted(key_of(file).access_key_id for file in (running.env_file, slot_file))
        assert all(is_accepted(running.store, key_of(file)) for file in (running.env_file, slot_file))
        forget(running)


def test_two_rotations_at_once_take_one_step(running):
    assert cli.run(["up"]) == 0
    ended = at_once(running.root, ("rotate",), ("rotate",))
    assert sorted(one.code for one in ended) == [0, 2], ended
    slots = load_environment("local").slots_of("app")
    assert (slots.current, slots.step) == ("a", "start")
    assert "another rotation of local is running" in "".join(one.stderr for one in ended)


def test_a_command_that_waits_says_for_which_one(running):
    process = start(running, "init")
    with used("rotate"):
        holder = f"python -m infra rotate local (process {os.getpid()})"
        assert begin(process) == f"waiting for {holder}, which changes the same environment\n"
        assert not running.env_file.exists()
    assert ended(process) == 0


def test_the_configuration_is_read_again_after_the_wait(running):
    process = start(running, "init")
    with used("rotate"):
        assert begin(process).startswith("waiting for")
        running.configure(disposable=False, identities=["viewer"])
    assert ended(process) == 0
    assert (running.root / "environments/local.viewer.env").exists()
    assert not running.env_file.exists()


def test_down_waits_for_a_command_of_another_environment_on_the_embedded_store(running):
    buckets = {"in": {"name": "other-in"}, "out": {"name": "other-out"}}
    running.configure("other", buckets=buckets)
    process = start(running, "down")
    with used("init", "other"):
        assert begin(process).startswith("waiting for the commands of other environments")
        assert store.find()
    assert ended(process) == 0
    assert store.find() is None


def test_commands_of_different_environments_do_not_wait(running):
    running.configure("other", buckets={"in": {"name": "other-in"}, "out": {"name": "other-out"}})
    with used("up"):
        assert cli.run(["init", "other"]) == 0


@pytest.mark.usefixtures("machine")
class TestProgram:
    """Pulumi's program, in a `pulumi` that the user runs or that a command has started."""

    def test_the_users_own_pulumi_is_refused_while_a_command_changes_the_environment(self):
        with used("init"), pytest.raises(UsageError) as refused:
            lock_for_program("local")
        holder = f"python -m infra init local (process {os.getpid()})"
        assert str(refused.value) == f"{holder} changes local now: run this command again when it has ended"

    def test_the_command_that_started_pulumi_holds_the_lock_for_it(self, monkeypatch):
        with used("up"):
            for name, value in for_pulumi().items():
                monkeypatch.setenv(name, value)
            lock_for_program("local")

    def test_a_variable_of_another_process_does_not_count(self, monkeypatch):
        monkeypatch.setenv(HOLDER, "1")
        with used("up"), pytest.raises(UsageError, match="changes local now"):
            lock_for_program("local")

    def test_a_command_waits_until_the_program_has_ended(self, machine, python):
        code = (
            "import time\nfrom pathlib import Path\nfrom infra.config import stack_files\n"
            f"stack_files.ENVIRONMENTS = Path({str(machine.root / 'environments')!r})\n"
            "from infra.local.environment_lock import lock_for_program\n"
            "lock_for_program('local')\nprint('locked', flush=True)\ntime.sleep(60)\n"
        )
        program = python(code)
        assert program.stdout.readline() == "locked\n"
        process = start(machine, "env", "--write")
        holder = f"pulumi up --stack local (process {program.pid})"
        assert begin(process) == f"waiting for {holder}, which changes the same environment\n"
        program.kill()
        assert ended(process) == 3, "the embedded store does not run"


def test_a_lock_file_that_cannot_be_written_is_refused_with_what_to_do(machine):
    lock_file("local").mkdir()
    with pytest.raises(UsageError, match="so nothing was changed; make its folder writable"), used("up"):
        pytest.fail("nothing is locked")
