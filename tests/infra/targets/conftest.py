"""Each cloud in turn, as a double: the program runs to real buckets and keys without an engine."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from core.storage.settings import Settings, read_env_file
from infra import config as configuration
from infra import program
from infra.check import runner
from infra.check.runner import Finding
from infra.config import EnvironmentConfig
from infra.env import files
from tests.conftest import Store
from tests.doubles import aws as aws_double
from tests.doubles import gcp as gcp_double
from tests.doubles import r2 as r2_double
from tests.doubles.fixtures import Account, aws, aws_server
from tests.doubles.handler import Double
from tests.doubles.mocks import Deployed, State, deploy
from tests.infra.conftest import ALL

__all__ = ["aws", "aws_server"]

ACCOUNT = "0123456789abcdef0123456789abcdef"


@dataclass
class Cloud:
    """A target with its double, and one environment on it."""

    target: str
    double: Double
    #: Where the double's S3 API is, which env files of a real cloud do not say.
    endpoint: str
    values: dict[str, Any]
    folder: Path
    environment: str = field(default_factory=lambda: f"t{secrets.token_hex(4)}")
    state: State = field(default_factory=dict)

    def up(self, *, preview: bool = False, **changes: Any) -> Deployed:
        self.values |= changes
        config = {f"mpr-storage:{name}": value for name, value in self.values.items()}
        return deploy(
            program.main, [self.double], state=self.state, config=config, stack=self.environment, preview=preview
        )

    @property
    def config(self) -> EnvironmentConfig:
        return configuration.parse(self.environment, self.values, "test")

    def file(self, identity: str = "app") -> Path:
        return files.path(self.environment, identity)

    def env(self, identity: str = "app") -> dict[str, str]:
        return read_env_file(self.file(identity))

    def settings(self, identity: str = "app") -> Settings:
        """Those of the env file, but for the way to the double."""
        return replace(Settings.from_env(self.env(identity)), endpoint_url=self.endpoint)

    def check(self) -> list[Finding]:
        return list(runner.run(self.config, self.values))

    def bucket(self, role: str) -> str:
        return self.env()[f"S3_BUCKET_{role.upper()}"]


def redirect(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Have `check` go to the double."""
    read = runner._settings

    def redirected(config: EnvironmentConfig, file: Path) -> Settings:
        return replace(read(config, file), endpoint_url=endpoint)

    monkeypatch.setattr(runner, "_settings", redirected)


@pytest.fixture
def on_aws(aws: Account, environments: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    aws.use(monkeypatch)
    redirect(monkeypatch, aws.endpoint)
    values = {"target": "aws", "region": aws.region, "identities": list(ALL)}
    return Cloud("aws", aws_double.DOUBLE, aws.endpoint, values, environments)


def use_seaweed(seaweed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOUBLE_ENDPOINT", seaweed.endpoint)
    monkeypatch.setenv("DOUBLE_ACCESS_KEY_ID", seaweed.access_key_id)
    monkeypatch.setenv("DOUBLE_SECRET_ACCESS_KEY", seaweed.secret_access_key)
    redirect(monkeypatch, seaweed.endpoint)


@pytest.fixture
def on_gcp(seaweed: Store, environments: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    use_seaweed(seaweed, monkeypatch)
    monkeypatch.setenv("GOOGLE_CREDENTIALS", "{}")
    values = {"target": "gcp", "project": "acme-media", "location": "EU", "identities": list(ALL)}
    return Cloud("gcp", gcp_double.DOUBLE, seaweed.endpoint, values, environments)


@pytest.fixture
def on_r2(seaweed: Store, environments: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    use_seaweed(seaweed, monkeypatch)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "t" * 40)
    values = {"target": "r2", "account": ACCOUNT, "jurisdiction": "eu", "identities": list(ALL)}
    return Cloud("r2", r2_double.DOUBLE, seaweed.endpoint, values, environments)


@pytest.fixture(params=["aws", "gcp", "r2"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    made: Cloud = request.getfixturevalue(f"on_{request.param}")
    return made


@pytest.fixture
def admin_s3(cloud: Cloud, request: pytest.FixtureRequest) -> Any:
    """The S3 API of the cloud as its administrator sees it."""
    if cloud.target == "aws":
        return request.getfixturevalue("aws").s3
    return request.getfixturevalue("seaweed_store").s3


@pytest.fixture
def delete_key(cloud: Cloud, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Deletes a key behind Pulumi's back."""
    name = "aws" if cloud.target == "aws" else "seaweed_store"
    iam = request.getfixturevalue(name).iam

    def delete(key_id: str) -> None:
        for user in iam.list_users()["Users"]:
            for key in iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]:
                if key["AccessKeyId"] == key_id:
                    iam.delete_access_key(UserName=user["UserName"], AccessKeyId=key_id)

    return delete
