"""Fixtures that every test may use: real stores, and an environment without a trace of the user's."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_ports
from tests.servers import REPO, Servers, Store, ask, built, executable, running, stop, wait_for

__all__ = ["REPO", "Store", "built", "executable", "free_ports", "running", "stop", "wait_for"]

pytest_plugins = ["tests.tiers"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and their children with them. Some
# tests are about just that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The modules of Pulumi's SDKs are so many objects that looking for garbage takes a sixth of some tests' time.
gc.set_threshold(100_000, 50, 50)

_SERVERS = pytest.StashKey[Servers]()
_ADDRESS = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SERVERS] = Servers()


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node: Any) -> None:
    """Give a worker the address where the controller's servers are."""
    stash = node.config.stash
    if _ADDRESS not in stash:
        stash[_ADDRESS] = stash[_SERVERS].serve()
    node.workerinput["servers"] = stash[_ADDRESS]


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_SERVERS].close()


@pytest.fixture(autouse=True)
def _hermetic_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "S3_", "MPR_", "PULUMI_")) or name == "REQUESTS_CA_BUNDLE":
            monkeypatch.delenv(name)
    nowhere = tmp_path_factory.getbasetemp() / "no-aws-config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nowhere))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def _own(config: pytest.Config, kind: str) -> Store:
    """Return the server of a kind that this process runs."""
    return _found(config.stash[_SERVERS].get(kind))


def _shared(config: pytest.Config, kind: str) -> Store:
    """Return the server of a kind that the whole run shares."""
    address = getattr(config, "workerinput", {}).get("servers")
    return _found(ask(address, kind)) if address else _own(config, kind)


def _found(server: Store | BaseException) -> Store:
    if isinstance(server, BaseException):
        raise server
    return server


@pytest.fixture(scope="session")
def seaweed(pytestconfig: pytest.Config) -> Store:
    """A real SeaweedFS of this worker. Tests take buckets of their own in it, and leave no user behind.

    Not shared: while any user is changed, SeaweedFS 4.48 ignores the conditions of policies at times, and its
    IAM slows with the number of users.
    """
    return _own(pytestconfig, "seaweed")


@pytest.fixture(scope="session")
def minio(pytestconfig: pytest.Config) -> Store:
    """A real MinIO for the whole run, where there is one."""
    return _shared(pytestconfig, "minio")


@pytest.fixture(scope="session")
def minio_of_worker(pytestconfig: pytest.Config) -> Store:
    """A real MinIO of this worker, for tests whose buckets and identities have fixed names."""
    return _own(pytestconfig, "minio")


@pytest.fixture(scope="session")
def versitygw(pytestconfig: pytest.Config) -> Store:
    """A real Versity S3 Gateway for the whole run, where there is one."""
    return _shared(pytestconfig, "versitygw")


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system of its own takes root, and the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
