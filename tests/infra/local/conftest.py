"""Stores of their own for the tests of `infra.local`: each below a temporary folder, each stopped at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.config import Config

from infra.config import stack_files
from infra.local import engine, store
from infra.local.store import EmbeddedStore
from infra.stores.store import Store

REPO = Path(__file__).parents[3]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder `.local` of a project that has no store yet."""
    local = tmp_path / ".local"
    yield local
    monkeypatch.setattr(store, "_GRACE", 0.1)  # no test needs these data any more
    store.stop(local)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `stop` use force at once: how a server ends is not what the test is about."""
    monkeypatch.setattr(store, "_GRACE", 0.1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, EmbeddedStore]]:
    """A running store that the tests of one file share; they change nothing in it but buckets of their own."""
    local = tmp_path_factory.mktemp("shared") / ".local"
    try:
        yield local, store.start(local)
    finally:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "_GRACE", 0.1)
            store.stop(local)


@pytest.fixture
def client() -> Callable[..., object]:
    """Make a boto3 client that asks once."""

    def make(service: str, found: EmbeddedStore):
        return boto3.client(  # type: ignore[call-overload]  # the stubs want a literal
            service,
            endpoint_url=found.endpoint,
            aws_access_key_id=found.admin.access_key_id,
            aws_secret_access_key=found.admin.secret_access_key,
            region_name="us-east-1",
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
            ),
        )

    return make


@pytest.fixture
def fake_weed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Replace `weed` with a shell script."""

    def install(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "weed").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "weed").chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(folder / "python"))

    return install


@pytest.fixture
def python() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Run Python code in a process of its own, with the project on its path."""
    started: list[subprocess.Popen[str]] = []
    interpreter = sys.executable

    def run(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [interpreter, "-c", code],
            env={**os.environ, "PYTHONPATH": str(REPO)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


#: The configuration of a disposable environment on the embedded store.
LOCAL = {
    "target": "s3-compatible",
    "endpoint": "embedded",
    "disposable": True,
    "buckets": {"in": {"name": "test-in"}, "out": {"name": "test-out"}},
}


class Machine:
    """A machine with a project on it, and no Pulumi."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "environments").mkdir()

    def configure(self, environment: str = "local", **changes: object) -> None:
        values = {f"mpr-storage:{name}": value for name, value in (LOCAL | changes).items()}
        file = self.root / f"environments/Pulumi.{environment}.yaml"
        file.write_text(yaml.safe_dump({"config": values}))

    @property
    def env_file(self) -> Path:
        return self.root / "environments/local.env"

    @property
    def store(self) -> Store:
        running = store.find()
        assert running is not None
        return Store(running.endpoint, "us-east-1", running.admin)

    @property
    def buckets(self) -> set[str]:
        return {bucket.get("Name", "") for bucket in self.store.s3.list_buckets()["Buckets"]}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setattr(stack_files, "ROOT", tmp_path)
    monkeypatch.setattr(stack_files, "ENVIRONMENTS", tmp_path / "environments")
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(engine, "install", lambda _: None)
    monkeypatch.chdir(tmp_path)
    machine = Machine(tmp_path)
    machine.configure()
    yield machine
    store.stop()
