"""An environment with every setting that its store can have: deployed once a store, restored after each test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra import cli
from infra.config import stack_files
from infra.env import files
from infra.local import engine
from infra.policies import normalised
from infra.stores.access_key import AccessKey
from infra.stores.store import Store
from tests.infra._deployed import deployed as deployed_once
from tests.infra._deployed import restored, use
from tests.infra.conftest import Environment, Server, environment_on

ORIGIN = "https://media.example"
_ON_ANY = {"versioning": True, "noncurrentDays": 3, "expire": [{"prefix": "cache/", "days": 5}]}
_ON_SEAWEED = {"abortMultipartDays": 4, "corsOrigins": [ORIGIN]}


@dataclass
class Drifting:
    """The environment, its administrator, and the command."""

    environment: Environment
    capsys: Any
    #: No output may hold one of these.
    secrets: set[str] = field(default_factory=set)

    @property
    def s3(self) -> Any:
        return self.environment.store.s3

    @property
    def iam(self) -> Any:
        return self.environment.store.iam

    @property
    def manager(self) -> Any:
        return self.environment.server.manager

    @property
    def bucket(self) -> str:
        return f"{self.environment.name}-in"

    def user(self, identity: str = "app") -> str:
        return f"mpr-{self.environment.name}-{identity}"

    def key(self, identity: str = "app") -> AccessKey:
        key = files.access_key(self.environment.file(identity))
        assert key
        return key

    def rules(self) -> list[Any]:
        rules: list[Any] = self.s3.get_bucket_lifecycle_configuration(Bucket=self.bucket)["Rules"]
        return rules

    def put_rules(self, *rules: Any) -> None:
        self.s3.put_bucket_lifecycle_configuration(Bucket=self.bucket, LifecycleConfiguration={"Rules": rules})

    def put_policy(self, policy: Any, identity: str = "viewer") -> None:
        if self.environment.server.credentials == "iam":
            self.iam.put_user_policy(
                UserName=self.user(identity), PolicyName="mpr-storage", PolicyDocument=json.dumps(policy)
            )
        else:
            minio = self.environment.store.minio
            minio.update_service_account(access_key=self.key(identity).access_key_id, policy=policy)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command, check that it shows no secret, and return its exit code, stdout and stderr."""
        code = cli.run(["drift", self.environment.name, *arguments])
        output = self.capsys.readouterr()
        for file in self.environment.folder.glob("*.env"):
            if keys := files.access_key(file):
                self.secrets |= {keys.access_key_id, keys.secret_access_key}
        self.secrets.add(self.environment.store.admin.secret_access_key)
        assert not [secret for secret in self.secrets if secret in output.out + output.err]
        return code, output.out, output.err

    def differences(self) -> list[dict[str, str]]:
        code, out, err = self.run("--json")
        differences: list[dict[str, str]] = json.loads(out)
        assert code == bool(differences), err
        assert all(difference["repair"] for difference in differences)
        return differences

    def sides(self) -> list[tuple[str, str, str, str]]:
        """Return the differences without their repairs, and without the name of the environment."""
        return self.sides_of(self.differences())

    def sides_of(self, differences: list[dict[str, str]]) -> list[tuple[str, str, str, str]]:
        name = self.environment.name
        return [
            tuple(difference[key].replace(name, "ENV") for key in ("thing", "property", "wanted", "actual"))  # type: ignore[misc]
            for difference in differences
        ]

    def everything(self) -> list[Any]:
        """Return the state of the environment on the store and in the folder."""
        of_buckets = [self._bucket(f"{self.environment.name}-{role}") for role in ("in", "out")]
        identities = [
            (
                normalised(self.manager.read_identity(self.environment.store, name)),
                self.manager.access_keys(self.environment.store, name),
            )
            for name in map(self.user, self.environment.config.names)
        ]
        contents = [
            (file, file.stat().st_mtime_ns, file.stat().st_ino, file.read_bytes())
            for file in sorted(stack_files.ROOT.rglob("*"))
            if file.is_file()
        ]
        return [of_buckets, identities, contents]

    def _bucket(self, name: str) -> list[Any]:
        reads = (
            self.s3.get_bucket_versioning,
            self.s3.get_bucket_lifecycle_configuration,
            self.s3.get_bucket_cors,
            self.s3.list_objects_v2,
        )
        return [self._response(read, name) for read in reads]

    def _response(self, read: Any, name: str) -> Any:
        try:
            return {key: value for key, value in read(Bucket=name).items() if key != "ResponseMetadata"}
        except ClientError as error:
            return error.response["Error"]["Code"]


def _environment(server: Server, root: Path, **more: Any) -> Environment:
    folder = root / "environments"
    folder.mkdir()
    environment = environment_on(server, folder, identities=["app", "viewer"])
    environment.values["buckets"]["in"] |= _ON_ANY | more
    return environment


@pytest.fixture(scope="session")
def _on_seaweed(seaweed_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    server = Server(seaweed_store, "iam")
    with deployed_once(_environment(server, tmp_path_factory.mktemp("drift"), **_ON_SEAWEED)) as environment:
        yield environment


@pytest.fixture(scope="session")
def _on_minio(minio: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    with deployed_once(_environment(Server(minio, "minio"), tmp_path_factory.mktemp("drift"))) as environment:
        yield environment


@contextmanager
def _drifting(environment: Environment, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drifting]:
    """Return the environment, which `init` deployed without an engine, and deploy it again afterwards."""
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(stack_files, "ROOT", environment.folder.parent)
    use(environment, monkeypatch)
    with restored(environment):
        yield Drifting(environment, capsys)


@pytest.fixture
def on_seaweed(_on_seaweed: Environment, capsys, monkeypatch) -> Iterator[Drifting]:
    with _drifting(_on_seaweed, capsys, monkeypatch) as drifting:
        yield drifting


@pytest.fixture
def on_minio(_on_minio: Environment, capsys, monkeypatch) -> Iterator[Drifting]:
    with _drifting(_on_minio, capsys, monkeypatch) as drifting:
        yield drifting


@pytest.fixture(params=["seaweed", pytest.param("minio", marks=[pytest.mark.minio, pytest.mark.flow])])
def deployed(request: pytest.FixtureRequest) -> Drifting:
    """Return the environment on each real store in turn."""
    drifting: Drifting = request.getfixturevalue(f"on_{request.param}")
    return drifting
