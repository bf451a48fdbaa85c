from __future__ import annotations

import pytest

from tests.conftest import Store
from tests.engine.support import Project


@pytest.fixture(scope="session")
def project(seaweed: Store, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("engine") / "project"
    folder.mkdir()
    return Project(folder, seaweed)
