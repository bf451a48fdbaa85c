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
from dataclasses import dataclass
from pathlib import Path

from infra.config import ENVIRONMENTS, ROOT
from infra.errors import InfraError
from infra.private_file import write_once

_HOME = ROOT / ".local" / "pulumi"
_INSTALL_SECONDS = 60
_RETRY_INSTALL_SECONDS = 24 * 3600
_INSTALLER = "import sys; from pulumi.automation import PulumiCommand; PulumiCommand.install(root=sys.argv[1])"


@dataclass(frozen=True)
class Engine:
    """A `pulumi` command, and the environment that it runs in."""

    command: str
    environ: dict[str, str]
    #: True: the state is under .local/, and nobody else's.
    own_state: bool

    def up(self, environment: str) -> None:
        """Bring the stack to what the program says, healing what an interrupted run left."""
        stack = self._select(environment)
        self._run("up", "--yes", "--skip-preview", "--refresh", *stack)

    def destroy(self, environment: str) -> None:
        """Delete all that is in the stack, and the stack."""
        stack = self._select(environment)
        self._run("destroy", "--yes", "--skip-preview", *stack)
        self._run("stack", "rm", "--yes", *stack)

    def _select(self, environment: str) -> list[str]:
        """The stack, made if need be; the arguments that name it and its configuration."""
        self._run("stack", "select", "--create", environment)
        arguments = ["--stack", environment]
        if self.own_state:
            # Only this machine uses this state, and one command at a time: a lock is what a killed run left.
            locks = _HOME / "state" / ".pulumi" / "locks"
            if any(locks.rglob(f"{environment}/*.json")):
                self._run("cancel", "--yes", environment)
        return arguments

    def _run(self, *arguments: str) -> None:
        """Run one command to its end. An interruption is handed on once, so that Pulumi can save its state."""
        process = subprocess.Popen(
            [self.command, "--non-interactive", *arguments], cwd=ROOT, env=self.environ, start_new_session=True
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


def find() -> Engine | None:
    """The engine, if `pulumi` is on PATH or was installed under .local/ before."""
    command = shutil.which("pulumi") or shutil.which("pulumi", path=str(_HOME / "bin"))
    return _engine(command) if command else None


def install() -> Engine | None:
    """Install the engine under .local/ by Pulumi's own installer; None if it cannot be had within 60 s.

    After a failure it is not tried again for a day, so that `make up` stays quick where there is no network.
    """
    failed = _HOME / "install-failed"
    if failed.exists() and time.time() - failed.stat().st_mtime < _RETRY_INSTALL_SECONDS:
        return None
    _HOME.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(
            [sys.executable, "-c", _INSTALLER, str(_HOME)],
            timeout=_INSTALL_SECONDS,
            check=True,
            capture_output=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        failed.touch()
        return None
    return find()


def _engine(command: str) -> Engine:
    environ = os.environ | {
        # The engine's python must be the one that has this project's requirements.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{Path(command).parent}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    own = not _has_backend()
    if own:
        state = _HOME / "state"
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        environ["PULUMI_BACKEND_URL"] = f"file://{state}"
    if not any(name in os.environ for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")):
        environ["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase_file())
    return Engine(command, environ, own)


def passphrase_file() -> Path:
    """The file with the passphrase of the state under .local/, made if there is none."""
    return write_once(_HOME / "passphrase", secrets.token_urlsafe(32))


def _has_backend() -> bool:
    """Whether the user logged in to a backend of his own."""
    if os.environ.get("PULUMI_BACKEND_URL") or os.environ.get("PULUMI_ACCESS_TOKEN"):
        return True
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        return bool(json.loads((home / "credentials.json").read_text()).get("current"))
    except (OSError, ValueError):
        return False
