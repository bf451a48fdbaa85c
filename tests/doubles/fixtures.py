"""Fixtures of the doubles. A conftest.py imports those that its tests use.

`aws_server` is one process for the run (of each xdist worker), however many conftests import the fixture; `aws` is
an account of the test's own in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import boto3
import pytest

from tests.botocore_models import share_models
from tests.conftest import REPO, stop
from tests.doubles.provider import executables

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

#: What condition keys say about the connection.
TLS, OLD_TLS, NO_TLS = "tls", "old_tls", "plain"


@dataclass(frozen=True)
class Keys:
    """Access keys of a user in an account."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


@dataclass(frozen=True)
class Account:
    """An account of the tests' AWS, seen with some keys: its administrator's, to begin with."""

    id: str
    endpoints: Mapping[str, str]
    region: str
    keys: Keys
    partition: str = "aws"

    @property
    def endpoint(self) -> str:
        return self.endpoints[TLS]

    @property
    def environ(self) -> dict[str, str]:
        """What a process has in its environment that works in this account: the real names, and the endpoint."""
        token = {"AWS_SESSION_TOKEN": self.keys.session_token} if self.keys.session_token else {}
        return {
            "AWS_ACCESS_KEY_ID": self.keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.keys.secret_access_key,
            "AWS_ENDPOINT_URL": self.endpoint,
            "DOUBLE_ENDPOINT": self.endpoint,
            **token,
        }

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have this process work in the account."""
        for name, value in self.environ.items():
            monkeypatch.setenv(name, value)

    def client(self, service: str, connection: str = TLS) -> Any:
        return boto3.session.Session().client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoints[connection],
            region_name=self.region,
            aws_access_key_id=self.keys.access_key_id,
            aws_secret_access_key=self.keys.secret_access_key,
            aws_session_token=self.keys.session_token,
        )

    @cached_property
    def s3(self) -> S3Client:
        client: S3Client = self.client("s3")
        return client

    @cached_property
    def iam(self) -> IAMClient:
        client: IAMClient = self.client("iam")
        return client

    def seen_by(self, keys: Keys) -> Account:
        """The same account with other keys."""
        return replace(self, keys=keys)

    def user(self, name: str, *statements: Mapping[str, Any], boundary: str | None = None) -> Account:
        """The account as a new user sees it who may do what the statements say."""
        bound: Any = {"PermissionsBoundary": boundary} if boundary else {}
        self.iam.create_user(UserName=name, **bound)
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.iam.put_user_policy(UserName=name, PolicyName="test", PolicyDocument=document)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return self.seen_by(Keys(key["AccessKeyId"], key["SecretAccessKey"]))

    def expired(self) -> Account:
        """The account seen with temporary keys whose time is over."""
        asked = {"account": self.id, "partition": self.partition, "region": self.region}
        return self.seen_by(Keys(**_ask(self.endpoints, "expired", asked)))


@dataclass(frozen=True)
class AwsServer:
    """The running process. Every account in it is its own world, but for the names of buckets."""

    endpoints: Mapping[str, str]

    def account(self, region: str = "eu-west-1", partition: str = "aws") -> Account:
        """A new account."""
        made = _ask(self.endpoints, "account", {"partition": partition, "region": region})
        return Account(made.pop("id"), self.endpoints, region, Keys(**made), partition)


def _ask(endpoints: Mapping[str, str], what: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    with urllib.request.urlopen(f"{endpoints[TLS]}/double/{what}?{urlencode(parameters)}", timeout=10) as response:
        found: dict[str, Any] = json.load(response)
    return found


_RUNNING = pytest.StashKey[AwsServer]()
_PLUGINS = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def aws_server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> AwsServer:
    """The server. pytest runs an imported fixture once for each conftest: the stash has the one that runs."""
    if _RUNNING not in pytestconfig.stash:
        share_models()
        stack = ExitStack()
        pytestconfig.add_cleanup(stack.close)
        log = tmp_path_factory.mktemp("aws") / "server.log"
        pytestconfig.stash[_RUNNING] = stack.enter_context(_aws_server(log))
    return pytestconfig.stash[_RUNNING]


@contextmanager
def _aws_server(log: Path) -> Iterator[AwsServer]:
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.doubles.aws_server"],
            cwd=REPO,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the tests' AWS did not start:\n{log.read_text(errors='replace')[-2000:]}"
        yield AwsServer(json.loads(line))
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        stop(process)


@pytest.fixture
def aws(aws_server: AwsServer) -> Account:
    """An account in eu-west-1 that no other test has, seen by its administrator."""
    return aws_server.account()


@pytest.fixture(scope="session")
def plugins(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pulumi` and the doubles as the provider plugins that it starts; it goes first on PATH."""
    if _PLUGINS not in pytestconfig.stash:
        modules = {"aws": "tests.doubles.aws", "gcp": "tests.doubles.gcp", "cloudflare": "tests.doubles.r2"}
        pytestconfig.stash[_PLUGINS] = executables(tmp_path_factory.mktemp("plugins"), **modules)
    return pytestconfig.stash[_PLUGINS]
