from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import Store
from tests.engine.support import Project


@pytest.fixture(scope="session")
def project(seaweed: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("engine") / "project"
    folder.mkdir()
    yield Project(folder, seaweed)
    _end_orphans(folder)


def _end_orphans(folder: Path) -> None:
    """End what a killed engine left running in this project: its plugins have process groups of their own."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cwd").resolve() == folder.resolve():
                os.kill(int(entry.name), signal.SIGKILL)
