"""The Pulumi engine on this machine: found or installed, and run.

A Pulumi backend of the user's own is used. Without one, the state is in ``.local/pulumi/``, encrypted with a
passphrase that is generated there.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from infra import private_file
from infra.config import stack_files
from infra.env.outputs import COMPONENT_TYPE
from infra.errors import InfraError, UnreachableError
from infra.local import own_state
from infra.local.environment_lock import for_pulumi
from infra.local.lock import locked
from infra.local.relay import relayed

_STDOUT, _STDERR = 1, 2  # their file descriptors
_READ_SECONDS = 60  # of a command that reads the state; a backend takes a few seconds
_PREVIEW_SECONDS = 900  # of one that also reads every resource in the cloud
_INSTALL_SECONDS = 60
_RETRY_INSTALL_SECONDS = 24 * 3600
_INSTALLER = "import sys; from pulumi.automation import PulumiCommand; PulumiCommand.install(root=sys.argv[1])"


@dataclass(frozen=True)
class Deployed:
    """The outputs of a stack, with secrets in plain text, and the time of its last update."""

    outputs: Mapping[str, Any] = field(repr=False)
    updated: datetime | None


@dataclass(frozen=True)
class Engine:
    """The path of the `pulumi` command, and its environment variables."""

    command: str
    environ: Mapping[str, str] = field(repr=False)
    #: Whether the state is the one under .local/, which no other machine uses.
    own_state: bool

    def up(self, environment: str) -> None:
        """Update the stack, after a refresh, which finds what was changed outside Pulumi or an update left."""
        self._select(environment)
        self._run("up", "--yes", "--skip-preview", "--refresh", "--suppress-outputs", *self._stack(environment))

    def destroy(self, environment: str) -> None:
        """Delete the resources of the stack, and the stack; do nothing if there is no such stack."""
        if self._find(environment) is None:
            return
        self._select(environment)
        # With the preview, which refuses before anything is deleted if a bucket is still protected in the state.
        self._run("destroy", "--yes", "--suppress-outputs", *self._stack(environment))
        self._run("stack", "rm", "--yes", "--preserve-config", "--stack", environment)

    def delete_identities(self, environment: str) -> None:
        """Delete the identities with their access keys and env files, and the stack; leave the buckets.

        Each resource to delete is named: no bucket is deleted, whatever the state says about its protection.

        Raises:
            InfraError: the stack has no component resources, or something could not be deleted.
        """
        if self._find(environment) is None:
            return
        urns = [resource["urn"] for resource in self.resources(environment) if resource.get("custom")]
        if urns and not any(COMPONENT_TYPE in urn for urn in urns):
            raise InfraError(
                f"stack {environment} was deployed by an earlier version, without components, so nothing was "
                "deleted: deploy it once, then run this again"
            )
        self._select(environment)
        if named := [f"--target={urn}" for urn in urns if f"{COMPONENT_TYPE}Identity$" in urn]:
            quiet = ("--yes", "--skip-preview", "--suppress-outputs")
            self._run("destroy", *quiet, *named, *self._stack(environment))
        self._run("stack", "rm", "--yes", "--force", "--preserve-config", "--stack", environment)

    def deployed(self, environment: str) -> Deployed | None:
        """Return the outputs of the stack, or None if there is no such stack.

        Raises:
            UnreachableError: the backend does not respond, or its secrets cannot be decrypted.
        """
        stack = self._find(environment)
        if stack is None:
            return None
        outputs = self._read("stack", "output", "--json", "--show-secrets", "--stack", environment)
        return Deployed(outputs, datetime.fromisoformat(stack["lastUpdate"]) if stack.get("lastUpdate") else None)

    def preview(self, environment: str) -> dict[str, Any]:
        """Return the preview of an update that first refreshes every resource. Changes nothing.

        Raises:
            UnreachableError: the backend or a provider does not respond, or refuses.
        """
        if self.own_state:
            own_state.write_settings(environment)
        command = ("preview", "--refresh", "--json", *self._stack(environment))
        preview: dict[str, Any] = self._read(*command, seconds=_PREVIEW_SECONDS)
        return preview

    def resources(self, environment: str) -> list[dict[str, Any]]:
        """Return the resources in the state of the stack, with secrets in plain text.

        Raises:
            UnreachableError: the backend does not respond, or its secrets cannot be decrypted.
        """
        state = self._read("stack", "export", "--show-secrets", "--stack", environment)
        return list(state["deployment"].get("resources") or [])

    def updates(self) -> dict[str, datetime]:
        """Return the time of the last update of each stack that has resources.

        Raises:
            UnreachableError: the backend does not respond.
        """
        return {
            stack["name"].rpartition("/")[2]: datetime.fromisoformat(stack["lastUpdate"])
            for stack in self._stacks()
            if stack.get("lastUpdate") and stack.get("resourceCount") != 0
        }

    def _find(self, environment: str) -> dict[str, Any] | None:
        return next((stack for stack in self._stacks() if stack["name"].rpartition("/")[2] == environment), None)

    def _stacks(self) -> list[dict[str, Any]]:
        stacks: list[dict[str, Any]] = self._read("stack", "ls", "--json")
        return stacks

    def _read(self, *arguments: str, seconds: float = _READ_SECONDS) -> Any:
        """Run a command and return its JSON output, which may have secrets, so that it is not shown."""
        shown = f"`pulumi {' '.join(arguments[:2])}`"
        process = subprocess.Popen(
            [self.command, "--non-interactive", *arguments],
            cwd=stack_files.ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with process:
            try:
                output, errors = process.communicate(timeout=seconds)
            except BaseException as error:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # with the program and the plugins that it started
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                raise UnreachableError(
                    f"{shown} did not end within {seconds:g} s: check that Pulumi's backend and the cloud can be "
                    "reached"
                ) from error
        if process.returncode:
            message = " ".join((errors or _diagnostics(output)).split())
            raise UnreachableError(f"{shown} failed: {message or f'exit code {process.returncode}'}")
        try:
            return json.loads(output)
        except ValueError:
            raise UnreachableError(f"{shown} printed no JSON: check that {self.command} is Pulumi") from None

    def _select(self, environment: str) -> None:
        """Create the stack if necessary, and remove the lock of a killed update.

        Raises:
            InfraError: a `pulumi` that the user started updates the stack now.
        """
        if not self.own_state:
            self._run("stack", "select", "--create", environment)
            return
        if not (own_state.state_file(environment).exists() and own_state.settings_file(environment).exists()):
            project = f"name: {stack_files.NAMESPACE}\nruntime: python\n"
            private_file.write(
                own_state.home() / "Pulumi.yaml", project
            )  # atomically: commands of other environments read it
            self._run("stack", "select", "--create", environment, "--cwd", str(own_state.home()))
        own_state.write_settings(environment)
        if own_state.is_locked_by_killed_update(environment):
            self._run("cancel", "--yes", "--stack", environment)

    def _stack(self, environment: str) -> list[str]:
        """Return the arguments that name the stack and its configuration."""
        config = ["--config-file", str(own_state.settings_file(environment))] if self.own_state else []
        return ["--stack", environment, *config]

    def _run(self, *arguments: str) -> None:
        """Run a command on the terminal. Pass an interruption on and wait, so that Pulumi can save its state."""
        interrupted = False
        with relayed(_STDOUT) as output, relayed(_STDERR) as errors:
            process = subprocess.Popen(
                [self.command, "--non-interactive", *arguments],
                cwd=stack_files.ROOT,
                env={**self.environ, **for_pulumi()},
                stdout=output,
                stderr=errors,
                # Or Ctrl-C would reach it twice, from the terminal too, and end it at once.
                start_new_session=True,
            )
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
            raise InfraError(f"pulumi {arguments[0]} failed; its messages are above")


def _diagnostics(output: str) -> str:
    """Return the error messages in the JSON output of a failed command."""
    try:
        diagnostics = json.loads(output).get("diagnostics") or []
    except (ValueError, AttributeError):
        return ""
    return " ".join(dict.fromkeys(entry["message"] for entry in diagnostics if entry.get("severity") == "error"))


def find() -> Engine | None:
    """Return the engine if `pulumi` is on PATH or was installed under .local/, else None."""
    path = command()
    return _engine(path) if path else None


def command() -> str | None:
    """Return the path of `pulumi`, on PATH or installed under .local/, or None if there is none."""
    return shutil.which("pulumi") or shutil.which("pulumi", path=str(own_state.home() / "bin"))


def find_with_state() -> Engine | None:
    """Return the engine if there can be a stack, else None; create nothing under .local/."""
    return find() if _has_backend() or (own_state.home() / "state").exists() else None


def install(report: Callable[[str], None], /) -> Engine | None:
    """Install the engine under .local/ with Pulumi's own installer; return None if that fails or takes over 60 s.

    After a failure it is not tried again for a day, so that `make up` stays quick without a network.
    """
    with locked(own_state.create_home() / "install.lock"):
        return find() or _install(report)


def _install(report: Callable[[str], None]) -> Engine | None:
    failure = own_state.home() / "install-failed"
    if failure.exists() and time.time() - failure.stat().st_mtime < _RETRY_INSTALL_SECONDS:
        return None
    report(f"Pulumi is not on PATH; installing it under .local/ ({_INSTALL_SECONDS} s at most)")
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-c", _INSTALLER, str(own_state.home())]
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True) as process:
        try:
            code = process.wait(_INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it is a shell script with processes of its own
    if code == 0:
        return find()
    failure.touch()
    return None


def _engine(command: str) -> Engine:
    # The first python on PATH runs the program, so it must be the one with this project's requirements.
    path = os.pathsep.join(
        [str(Path(sys.executable).parent), str(Path(command).parent), os.environ.get("PATH", os.defpath)]
    )
    environ = os.environ | {"PATH": path, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    if _has_backend():
        return Engine(command, environ, own_state=False)
    own_state.restore()
    others = {name: value for name, value in environ.items() if name != own_state.OVERRIDE}
    return Engine(command, others | own_state.backend(), own_state=True)


def _has_backend() -> bool:
    """Return whether the user has a backend of their own."""
    if os.environ.get("PULUMI_BACKEND_URL") or os.environ.get("PULUMI_ACCESS_TOKEN"):
        return True
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        return bool(json.loads((home / "credentials.json").read_text()).get("current"))
    except (OSError, ValueError):
        return False
