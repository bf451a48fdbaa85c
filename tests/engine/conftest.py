"""Fixtures of the engine tests. Every test of this folder needs `pulumi`, and gets the marker `engine`."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import Store
from tests.doubles.fixtures import Account, AwsServer, aws_server, plugins
from tests.engine.clouds import Clouds, Make
from tests.engine.support import Life, Project, deploy_life

__all__ = ["aws_server", "plugins"]

_SECONDS = 600  # an update takes ten times as long on a busy machine


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every test of the folder."""
    item.add_marker(pytest.mark.engine)
    item.add_marker(
        pytest.mark.skipif(shutil.which("pulumi") is None, reason="needs the `pulumi` command on PATH")
    )
    if item.get_closest_marker("timeout") is None:
        item.add_marker(pytest.mark.timeout(_SECONDS))


@pytest.fixture(scope="session")
def shared_project(seaweed: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project of the run, for stacks that several tests share."""
    folder = tmp_path_factory.mktemp("engine") / "project"
    folder.mkdir()
    yield Project(folder, seaweed)
    _end_orphans(folder)


@pytest.fixture
def project(shared_project: Project) -> Iterator[Project]:
    """The project of the run. The test's stacks, with their users, buckets and files, are removed after it."""
    with shared_project.left_as_found():
        yield shared_project
        _end_orphans(shared_project.folder)


def _end_orphans(folder: Path) -> None:
    """End what a killed engine left running in this project: its plugins have process groups of their own."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cwd").resolve() == folder.resolve():
                os.kill(int(entry.name), signal.SIGKILL)


@pytest.fixture(scope="session")
def life(shared_project: Project) -> Iterator[Life]:
    """A deployed stack that no test changes; a test that changes its env files restores them."""
    with shared_project.left_as_found():
        yield deploy_life(shared_project)


@pytest.fixture
def account(aws_server: AwsServer) -> Account:
    return aws_server.account()


@pytest.fixture
def clouds(project: Project, plugins: Path, seaweed: Store, account: Account) -> Clouds:
    """Creates stacks on a cloud; they are removed after the test."""
    return Clouds(project, plugins, seaweed, account)


@pytest.fixture
def make(clouds: Clouds) -> Make:
    return clouds.stack
