"""Stacks on the clouds, deployed by the real engine with the doubles of the providers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from core.storage import get_s3_client, list_objects, temporary_download, upload_file
from core.storage.settings import Settings, read_env_file
from infra.check import runner, settle
from infra.config import stack_files
from infra.config.identities import RIGHTS
from infra.config.load import load_environment
from tests.conftest import Store
from tests.doubles.fixtures import Account
from tests.engine.support import Project, Stack
from tests.infra.conftest import ALL

ORIGINS = ["https://media.example"]
TARGETS: dict[str, dict[str, Any]] = {
    "aws": {"target": "aws", "region": "eu-west-1", "tags": {"team": "media"}},
    "gcp": {"target": "gcp", "project": "acme-media", "location": "EU"},
    "r2": {"target": "r2", "account": "0123456789abcdef0123456789abcdef"},
}
KEY_TYPES = {
    "aws": "aws:iam/accessKey:AccessKey",
    "gcp": "gcp:storage/hmacKey:HmacKey",
    "r2": "cloudflare:index/accountToken:AccountToken",
}


@dataclass
class CloudStack(Stack):
    """A stack on a cloud: nothing of a store in its configuration."""

    #: Where the double's S3 API is, which env files of a real cloud do not say.
    endpoint: str = ""
    #: The cloud as its administrator sees it.
    s3: Any = None
    iam: Any = None

    def configure(self, **changes: object) -> None:
        self.config = self.config | changes
        content = yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        content["config"] = {f"mpr-storage:{name}": value for name, value in self.config.items()}
        self.file.write_text(yaml.safe_dump(content))

    def settings(self, identity: str = "app") -> Settings:
        """Those of the env file, but for the way to the double."""
        return self.of_file(self.env_file(identity))

    def of_file(self, file: Path) -> Settings:
        return replace(Settings.from_env(read_env_file(file)), endpoint_url=self.endpoint)

    def bucket(self, role: str) -> str:
        return self.env()[f"S3_BUCKET_{role.upper()}"]

    def delete_key(self) -> str:
        """Delete the key of `app` behind the engine's back."""
        key = self.env()["AWS_ACCESS_KEY_ID"]
        users = [one["UserName"] for one in self.iam.list_users()["Users"]]
        for user in users:
            if key in [
                one["AccessKeyId"] for one in self.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
            ]:
                self.iam.delete_access_key(UserName=user, AccessKeyId=key)
        return key

    def learn_secrets(self) -> None:
        """Every secret that the state holds is one that nothing may show from now on."""
        exported = self.do("stack", "export", "--show-secrets", shows_secrets=True).stdout
        shown = {self.env(one).get("AWS_ACCESS_KEY_ID") for one in ALL if self.env_file(one).exists()}
        self.project.secrets |= {
            one for one in _plaintexts(json.loads(exported)) if len(one) >= 16 and one not in shown
        }


def _plaintexts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(text := value.get("plaintext"), str):
            found = json.loads(text)
            yield from _leaves(found)
        for one in value.values():
            yield from _plaintexts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _plaintexts(one)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)


Make = Callable[..., CloudStack]


@dataclass(frozen=True)
class Clouds:
    """Creates stacks on the clouds: on AWS in one account, on the others with users of SeaweedFS."""

    project: Project
    plugins: Path
    store: Store
    account: Account

    def stack(self, target: str, name: str, **config: object) -> CloudStack:
        """Create a stack whose every run has the doubles first on PATH."""
        made = self.planned(target, name, **config)
        made.configure()
        self.project.create(made)
        return made

    def planned(self, target: str, name: str, **config: object) -> CloudStack:
        """Return such a stack, which neither has a file nor is in the backend."""
        token = "t" * 40
        self.project.secrets |= {self.account.keys.secret_access_key, token}
        on_seaweed = {
            "DOUBLE_ENDPOINT": self.store.endpoint,
            "DOUBLE_ACCESS_KEY_ID": self.store.access_key_id,
            "DOUBLE_SECRET_ACCESS_KEY": self.store.secret_access_key,
            "GOOGLE_CREDENTIALS": "{}",
            "CLOUDFLARE_API_TOKEN": token,
        }
        on_aws = target == "aws"
        cloud: Any = self.account if on_aws else self.project
        environ = {"PATH": f"{self.plugins}{os.pathsep}{os.environ['PATH']}"}
        environ |= self.account.environ if on_aws else on_seaweed
        endpoint = self.account.endpoint if on_aws else self.store.endpoint
        return CloudStack(self.project, name, TARGETS[target] | config, environ, endpoint, cloud.s3, cloud.iam)


def works(stack: CloudStack, folder: Path, identity: str = "app") -> None:
    """What the identity may do, done with the library and nothing but its env file."""
    rights = RIGHTS[identity]
    for role, of_bucket in rights.items():
        bucket = stack.settings(identity).bucket(role)
        source = folder / "frame.jpg"
        source.write_bytes(os.urandom(1000))
        if "write" in of_bucket:
            with using(stack, identity):
                upload_file(source, bucket, "probe/frame.jpg")
        else:
            stack.s3.put_object(Bucket=bucket, Key="probe/frame.jpg", Body=source.read_bytes())
        with using(stack, identity):
            assert [one.key for one in list_objects(bucket, "probe/")] == ["probe/frame.jpg"]
            with temporary_download(bucket, "probe/frame.jpg") as path:
                assert path.read_bytes() == source.read_bytes()
        stack.s3.delete_object(Bucket=bucket, Key="probe/frame.jpg")


@contextmanager
def using(stack: CloudStack, identity: str) -> Iterator[None]:
    """The environment of an application that has the env file, on the way to the double."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("S3_ENV_FILE", str(stack.env_file(identity)))
        patch.setenv("S3_ENDPOINT_URL", stack.endpoint)
        yield


def proven(stack: CloudStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m infra check`, but for the way to the double."""
    monkeypatch.setattr(settle, "_PAUSE", 0.01)
    monkeypatch.setattr(stack_files, "ENVIRONMENTS", stack.project.environments)
    monkeypatch.setattr(runner, "with_keys", lambda settings, _: replace(settings, endpoint_url=stack.endpoint))
    findings = list(runner.run(load_environment(stack.name)))
    assert {one.identity for one in findings} == set(ALL)
    assert [str(one) for one in findings if one.failed] == []


def accepted(settings: Settings, stack: CloudStack) -> bool:
    """Whether the cloud accepts the keys."""
    try:
        get_s3_client(settings).list_objects_v2(Bucket=settings.bucket("out"))
    except ClientError:
        return False
    return True
