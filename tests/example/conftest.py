"""Fixtures of the example's tests: one environment and one PostgreSQL for the run, emptied after each test."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from unittest import mock

import psycopg
import pytest

from core.storage.keys import ChunkKey, parse
from examples.pipeline import commands, postgres, video
from examples.pipeline.processes import end, wait_for
from infra.stores.store import Store
from tests.conftest import REPO, free_ports
from tests.example._browser import chromium
from tests.infra._deployed import deployed, emptied
from tests.infra.conftest import Environment, Server, environment_on, environments, no_backoff, seaweed_store

__all__ = ["chromium", "environments", "no_backoff", "seaweed_store"]

DAY = "2026-11-23"
#: Frames of the test's chunk: one a second.
FRAMES = 24

#: A process that stops in the n-th result of its uploads, says so, and goes on when its input ends.
_HELD = """
import importlib, sys

module, name, after, *arguments = sys.argv[1:]
patched = importlib.import_module(module)
real = getattr(patched, name)

def uploads(items, **options):
    for result in real(items, **options):
        held.append(result)
        if len(held) == int(after):
            print("held", flush=True)
            sys.stdin.read()
        yield result

held = []
setattr(patched, name, uploads)
from examples.pipeline.commands import main
main(arguments)
"""
#: Where frames and overlays are uploaded, and by which name.
EXTRACTION, DETECTION = "core.storage._frames.write", "examples.pipeline.detect"
_UPLOADS = {EXTRACTION: "uploads", DETECTION: "upload_many"}
#: Ends every other connection, and waits 10 s for each to be gone.
_DISCONNECT = (
    b"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    b" WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
#: Modules that read the name of a bucket when they are imported, and which.
_WITH_BUCKETS = {
    "examples.pipeline.detect": "out",
    "examples.pipeline.extract": "in",
    "examples.pipeline.upload": "in",
    "examples.pipeline.work": "in",
}


@dataclass(frozen=True)
class Place:
    """An environment and a database, and how the example's commands run with them."""

    environment: Environment
    database: str
    scratch: Path
    #: Of the page: the bucket lets this origin upload.
    port: int

    def environ(self, identity: str, **more: str) -> dict[str, str]:
        """Return the variables that a process of this identity has."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return kept | {
            "S3_ENV_FILE": str(self.environment.file(identity)),
            "DATABASE_URL": self.database,
            "TMPDIR": str(self.scratch),
            **more,
        }

    @contextmanager
    def variables(self, identity: str, **more: str) -> Iterator[None]:
        """Give this process the variables of a process of the identity while the block runs."""
        environ = self.environ(identity, **more)
        with mock.patch.dict(os.environ, environ, clear=True), mock.patch.object(tempfile, "tempdir", None):
            yield

    def run(self, identity: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command in this process, with the variables of a process of this identity."""
        out, err = io.StringIO(), io.StringIO()
        with (
            self.variables(identity, **more),
            mock.patch.object(signal, "signal"),  # the handlers of this process stay
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            commands.main(list(arguments))
        code = ended.value.code
        assert isinstance(code, int)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    def run_process(self, identity: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own: it imports what it needs with these variables."""
        environ = self.environ(identity, **more)
        return subprocess.run(
            command(*arguments), cwd=REPO, env=environ, capture_output=True, text=True, check=False
        )

    def done(self, identity: str, *arguments: str, **more: str) -> str:
        """Run a command that must succeed; return its output."""
        ended = self.run(identity, *arguments, **more)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @contextmanager
    def before_upload(self, where: str, number: int, action: Callable[[], object]) -> Iterator[None]:
        """Call `action` once, after so many uploads of a module."""
        module = import_module(where)
        uploads = getattr(module, _UPLOADS[where])
        results = []

        def interrupted(items: object, **options: object) -> Iterator[object]:
            for result in uploads(items, **options):
                results.append(result)
                if len(results) == number:
                    action()
                yield result

        with mock.patch.object(module, _UPLOADS[where], interrupted):
            yield
        assert len(results) >= number

    @contextmanager
    def held(self, where: str, after: int, *arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
        """A process of `pipeline` that waits after so many uploads; the block decides what becomes of it."""
        process = subprocess.Popen(
            [sys.executable, "-c", _HELD, where, _UPLOADS[where], str(after), *arguments],
            cwd=REPO,
            env=self.environ("pipeline", **more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()
            process.communicate()

    @contextmanager
    def served(self, port: int, **more: str) -> Iterator[str]:
        """The page, by the process that serves it; its address."""
        address = f"http://localhost:{port}"
        with self._started("viewer", "web", "--port", str(port), **more) as process:
            wait_for(address, process)
            yield address

    @contextmanager
    def signing(self) -> Iterator[str]:
        """The signer of uploads; its address."""
        port = free_ports(1)[0]
        address = f"http://127.0.0.1:{port}"
        with self._started("ingest", "intake", "--port", str(port)) as process:
            wait_for(address, process)
            yield address

    @contextmanager
    def _started(self, identity: str, *arguments: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(command(*arguments), cwd=REPO, env=self.environ(identity, **more))
        try:
            yield process
        finally:
            end(process)

    def put(self, name: str, content: bytes) -> str:
        """Upload a chunk as it is; its key."""
        key = f"chunks/{DAY}/{name}"
        self.environment.store.s3.put_object(Bucket=self.bucket("in"), Key=key, Body=content)
        return key

    def keys(self, role: str, prefix: str = "") -> set[str]:
        pages = self.environment.store.s3.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket(role), Prefix=prefix)
        return {one["Key"] for page in found for one in page.get("Contents", [])}

    def bucket(self, role: str) -> str:
        return str(self.environment.values["buckets"][role]["name"])

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database, autocommit=True) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def migrated(self) -> None:
        """Make the tables: a worker without a chunk does nothing else."""
        self.done("pipeline", "work", "--once")

    def disconnect(self) -> None:
        """End every connection to the database, and wait until they are gone with what they began."""
        self.rows(_DISCONNECT.decode())

    def dangling(self) -> set[str]:
        """Keys in rows whose objects the store does not have."""
        told = {
            str(key)
            for column in ("source FROM checkpoint", "key FROM stage_output", "source FROM stage_output")
            for (key,) in self.rows(f"SELECT {column}")
        }
        there = self.keys("in") | self.keys("out")
        assert all(parse(key) for key in told)
        return told - there


def command(*arguments: str) -> list[str]:
    """Return the command line of a command of the example, as users type it."""
    return [sys.executable, "-W", "error", "-m", "examples.pipeline", *arguments]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL for the whole run."""
    with postgres.server() as url:
        yield url


@pytest.fixture
def database(postgres_url: str) -> Iterator[str]:
    """The database without tables."""
    yield postgres_url
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(_DISCONNECT)
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


@pytest.fixture(scope="session")
def _place(seaweed_store: Store, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Buckets with the four identities' keys, for the whole run: making them takes longer than a test."""
    (port,) = free_ports(1)
    environment = environment_on(Server(seaweed_store, "iam"), tmp_path_factory.mktemp("environments"))
    for bucket in environment.values["buckets"].values():
        bucket["corsOrigins"] = [f"http://localhost:{port}"]
    with ExitStack() as stack:
        stack.enter_context(deployed(environment))
        found = Place(environment, postgres_url, tmp_path_factory.mktemp("scratch"), port)
        stack.enter_context(_bound_to(found))
        yield found


@contextmanager
def _bound_to(place: Place) -> Iterator[None]:
    """Have the modules of the example that this process imports use the buckets of the environment."""
    with place.variables("pipeline"):
        modules = [import_module(name) for name in _WITH_BUCKETS]
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            role = _WITH_BUCKETS[module.__name__]
            patch.setattr(module, f"BUCKET_{role.upper()}", place.bucket(role))
        yield


@pytest.fixture
def place(_place: Place, database: str, tmp_path: Path) -> Iterator[Place]:
    """Empty buckets, the four identities' keys and an empty database."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with emptied(_place.environment):
        yield replace(_place, scratch=scratch)


@pytest.fixture(scope="session")
def intake(_place: Place) -> Iterator[str]:
    """The address of the signer of uploads, a process for the whole run."""
    with _place.signing() as address:
        yield address


@pytest.fixture(scope="session")
def _address(_place: Place, intake: str) -> Iterator[str]:
    """The page, a process for the whole run; its address."""
    with _place.served(_place.port, INTAKE_URL=intake) as address:
        yield address


@pytest.fixture
def address(_address: str, place: Place) -> str:
    """Where the page is that shows the buckets and the database of `place`."""
    return _address


@pytest.fixture(scope="session")
def film(tmp_path_factory) -> Path:
    """A small video, of 24 s."""
    path: Path = tmp_path_factory.mktemp("film") / "match.mp4"
    video.generate(path, FRAMES, height=240)
    return path


@pytest.fixture
def chunk(place: Place, film: Path) -> str:
    """The key of the video's only chunk, uploaded by `ingest`."""
    (key,) = place.done("ingest", "upload", str(film), "--date", DAY).split()
    assert isinstance(parse(key), ChunkKey)
    return key


@pytest.fixture
def timeline(place: Place, chunk: str) -> str:
    """The chunk's timeline, with its frames in the cache."""
    return place.done("pipeline", "extract", chunk).strip()


@pytest.fixture
def compared(place: Place, chunk: str) -> tuple[str, str]:
    """Two jobs on the frames of one timeline, with the thresholds 40 and 90; their names."""
    first = place.done("pipeline", "work", "--once").partition(":")[0]
    place.done("pipeline", "replay", first, "--job", "second", "--threshold", "90")
    return first, "second"
