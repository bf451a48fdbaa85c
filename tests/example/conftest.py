"""Fixtures of the example's tests: buckets with the identities' real keys, a real PostgreSQL, a real video."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from core.storage.keys import ChunkKey, parse
from examples.pipeline import postgres, video
from examples.pipeline.processes import wait_for
from tests.conftest import REPO, free_ports
from tests.infra.conftest import (
    Environment,
    Server,
    admin_variables,
    environment_on,
    environments,
    remove_environment,
    seaweed_store,
)

__all__ = ["environments", "seaweed_store"]

DAY = "2026-11-23"
#: Frames of the test's chunk: one a second.
FRAMES = 24

#: A process that stops in its n-th result of `upload_many`, says so, and goes on when its input ends.
_HELD = """
import importlib, sys

module, after, *arguments = sys.argv[1:]
patched = importlib.import_module(module)
real = patched.upload_many

def upload_many(items, **options):
    for result in real(items, **options):
        held.append(result)
        if len(held) == int(after):
            print("held", flush=True)
            sys.stdin.read()
        yield result

held = []
patched.upload_many = upload_many
from examples.pipeline.commands import main
main(arguments)
"""
#: Where frames and overlays are uploaded.
EXTRACTION, DETECTION = "core.storage._frame_write", "examples.pipeline.detect"


@dataclass(frozen=True)
class Place:
    """An environment with a database of its own."""

    environment: Environment
    database: str
    scratch: Path
    #: Where its page is, if it is served: the origin that the bucket lets upload.
    port: int
    more: dict[str, str] = field(default_factory=dict)

    def environ(self, identity: str, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return kept | {
            "S3_ENV_FILE": str(self.environment.file(identity)),
            "DATABASE_URL": self.database,
            "TMPDIR": str(self.scratch),
            **more,
        }

    def run(self, identity: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-m", "examples.pipeline", *arguments]
        environ = self.environ(identity, **more)
        return subprocess.run(command, cwd=REPO, env=environ, capture_output=True, text=True, check=False)

    def done(self, identity: str, *arguments: str, **more: str) -> str:
        """What a command says that must succeed."""
        ended = self.run(identity, *arguments, **more)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @contextmanager
    def held(self, where: str, after: int, *arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
        """A process of `pipeline` that waits after so many uploads; the block decides what becomes of it."""
        process = subprocess.Popen(
            [sys.executable, "-c", _HELD, where, str(after), *arguments],
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
    def served(self) -> Iterator[str]:
        """The page with its signer of uploads; its address."""
        signer = free_ports(1)[0]
        intake = f"http://127.0.0.1:{signer}"
        address = f"http://localhost:{self.port}"
        with (
            self._started("ingest", "intake", "--port", str(signer)) as first,
            self._started("viewer", "web", "--port", str(self.port), INTAKE_URL=intake) as second,
        ):
            wait_for(intake, first)
            wait_for(address, second)
            yield address

    @contextmanager
    def _started(self, identity: str, *arguments: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-W", "error", "-m", "examples.pipeline", *arguments]
        process = subprocess.Popen(command, cwd=REPO, env=self.environ(identity, **more))
        try:
            yield process
        finally:
            process.terminate()
            process.wait()

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
        """Have the tables: a worker without a chunk makes them."""
        self.done("pipeline", "work", "--once")

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

    def gone(self) -> None:
        """Wait until the connections of processes that were killed are gone, and what they began with them."""
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        while self.rows(others) != [(0,)]:
            time.sleep(0.02)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL for the whole run."""
    with postgres.server() as url:
        yield url


@pytest.fixture
def database(postgres_url: str) -> Iterator[str]:
    """A database of its own, without tables."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield postgres_url.replace("/postgres?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def place(seaweed_store, environments, database, tmp_path, monkeypatch) -> Iterator[Place]:
    """Buckets, the four identities' keys and an empty database."""
    for name, value in admin_variables(seaweed_store).items():
        monkeypatch.setenv(name, value)
    (port,) = free_ports(1)
    made = environment_on(Server(seaweed_store, "iam"), environments)
    for bucket in made.values["buckets"].values():
        bucket["corsOrigins"] = [f"http://localhost:{port}"]
    made.save()
    made.initialise()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    yield Place(made, database, scratch, port)
    remove_environment(made)


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
