"""How the `pulumi` command is found, installed and run.

`pulumi` itself is a double here: a script that records how it was called and prints what the real one prints
to these calls. What the real one does with them is in tests/engine.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import yaml
from pulumi.automation import PulumiCommand

from infra.config import stack_files
from infra.errors import InfraError, UnreachableError
from infra.local import engine, own_state

_DOUBLE = """#!{python}
import json, os, pathlib, signal, sys, time

here = pathlib.Path(__file__).parent
names = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_CONFIG_PASSPHRASE", "PATH")
call = {{"args": sys.argv[1:], "env": {{name: os.environ.get(name) for name in names}}}}
with open(here / "calls", "a") as calls:
    calls.write(json.dumps(call) + "\\n")
args = [one for one in sys.argv[1:] if one != "--non-interactive"]
stacks = here / "stacks"
if args[:2] == ["stack", "ls"]:
    print(json.dumps([{{"name": name}} for name in (stacks.read_text().split() if stacks.exists() else [])]))
elif args[:3] == ["stack", "select", "--create"]:
    if stacks.exists() and args[3] in stacks.read_text().split():
        sys.exit(0)  # it writes no settings of a stack that exists
    stacks.write_text(args[3])
    folder = pathlib.Path(args[args.index("--cwd") + 1]) if "--cwd" in args else pathlib.Path("environments")
    settings = folder / f"Pulumi.{{args[3]}}.yaml"
    settings.write_text((settings.read_text() if settings.exists() else "") + "encryptionsalt: v1:salt\\n")
elif args[:2] == ["stack", "rm"]:
    assert "--preserve-config" in args, "the real one deletes the committed configuration without it"
    stacks.unlink()
elif args[0] == "up" and (here / "slow").exists():
    signal.signal(signal.SIGINT, lambda *_: ((here / "saved").touch(), sys.exit(1)))
    (here / "running").touch()
    time.sleep(30)
sys.exit(int((here / "code").read_text()) if (here / "code").exists() and args[0] != "stack" else 0)
"""


class Double:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.command = folder / "pulumi"
        self.command.write_text(_DOUBLE.format(python=sys.executable))
        self.command.chmod(0o755)

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    @property
    def arguments(self) -> list[list[str]]:
        return [[one for one in call["args"] if one != "--non-interactive"] for call in self.calls]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, for a user without Pulumi and without a login, and an environment named `e`."""
    monkeypatch.setattr(stack_files, "ROOT", tmp_path)
    monkeypatch.setattr(stack_files, "ENVIRONMENTS", tmp_path / "environments")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/Pulumi.e.yaml").write_text("config:\n  mpr-storage:target: s3-compatible\n")
    return tmp_path


@pytest.fixture
def pulumi(root: Path, monkeypatch: pytest.MonkeyPatch) -> Double:
    double = Double(root / "bin")
    monkeypatch.setenv("PATH", f"{double.folder}:/usr/bin:/bin")
    return double


def found() -> engine.Engine:
    result = engine.find()
    assert result is not None
    return result


def test_without_pulumi_there_is_no_engine(root):
    assert engine.find() is None


def test_one_that_was_installed_before_is_found(root):
    double = Double(root / ".local/pulumi/bin")
    assert found().command == str(double.command)


def test_the_programs_python_comes_first_on_the_engines_path(pulumi):
    assert found().environ["PATH"].startswith(f"{Path(sys.executable).parent}:")


def test_without_a_login_the_state_is_private_and_encrypted(root, pulumi):
    found().up("e")
    environment = pulumi.calls[-1]["env"]
    assert environment["PULUMI_BACKEND_URL"] == f"file://{root}/.local/pulumi/state"
    passphrase = Path(environment["PULUMI_CONFIG_PASSPHRASE_FILE"])
    assert stat.S_IMODE(passphrase.stat().st_mode) == 0o600
    assert len(passphrase.read_text()) > 32
    folders = [root / path for path in (".local", ".local/pulumi", ".local/pulumi/state")]
    assert [oct(stat.S_IMODE(path.stat().st_mode)) for path in folders] == ["0o700"] * 3


def test_a_passphrase_of_the_users_own_is_not_used_for_this_state(root, pulumi, monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    found().up("e")
    assert pulumi.calls[-1]["env"]["PULUMI_CONFIG_PASSPHRASE"] is None
    assert own_state.by_hand("e")[0] == "unset PULUMI_CONFIG_PASSPHRASE"
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://mine")
    found().up("e")
    assert pulumi.calls[-1]["env"]["PULUMI_CONFIG_PASSPHRASE"] == ""


def test_a_program_that_is_not_pulumi_is_named(root, pulumi):
    pulumi.command.write_text("#!/bin/sh\necho usage: another program\n")
    with pytest.raises(
        UnreachableError, match=f"`pulumi stack ls` printed no JSON: check that {pulumi.command} is"
    ):
        found().updates()


@pytest.mark.parametrize("content", [b"- a list", b"a: b: c", b"\xff", b"encryptionsalt: 5"])
def test_a_damaged_copy_of_the_stack_file_is_written_again(root, pulumi, content):
    found().up("e")
    own_state.settings_file("e").write_bytes(content)
    found().up("e")
    assert "s3-compatible" in own_state.settings_file("e").read_text()


def test_the_passphrase_stays_the_same(root, pulumi):
    first = (Path(found().environ["PULUMI_CONFIG_PASSPHRASE_FILE"])).read_text()
    assert Path(found().environ["PULUMI_CONFIG_PASSPHRASE_FILE"]).read_text() == first


@pytest.mark.parametrize(
    "login", [{"PULUMI_BACKEND_URL": "s3://mine"}, {"PULUMI_ACCESS_TOKEN": "pul-x"}, "credentials", "none"]
)
def test_a_login_of_the_users_own_is_kept(root, pulumi, monkeypatch, login):
    if isinstance(login, dict):
        for name, value in login.items():
            monkeypatch.setenv(name, value)
    else:
        current = "s3://mine" if login == "credentials" else ""
        (root / "home").mkdir()
        (root / "home/credentials.json").write_text(json.dumps({"current": current}))
    theirs = login != "none"
    assert found().own_state is not theirs
    found().up("e")
    called = pulumi.calls[-1]
    assert ("--config-file" in called["args"]) is not theirs
    assert ((called["env"]["PULUMI_BACKEND_URL"] or "").startswith("file://")) is not theirs


def test_the_committed_configuration_gets_no_salt(root, pulumi):
    before = (root / "environments/Pulumi.e.yaml").read_text()
    found().up("e")
    assert (root / "environments/Pulumi.e.yaml").read_text() == before
    used = Path(pulumi.arguments[-1][pulumi.arguments[-1].index("--config-file") + 1])
    content = yaml.safe_load(used.read_text())
    assert content == {"encryptionsalt": "v1:salt", "config": {"mpr-storage:target": "s3-compatible"}}
    assert stat.S_IMODE(used.stat().st_mode) == 0o600


def test_up_refreshes_and_asks_nothing(pulumi):
    found().up("e")
    called = pulumi.arguments[-1]
    assert called[0] == "up"
    assert {"--yes", "--refresh", "--skip-preview"} <= set(called)
    assert called[called.index("--stack") + 1] == "e"


@pytest.mark.parametrize("locked", [True, False])
def test_the_lock_of_a_killed_update_is_removed(root, pulumi, locked):
    if locked:
        lock = root / ".local/pulumi/state/.pulumi/locks/organization/mpr-storage/e/1.json"
        lock.parent.mkdir(parents=True)
        lock.touch()
    found().up("e")
    assert (["cancel", "--yes", "--stack", "e"] in pulumi.arguments) is locked


def test_the_lock_of_a_running_update_is_kept_and_its_process_is_named(root, pulumi):
    lock = root / ".local/pulumi/state/.pulumi/locks/organization/mpr-storage/e/1.json"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"pid": os.getpid()}))
    with pytest.raises(InfraError, match=rf"`pulumi` \(process {os.getpid()}\) changes e now"):
        found().up("e")
    assert not [one for one in pulumi.arguments if one[0] in {"cancel", "up"}]
    with subprocess.Popen(["true"]) as ended:
        pass
    lock.write_text(json.dumps({"pid": ended.pid}))
    found().up("e")
    assert ["cancel", "--yes", "--stack", "e"] in pulumi.arguments


def test_deletion_of_identities_names_each_resource_and_no_bucket(pulumi, monkeypatch):
    start = "urn:pulumi:e::mpr-storage::mpr-storage:index:Storage$mpr-storage:index:"
    urns = [
        f"{start}Bucket$aws:s3/bucket:Bucket::in",
        f"{start}Identity$aws:iam/user:User::app",
        f"{start}Identity$aws:iam/accessKey:AccessKey::app-a",
    ]
    state = [{"urn": urn, "custom": True, "type": ""} for urn in urns]
    monkeypatch.setattr(engine.Engine, "resources", lambda *_: state)
    found().up("e")
    found().delete_identities("e")
    destroy, remove = pulumi.arguments[-2:]
    assert [word for word in destroy if word.startswith("--target")] == [f"--target={urn}" for urn in urns[1:]]
    assert remove == ["stack", "rm", "--yes", "--force", "--preserve-config", "--stack", "e"]


def test_identities_of_a_stack_without_components_are_not_deleted(pulumi, monkeypatch):
    state = [{"urn": "urn:pulumi:e::mpr-storage::aws:s3/bucket:Bucket::in", "custom": True, "type": ""}]
    monkeypatch.setattr(engine.Engine, "resources", lambda *_: state)
    found().up("e")
    with pytest.raises(InfraError, match="without components, so nothing was deleted: deploy it once"):
        found().delete_identities("e")


def test_destroy_of_what_was_never_deployed_does_nothing(pulumi):
    found().destroy("e")
    assert pulumi.arguments == [["stack", "ls", "--json"]]


def test_destroy_takes_the_stack_away_and_leaves_its_configuration(root, pulumi):
    found().up("e")
    found().destroy("e")
    assert [one[0] for one in pulumi.arguments[-2:]] == ["destroy", "stack"]
    assert (root / "environments/Pulumi.e.yaml").exists()
    found().destroy("e")
    assert pulumi.arguments[-1] == ["stack", "ls", "--json"]


def test_a_failure_is_a_sentence(pulumi):
    (pulumi.folder / "code").write_text("255")
    with pytest.raises(InfraError, match="pulumi up failed; its messages are above"):
        found().up("e")


def test_ctrl_c_is_passed_on_once_and_waited_for(pulumi):
    (pulumi.folder / "slow").touch()

    def interrupt() -> None:
        while not (pulumi.folder / "running").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    timer = Timer(0, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        found().up("e")
    timer.join()
    assert (pulumi.folder / "saved").exists(), "Pulumi must have the time to save its state"


def test_the_commands_for_using_the_state_oneself(root):
    *exports, command = own_state.by_hand("e")
    names = [line.partition("=")[0] for line in exports]
    override = "unset PULUMI_CONFIG_PASSPHRASE"
    assert names == [override, "export PULUMI_BACKEND_URL", "export PULUMI_CONFIG_PASSPHRASE_FILE"]
    assert command == "pulumi up --stack e --config-file .local/pulumi/Pulumi.e.yaml"


def installer(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(engine, "_INSTALLER", code)


def test_what_the_installer_puts_under_local_is_used(root, monkeypatch):
    put = "import pathlib, sys; p = pathlib.Path(sys.argv[1], 'bin/pulumi'); p.parent.mkdir(); p.touch(0o755)"
    installer(monkeypatch, put)
    assert engine.install(print) == found()


def test_an_installer_that_fails_is_not_asked_again_for_a_day(root, monkeypatch):
    installer(monkeypatch, "import sys; open(sys.argv[1] + '/asked', 'a').write('x'); sys.exit(1)")
    asked = root / ".local/pulumi/asked"
    reports: list[str] = []
    assert engine.install(reports.append) is None
    assert engine.install(reports.append) is None
    assert asked.read_text() == "x"
    assert reports == ["Pulumi is not on PATH; installing it under .local/ (60 s at most)"]
    yesterday = time.time() - 25 * 3600
    os.utime(root / ".local/pulumi/install-failed", (yesterday, yesterday))
    assert engine.install(print) is None
    assert asked.read_text() == "xx"


def test_an_installer_that_hangs_is_ended_with_its_children(root, monkeypatch):
    note = f"open({str(root / 'pid')!r}, 'w').write(str(p.pid)); "
    child = "import subprocess; p = subprocess.Popen(['sleep', '60']); " + note
    installer(monkeypatch, child + "p.wait()")
    monkeypatch.setattr(engine, "_INSTALL_SECONDS", 1.5)
    assert engine.install(print) is None
    pid = int((root / "pid").read_text())
    for _ in range(100):
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
        if state.stdout.strip() in {"", "Z"}:
            return
        time.sleep(0.02)
    pytest.fail("the installer's child is still there")


def test_the_installer_is_pulumis_own():
    assert "PulumiCommand.install(root=" in engine._INSTALLER
    assert callable(PulumiCommand.install)


@pytest.fixture
def states(root: Path) -> Path:
    """The folder of the states under `.local`, with the state of environment `e` and its backup."""
    folder = root / ".local/pulumi/state/.pulumi/stacks/mpr-storage"
    folder.mkdir(parents=True)
    (folder / "e.json").write_text('{"version": 4}')
    (folder / "e.json.bak").write_text('{"version": 3}')
    return folder


@pytest.mark.parametrize(
    ("state", "restored"), [("", True), ('{"version": 3, "ch', True), ('{"version": 4}', False)]
)
def test_an_incomplete_state_is_restored_from_its_backup(states, pulumi, capsys, state, restored):
    (states / "e.json").write_text(state)
    found()
    assert (states / "e.json").read_text() == ('{"version": 3}' if restored else state)
    assert ("the state e was incomplete and is restored" in capsys.readouterr().err) is restored
    assert (states / "e.json.bak").exists()


@pytest.mark.parametrize("command", ["deployed", "resources", "preview", "up", "destroy"])
def test_an_incomplete_state_is_restored_before_any_command_reads_it(states, pulumi, command):
    """One such state of any environment lets `pulumi stack ls` fail for all of them."""
    (states / "e.json").write_text("")
    with suppress(
        ValueError, OSError, InfraError
    ):  # the double has no output for some commands, and no configuration
        getattr(found(), command)("other")
    assert (states / "e.json").read_text() == '{"version": 3}'


@pytest.mark.parametrize("command", ["up", "preview"])
def test_a_lost_copy_of_the_configuration_is_written_without_a_salt(states, root, pulumi, command):
    (pulumi.folder / "stacks").write_text("e")  # the stack exists, so selecting it writes no file
    with suppress(UnreachableError):  # the double has no preview
        getattr(found(), command)("e")
    copy = yaml.safe_load((root / ".local/pulumi/Pulumi.e.yaml").read_text())
    assert copy == {"config": {"mpr-storage:target": "s3-compatible"}}


@pytest.mark.parametrize("backup", [None, "", "{"])
def test_without_a_usable_backup_the_state_is_left_to_pulumi(states, pulumi, backup):
    (states / "e.json").write_text("")
    (states / "e.json.bak").unlink()
    if backup is not None:
        (states / "e.json.bak").write_text(backup)
    found()
    assert (states / "e.json").read_text() == ""


def test_the_state_of_a_backend_of_the_users_own_is_not_changed(states, pulumi, monkeypatch):
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://mine")
    (states / "e.json").write_text("")
    found()
    assert (states / "e.json").read_text() == ""
