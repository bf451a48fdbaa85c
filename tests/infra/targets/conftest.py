"""Each cloud in turn, as a double: the program runs to real buckets and keys without an engine."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from core.storage.settings import Settings, read_env_file
from infra import program
from infra.check import role, runner
from infra.check.runner import Finding
from infra.config.environment import EnvironmentConfig
from infra.config.load import parse
from infra.env import files
from infra.errors import InfraError
from infra.stores import iam
from infra.stores.empty import delete_everything
from infra.stores.store import Store
from tests.doubles import aws as aws_double
from tests.doubles import gcp as gcp_double
from tests.doubles import r2 as r2_double
from tests.doubles.fixtures import Account, AwsServer, aws_server
from tests.doubles.handler import Double
from tests.doubles.mocks import Deployed, State, deploy
from tests.infra.conftest import ALL, use_folder

__all__ = ["aws_server"]

#: In `make test`, AWS stands for the three.
CLOUDS = ["aws", pytest.param("gcp", marks=pytest.mark.flow), pytest.param("r2", marks=pytest.mark.flow)]
ACCOUNT = "0123456789abcdef0123456789abcdef"


@dataclass
class Cloud:
    """A target with its double, and one environment on it."""

    target: str
    double: Double
    #: Its APIs as the administrator sees them.
    admin: Account | Store
    values: dict[str, Any]
    folder: Path
    #: What a process that deploys to it has in its environment.
    variables: dict[str, str]
    environment: str = field(default_factory=lambda: f"t{secrets.token_hex(4)}")
    state: State = field(default_factory=State)

    @property
    def endpoint(self) -> str:
        """Where the double's S3 API is, which env files of a real cloud do not say."""
        return self.admin.endpoint

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """Have this process work in the cloud as its administrator, with the folder of the environment."""
        use_folder(patch, self.folder)
        for name, value in self.variables.items():
            patch.setenv(name, value)
        redirect(patch, self.endpoint)

    def up(self, *, preview: bool = False, **changes: Any) -> Deployed:
        self.values |= changes
        config = {f"mpr-storage:{name}": value for name, value in self.values.items()}
        return deploy(
            program.main, [self.double], state=self.state, config=config, stack=self.environment, preview=preview
        )

    @property
    def config(self) -> EnvironmentConfig:
        return parse(self.environment, self.values, "test")

    def file(self, identity: str = "app") -> Path:
        return files.path(self.environment, identity)

    def env(self, identity: str = "app") -> dict[str, str]:
        return read_env_file(self.file(identity))

    def settings(self, identity: str = "app") -> Settings:
        """Those of the env file, but for the way to the double."""
        return replace(Settings.from_env(self.env(identity)), endpoint_url=self.endpoint)

    def check(self) -> list[Finding]:
        return list(runner.run(self.config))

    def bucket(self, role: str) -> str:
        return self.env()[f"S3_BUCKET_{role.upper()}"]


def redirect(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Have `check` go to the double."""

    def redirected(settings: Settings, identity: str) -> Settings:
        return replace(role.with_keys(settings, identity), endpoint_url=endpoint)

    monkeypatch.setattr(runner, "with_keys", redirected)


def aws_cloud(account: Account, folder: Path) -> Cloud:
    values = {"target": "aws", "region": account.region, "identities": list(ALL)}
    return Cloud("aws", aws_double.DOUBLE, account, values, folder, account.environ)


def seaweed_cloud(target: str, store: Store, folder: Path) -> Cloud:
    """A cloud whose double keeps buckets and users on SeaweedFS."""
    double, settings, variables = _ON_SEAWEED[target]
    variables = variables | {
        "DOUBLE_ENDPOINT": store.endpoint,
        "DOUBLE_ACCESS_KEY_ID": store.admin.access_key_id,
        "DOUBLE_SECRET_ACCESS_KEY": store.admin.secret_access_key,
    }
    values = {"target": target, "identities": list(ALL)} | settings
    return Cloud(target, double, store, values, folder, variables)


_ON_SEAWEED: dict[str, tuple[Double, dict[str, str], dict[str, str]]] = {
    "gcp": (
        gcp_double.DOUBLE,
        {"project": "acme-media", "location": "EU"},
        {"GOOGLE_CREDENTIALS": "{}"},
    ),
    "r2": (
        r2_double.DOUBLE,
        {"account": ACCOUNT, "jurisdiction": "eu"},
        {"CLOUDFLARE_API_TOKEN": "t" * 40},
    ),
}


@contextmanager
def nothing_left(store: Store) -> Iterator[None]:
    """Delete the users and buckets that the block makes, and what the doubles noted of them."""
    users, buckets, notes = _users(store), _buckets(store), _notes(store)
    try:
        yield
    finally:
        for user in _users(store) - users:
            with suppress(store.iam.exceptions.NoSuchEntityException):
                store.iam.delete_user_policy(UserName=user, PolicyName="double")
            iam.delete_identity(store, user)
        for bucket, key in _notes(store) - notes:
            store.s3.delete_object(Bucket=bucket, Key=key)
        for bucket in _buckets(store) - buckets - set(_NOTES):
            # SeaweedFS 4.48 keeps delete markers where versioning is suspended, and deletes the bucket with them.
            with suppress(InfraError):
                delete_everything(store.s3, bucket)
            store.s3.delete_bucket(Bucket=bucket)


#: The buckets in which the doubles note what SeaweedFS has no place for.
_NOTES = ("gcp-notes", "r2-notes")


def _users(store: Store) -> set[str]:
    return {user["UserName"] for user in store.iam.list_users()["Users"]}


def _buckets(store: Store) -> set[str]:
    return {bucket["Name"] for bucket in store.s3.list_buckets()["Buckets"]}


def _notes(store: Store) -> set[tuple[str, str]]:
    pages = store.s3.get_paginator("list_objects_v2")
    return {
        (bucket, note["Key"])
        for bucket in _buckets(store) & set(_NOTES)
        for page in pages.paginate(Bucket=bucket)
        for note in page.get("Contents", [])
    }


@contextmanager
def made(target: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """A cloud of this kind without an environment yet."""
    if target == "aws":
        server: AwsServer = request.getfixturevalue("aws_server")
        yield aws_cloud(server.account(), folder)
        return
    store: Store = request.getfixturevalue("seaweed_store")
    with nothing_left(store):
        yield seaweed_cloud(target, store, folder)


@pytest.fixture(scope="module", params=CLOUDS)
def _deployed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with made(request.param, tmp_path_factory.mktemp("environments"), request) as cloud:
        with pytest.MonkeyPatch.context() as patch:
            cloud.use(patch)
            cloud.up()
        yield cloud


@pytest.fixture
def deployed(_deployed: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Each cloud in turn with an environment that is deployed once: for tests that change nothing in it."""
    _deployed.use(monkeypatch)
    return _deployed


@pytest.fixture(params=CLOUDS)
def cloud(request: pytest.FixtureRequest, environments: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Each cloud in turn, with an environment that is not deployed yet."""
    with made(request.param, environments, request) as cloud:
        cloud.use(monkeypatch)
        yield cloud


@pytest.fixture
def r2(environments: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Cloud]:
    with made("r2", environments, request) as cloud:
        cloud.use(monkeypatch)
        yield cloud


@pytest.fixture
def on_aws(aws_server: AwsServer, environments: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = aws_cloud(aws_server.account(), environments)
    cloud.use(monkeypatch)
    return cloud


@pytest.fixture
def admin_s3(cloud: Cloud) -> Any:
    """The S3 API of the cloud as its administrator sees it."""
    return cloud.admin.s3


@pytest.fixture
def delete_key(cloud: Cloud) -> Callable[[str], None]:
    """Deletes a key behind Pulumi's back."""
    client = cloud.admin.iam

    def delete(key_id: str) -> None:
        for user in client.list_users()["Users"]:
            for key in client.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]:
                if key["AccessKeyId"] == key_id:
                    client.delete_access_key(UserName=user["UserName"], AccessKeyId=key_id)

    return delete
