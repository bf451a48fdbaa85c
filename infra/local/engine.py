"""The Pulumi engine on this machine: found, or installed by Pulumi's own installer, and run.

Somebody who has a Pulumi backend of his own keeps it. Otherwise state goes to ``.local/pulumi/``, encrypted
with a passphrase that is made there once.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import yaml

from infra import config, private_file
from infra.errors import InfraError, UnreachableError
from infra.local._layout import local_folder

_INSTALL_SECONDS = 60
_RETRY_INSTALL_SECONDS = 24 * 3600
_INSTALLER = "import sys; from pulumi.automation import PulumiCommand; PulumiCommand.install(root=sys.argv[1])"


@dataclass(frozen=True)
class Deployed:
    """What the last update of a stack left. Holds secrets in clear, which its ``repr`` does not show."""

    outputs: Mapping[str, Any] = field(repr=False)
    updated: datetime | None


@dataclass(frozen=True)
class Engine:
    """A `pulumi` command, and the environment that it runs in."""

    command: str
    environ: Mapping[str, str]
    #: True: the state is under .local/, and nobody else's.
    own_state: bool

    def up(self, environment: str) -> None:
        """Bring the stack to what the program says, healing what an interrupted run left."""
        self._select(environment)
        self._run("up", "--yes", "--skip-preview", "--refresh", "--suppress-outputs", *self._stack(environment))

    def destroy(self, environment: str) -> None:
        """Delete all that is in the stack, and the stack. Nothing happens when there is none."""
        if self._find(environment) is None:
            return
        self._select(environment)
        self._run("destroy", "--yes", "--skip-preview", "--suppress-outputs", *self._stack(environment))
        self._run("stack", "rm", "--yes", "--preserve-config", "--stack", environment)

    def deployed(self, environment: str) -> Deployed | None:
        """What the last update of the stack left; None when there is no such stack.

        Raises:
            UnreachableError: the backend does not answer, or its secrets cannot be decrypted.
        """
        found = self._find(environment)
        if found is None:
            return None
        outputs = self._read("stack", "output", "--json", "--show-secrets", "--stack", environment)
        return Deployed(outputs, datetime.fromisoformat(found["lastUpdate"]) if found.get("lastUpdate") else None)

    def preview(self, environment: str) -> dict[str, Any]:
        """What an update would change, by reality: every resource is read where it is. Changes nothing.

        Raises:
            UnreachableError: the backend or a provider does not answer, or refuses.
        """
        if self.own_state:
            _write_settings(environment)
        found: dict[str, Any] = self._read("preview", "--refresh", "--json", *self._stack(environment))
        return found

    def resources(self, environment: str) -> list[dict[str, Any]]:
        """The resources in the state of a stack, with their secrets in clear.

        Raises:
            UnreachableError: the backend does not answer, or its secrets cannot be decrypted.
        """
        state = self._read("stack", "export", "--show-secrets", "--stack", environment)
        return list(state["deployment"].get("resources") or [])

    def _find(self, environment: str) -> dict[str, Any] | None:
        """The stack in the list of all."""
        listed: list[dict[str, Any]] = self._read("stack", "ls", "--json")
        return next((one for one in listed if one["name"].rpartition("/")[2] == environment), None)

    def _read(self, *arguments: str) -> Any:
        """What a command answers in JSON. Nothing of it is shown: it may hold secrets."""
        done = subprocess.run(
            [self.command, "--non-interactive", *arguments],
            cwd=config.ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = " ".join((done.stderr or _errors(done.stdout)).split()) or f"exit code {done.returncode}"
            raise UnreachableError(f"`pulumi {' '.join(arguments[:2])}` failed: {said}")
        return json.loads(done.stdout)

    def _select(self, environment: str) -> None:
        """Make the stack if there is none, and lift the lock of a run that was killed."""
        if not self.own_state:
            self._run("stack", "select", "--create", environment)
            return
        _heal(environment)
        _home().joinpath("Pulumi.yaml").write_text(
            f"name: {config.NAMESPACE}\nruntime: python\n", encoding="utf-8"
        )
        self._run("stack", "select", "--create", environment, "--cwd", str(_home()))
        _write_settings(environment)
        # Only this machine uses this state, and one command at a time: a lock is what a killed run left.
        if any((_home() / "state" / ".pulumi" / "locks").rglob(f"{environment}/*.json")):
            self._run("cancel", "--yes", "--stack", environment)

    def _stack(self, environment: str) -> list[str]:
        """The arguments that name the stack and its configuration."""
        here = ["--stack", environment]
        return [*here, "--config-file", str(_settings_file(environment))] if self.own_state else here

    def _run(self, *arguments: str) -> None:
        """Run one command to its end. An interruption is handed on, so that Pulumi can save its state."""
        process = subprocess.Popen(
            [self.command, "--non-interactive", *arguments],
            cwd=config.ROOT,
            env=self.environ,
            start_new_session=True,  # a Ctrl-C comes here alone, and is handed on once
        )
        interrupted = False
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:
                interrupted = True
                process.send_signal(signal.SIGINT)
        if interrupted:
            raise KeyboardInterrupt
        if code:
            raise InfraError(f"pulumi {arguments[0]} failed; what it said is above")


def _errors(answer: str) -> str:
    """The errors that an answer in JSON tells of."""
    try:
        told = json.loads(answer).get("diagnostics") or []
    except (ValueError, AttributeError):
        return ""
    return " ".join(dict.fromkeys(one["message"] for one in told if one.get("severity") == "error"))


def find() -> Engine | None:
    """The engine, if `pulumi` is on PATH or was installed under .local/ before."""
    command = shutil.which("pulumi") or shutil.which("pulumi", path=str(_home() / "bin"))
    return _engine(command) if command else None


def install() -> Engine | None:
    """Install the engine under .local/ by Pulumi's own installer; None if it cannot be had within 60 s.

    After a failure it is not tried again for a day, so that `make up` stays quick where there is no network.
    """
    failed = _home() / "install-failed"
    if failed.exists() and time.time() - failed.stat().st_mtime < _RETRY_INSTALL_SECONDS:
        return None
    _home().mkdir(parents=True, exist_ok=True)
    if not _installed():
        failed.touch()
        return None
    return find()


def _installed() -> bool:
    """Run the installer, which is a shell script with children of its own, and end them all when time is up."""
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-c", _INSTALLER, str(_home())]
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True) as process:
        try:
            return process.wait(_INSTALL_SECONDS) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def exports() -> list[str]:
    """The variables with which somebody uses the state under .local/ himself."""
    return [f"{name}={value}" for name, value in _own_state().items()]


def _engine(command: str) -> Engine:
    # The engine's python must be the one that has this project's requirements.
    path = os.pathsep.join([str(Path(sys.executable).parent), str(Path(command).parent), os.environ["PATH"]])
    environ = os.environ | {"PATH": path, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    if _has_backend():
        return Engine(command, environ, own_state=False)
    return Engine(command, environ | _own_state(), own_state=True)


def _own_state() -> dict[str, str]:
    state = _home() / "state"
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    passphrase = private_file.write_once(_home() / "passphrase", secrets.token_urlsafe(32))
    return {"PULUMI_BACKEND_URL": f"file://{state}", "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase)}


def _home() -> Path:
    return local_folder() / "pulumi"


def _heal(environment: str) -> None:
    """Take the backup of a state that was cut off: a machine that loses power while Pulumi writes it leaves that.

    Only in the state under .local/, which nobody else writes. The backup is that of the update before.
    """
    file = _home() / "state" / ".pulumi" / "stacks" / config.NAMESPACE / f"{environment}.json"
    backup = file.with_suffix(".json.bak")
    if file.exists() and not _is_json(file) and _is_json(backup):
        shutil.copyfile(backup, file)
        click.echo(f"the state of {environment} was cut off; going on from its backup")


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _settings_file(environment: str) -> Path:
    return _home() / f"Pulumi.{environment}.yaml"


def _write_settings(environment: str) -> None:
    """The environment's configuration with the salt of this machine's passphrase.

    Pulumi keeps that salt in the stack's file. In the one that is committed it would be a change in every
    clone, and a wrong passphrase for everybody else.
    """
    file = _settings_file(environment)
    salt = yaml.safe_load(file.read_text(encoding="utf-8")).get("encryptionsalt")
    shared = yaml.safe_load(config.stack_file(environment).read_text(encoding="utf-8"))
    private_file.write(file, yaml.safe_dump({"encryptionsalt": salt} | shared))


def _has_backend() -> bool:
    """Whether the user logged in to a backend of his own."""
    if os.environ.get("PULUMI_BACKEND_URL") or os.environ.get("PULUMI_ACCESS_TOKEN"):
        return True
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        return bool(json.loads((home / "credentials.json").read_text()).get("current"))
    except (OSError, ValueError):
        return False
