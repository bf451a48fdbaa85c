"""Two environments that `init` made, each reached by its own `app` alone, and the command between them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from core.storage import get_s3_client
from core.storage.settings import Settings, read_env_file
from infra import cli, private_file
from infra.config.identities import ROLES, Role
from infra.env import files
from infra.stores.store import Store
from tests.infra._deployed import deployed, emptied
from tests.infra.conftest import Environment, Server, environment_on, use_folder
from tests.infra.copy._gate import Gate


@dataclass(frozen=True)
class Place:
    """An environment as its `app` sees it."""

    environment: Environment
    #: What was secret of it in the beginning.
    secrets: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.environment.name

    @property
    def file(self) -> Path:
        return self.environment.file("app")

    @property
    def settings(self) -> Settings:
        return Settings.from_env(read_env_file(self.file))

    @property
    def s3(self) -> Any:
        return get_s3_client(self.settings)

    def put(self, role: Role, key: str, body: bytes = b"", **more: Any) -> None:
        self.s3.put_object(Bucket=self.settings.bucket(role), Key=key, Body=body, **more)

    def get(self, role: Role, key: str) -> Any:
        found = self.s3.get_object(Bucket=self.settings.bucket(role), Key=key)
        return found | {"Body": found["Body"].read()}

    def keys(self, role: Role) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.settings.bucket(role))
        return sorted(one["Key"] for page in pages for one in page.get("Contents", []))

    def all(self) -> dict[tuple[str, str], tuple[bytes, str]]:
        """Everything in both buckets, with the times of writing."""
        found = {(role, key): self.get(role, key) for role in ROLES for key in self.keys(role)}
        return {at: (one["Body"], str(one["LastModified"])) for at, one in found.items()}

    def unfinished(self, role: Role, key: str) -> list[str]:
        response = self.s3.list_multipart_uploads(Bucket=self.settings.bucket(role), Prefix=key)
        return [one["Key"] for one in response.get("Uploads", [])]

    def rewrite(self, **changes: Any) -> None:
        """Write the env file with other settings, as a deployment would."""
        text = files.render(replace(self.settings, **changes), self.name, "app")
        private_file.write(self.file, text)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Pair:
    """Where to copy from and to, in one folder of environments."""

    source: Place
    target: Place
    capsys: pytest.CaptureFixture[str]

    def copy(self, *options: str) -> Ran:
        """Run ``python -m infra copy`` in this process."""
        self.capsys.readouterr()
        code = cli.run(["copy", self.source.name, self.target.name, *options])
        out, err = self.capsys.readouterr()
        assert not [one for place in (self.source, self.target) for one in place.secrets if one in out + err]
        return Ran(code, out, err)


@contextmanager
def _place(server: Server, folder: Path) -> Iterator[Place]:
    with deployed(environment_on(server, folder, identities=["app"])) as environment:
        keys = files.access_key(environment.file("app"))
        assert keys
        yield Place(environment, (keys.access_key_id, keys.secret_access_key))


@contextmanager
def as_they_were(*places: Place) -> Iterator[None]:
    """Write their files as they are now when the block ends, and empty their buckets."""
    folder = places[0].environment.folder
    texts = {file: file.read_text() for file in folder.iterdir()}
    with emptied(*(place.environment for place in places)):
        try:
            yield
        finally:
            for file, text in texts.items():
                private_file.write(file, text)
            for place in places:
                place.environment.values["identities"] = ["app"]


@pytest.fixture(scope="session")
def _on_seaweed(seaweed_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Place]]:
    server, folder = Server(seaweed_store, "iam"), tmp_path_factory.mktemp("environments")
    with _place(server, folder) as source, _place(server, folder) as target:
        yield source, target


@pytest.fixture(scope="session")
def _to_minio(
    seaweed_store: Store, minio: Store, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Place, Place]]:
    folder = tmp_path_factory.mktemp("environments")
    with (
        _place(Server(seaweed_store, "iam"), folder) as source,
        _place(Server(minio, "minio"), folder) as target,
    ):
        yield source, target


@pytest.fixture
def pair(
    _on_seaweed: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Pair]:
    """Two environments on SeaweedFS."""
    use_folder(monkeypatch, _on_seaweed[0].environment.folder)
    with as_they_were(*_on_seaweed):
        yield Pair(*_on_seaweed, capsys)


@pytest.fixture
def to_minio(
    _to_minio: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Pair]:
    """From SeaweedFS to MinIO."""
    use_folder(monkeypatch, _to_minio[0].environment.folder)
    with as_they_were(*_to_minio):
        yield Pair(*_to_minio, capsys)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch):
    """Replace stdin by a terminal on which the user types one line."""

    class Terminal:
        def __init__(self, typed: str) -> None:
            self._typed = typed

        def isatty(self) -> bool:
            return True

        def readline(self, *_: object) -> str:
            return self._typed

    def sit(typed: str) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal(f"{typed}\n"))

    return sit


@pytest.fixture
def gate() -> Iterator[Any]:
    """Makes gates, which are closed after the test."""
    with ExitStack() as stack:

        def make(endpoint: str, limit: int | None = None) -> Gate:
            made = Gate(endpoint, limit)
            stack.callback(made.close)
            return made

        yield make
