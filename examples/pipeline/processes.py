"""The example's processes: each with the env file of its own identity, and nothing of the user's keys."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from examples.pipeline.errors import PipelineError
from infra.config import stack_files
from infra.env import files

_MODULE = "examples.pipeline"
#: Variables of the environment win over an env file, so none of these may reach a process that has one.
_KEYS = ("AWS_", "S3_", "MPR_", "PULUMI_")
_PATIENCE = 60.0


@dataclass(frozen=True)
class Processes:
    """How processes of one environment are run."""

    environment: str
    #: What they all get, such as the address of the database.
    variables: dict[str, str] = field(default_factory=dict)

    def environ(self, identity: str) -> dict[str, str]:
        """The variables of a process of this identity."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_KEYS)}
        return inherited | self.variables | {"S3_ENV_FILE": str(env_file(self.environment, identity))}

    def run(self, identity: str, *arguments: str) -> str:
        """Run a command to its end; what it said.

        Raises:
            PipelineError: it failed; its exit code is that of the error.
        """
        command = [sys.executable, "-m", _MODULE, *arguments]
        done = subprocess.run(
            command,
            cwd=stack_files.ROOT,
            env=self.environ(identity),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise _failed(arguments[0], done.returncode)
        return done.stdout

    @contextmanager
    def started(self, identity: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command that runs for as long as the block."""
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, *arguments],
            cwd=stack_files.ROOT,
            env=self.environ(identity),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the example, which ends everything in order
        )
        try:
            yield process
        finally:
            end(process)


def env_file(environment: str, identity: str) -> Path:
    """Where the env file of an identity is."""
    return files.path(environment, identity)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server responds.

    Raises:
        PipelineError: it ended, or does not respond.
    """
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _failed(" ".join(map(str, process.args)), process.returncode)  # type: ignore[arg-type]  # a list
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310  # loopback
        except urllib.error.HTTPError:
            return  # a response with any status counts
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise PipelineError(f"no server responds at {url}")


def _failed(what: str, code: int) -> PipelineError:
    error = PipelineError(f"`{what}` ended with {code}: the sentence above says why")
    error.exit_code = code if code in (1, 2, 3) else 1
    return error


def end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """End a process by a signal, or if it does not take that, at once."""
    process.send_signal(how)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
