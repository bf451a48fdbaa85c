"""An environment for rotations: deployed once a store, restored after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.stores.store import Store
from tests.infra._deployed import deployed, restored, use
from tests.infra.conftest import Environment, Server, environment_on

_IDENTITIES = ["app", "viewer"]


@pytest.fixture(scope="session")
def _on_seaweed(seaweed_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    server, folder = Server(seaweed_store, "iam"), tmp_path_factory.mktemp("environments")
    with deployed(environment_on(server, folder, identities=_IDENTITIES)) as environment:
        yield environment


@pytest.fixture(scope="session")
def _on_minio(minio: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    server, folder = Server(minio, "minio"), tmp_path_factory.mktemp("environments")
    with deployed(environment_on(server, folder, identities=_IDENTITIES)) as environment:
        yield environment


@pytest.fixture
def on_seaweed(_on_seaweed: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    use(_on_seaweed, monkeypatch)
    with restored(_on_seaweed):
        yield _on_seaweed


@pytest.fixture
def on_minio(_on_minio: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    use(_on_minio, monkeypatch)
    with restored(_on_minio):
        yield _on_minio
