"""A copy of the project, and stacks in it that the real engine deploys."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import yaml
from botocore.exceptions import ClientError

from core.storage.settings import read_env_file
from infra.env.stack import SLOTS
from tests.conftest import REPO, Store

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

Config = dict[str, Any]

_COPIED = ("core", "infra", "__main__.py", "Pulumi.yaml")


@dataclass(frozen=True)
class Ran:
    """A command that ended."""

    code: int
    stdout: str
    output: str

    @property
    def ok(self) -> bool:
        return self.code == 0


@dataclass
class Project:
    """A copy of the project with a backend of its own. No run may show a secret or leave one in a file."""

    folder: Path
    store: Store
    #: Every secret that any stack ever had.
    secrets: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name in _COPIED:
            source, target = REPO / name, self.folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        self.environments.mkdir()
        self.state.mkdir()
        # Pulumi.yaml names `.venv`: here that is whatever these tests run in.
        (self.folder / ".venv").symlink_to(sys.prefix)
        self.secrets.add(self.store.secret_access_key)

    @property
    def environments(self) -> Path:
        return self.folder / "environments"

    @property
    def state(self) -> Path:
        return self.folder.with_name("state")

    @property
    def admin(self) -> dict[str, str]:
        return {
            "MPR_ADMIN_ACCESS_KEY_ID": self.store.access_key_id,
            "MPR_ADMIN_SECRET_ACCESS_KEY": self.store.secret_access_key,
        }

    def environ(self, extra: dict[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.folder.with_name("home")),
            "PULUMI_HOME": str(self.folder.with_name("home")),
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PULUMI_CONFIG_PASSPHRASE": "of this test alone",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # Python's own plugin is on PATH, and nothing else is needed: no network, then.
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
            **extra,
        }

    def run(
        self, command: list[str], extra: dict[str, str], *, shows_secrets: bool = False, typed: str = ""
    ) -> Ran:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ(extra),
            input=typed,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        output = done.stdout + done.stderr
        if not shows_secrets:
            self.hold_no_secret(output, " ".join(command))
        return Ran(done.returncode, done.stdout, output)

    def hold_no_secret(self, text: str, where: str) -> None:
        for file in self.environments.glob("*.env"):
            self.secrets.add(read_env_file(file).get("AWS_SECRET_ACCESS_KEY", self.store.secret_access_key))
        assert not [one for one in self.secrets if one in text], f"a secret in clear: {where}"

    def stack(self, name: str, config: Config) -> Stack:
        made = Stack(self, name, config, dict(self.admin))
        made.configure()
        done = self.run(["pulumi", "stack", "init", name, "--non-interactive"], {})
        assert done.ok, done.output
        return made

    def client(self, service: str) -> Any:
        return boto3.session.Session().client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.store.endpoint,
            region_name=self.store.region,
            aws_access_key_id=self.store.access_key_id,
            aws_secret_access_key=self.store.secret_access_key,
        )

    @cached_property
    def s3(self) -> S3Client:
        client: S3Client = self.client("s3")
        return client

    @cached_property
    def iam(self) -> IAMClient:
        client: IAMClient = self.client("iam")
        return client


@dataclass
class Stack:
    """One environment of the project."""

    project: Project
    name: str
    config: Config
    #: What every run has in its environment.
    admin: dict[str, str]

    @property
    def file(self) -> Path:
        return self.project.environments / f"Pulumi.{self.name}.yaml"

    def configure(self, **changes: object) -> None:
        """Change settings; what the engine itself keeps in the file stays."""
        self.config = self.config | changes
        content = yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        config = {
            "target": "s3-compatible",
            "endpoint": self.project.store.endpoint,
            "buckets": {"in": {"name": self.bucket("in")}, "out": {"name": self.bucket("out")}},
            **self.config,
        }
        there = content.get("config", {})
        kept = {name: one for name, one in there.items() if isinstance(one, dict) and "secure" in one}
        content["config"] = {f"mpr-storage:{name}": value for name, value in config.items()} | kept
        self.file.write_text(yaml.safe_dump(content))

    def keep_admin_keys(self) -> None:
        """Move the admin keys from the environment of every run into the stack's configuration."""
        names = {"ACCESS_KEY_ID": "adminAccessKeyId", "SECRET_ACCESS_KEY": "adminSecretAccessKey"}
        for name, key in names.items():
            value = self.admin.pop(f"MPR_ADMIN_{name}")
            command = self.command("config", "set", "--secret", f"mpr-storage:{key}")
            assert self.project.run(command, {}, typed=value).ok
        self.project.hold_no_secret(self.file.read_text(), str(self.file))

    def bucket(self, role: str) -> str:
        return f"engine-{self.name}-{role}"

    def user(self, identity: str = "app") -> str:
        return f"mpr-{self.name}-{identity}"

    def env_file(self, identity: str = "app") -> Path:
        name = f"{self.name}.env" if identity == "app" else f"{self.name}.{identity}.env"
        return self.project.environments / name

    def env(self, identity: str = "app") -> dict[str, str]:
        return read_env_file(self.env_file(identity))

    def command(self, *arguments: str) -> list[str]:
        return ["pulumi", *arguments, "--stack", self.name, "--non-interactive", "--color", "never"]

    def run(self, *arguments: str, shows_secrets: bool = False) -> Ran:
        return self.project.run(self.command(*arguments), self.admin, shows_secrets=shows_secrets)

    def do(self, *arguments: str, shows_secrets: bool = False) -> Ran:
        """Run a command that must succeed."""
        done = self.run(*arguments, shows_secrets=shows_secrets)
        assert done.ok, done.output
        return done

    def up(self, *arguments: str) -> Ran:
        return self.do("up", "--yes", "--skip-preview", *arguments)

    def interrupt(self, how: signal.Signals, *words: str, after: float = 0) -> str:
        """Start an update and interrupt it, as a terminal does, at the first line with all these words.

        Or some seconds after it: while the engine writes its state, killing it leaves an empty file.
        """
        with subprocess.Popen(
            self.command("up", "--yes", "--skip-preview"),
            cwd=self.project.folder,
            env=self.project.environ(self.admin),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout
            said = ""
            for line in process.stdout:
                said += line
                if all(word in line for word in words):
                    time.sleep(after)
                    os.killpg(process.pid, how)
                    break
            said += process.stdout.read()
        assert process.returncode != 0, said
        self.project.hold_no_secret(said, "an interrupted up")
        return said

    def refresh(self) -> Ran:
        return self.do("refresh", "--yes", "--skip-preview")

    def outputs(self) -> dict[str, Any]:
        answer = self.do("stack", "output", "--json", "--show-secrets", shows_secrets=True)
        outputs: dict[str, Any] = json.loads(answer.stdout)
        return outputs

    def variables(self) -> dict[str, Any]:
        """The outputs but for the one that says which key is where."""
        return {name: value for name, value in self.outputs().items() if name != SLOTS}

    def key_ids(self, identity: str = "app") -> list[str]:
        try:
            answer = self.project.iam.list_access_keys(UserName=self.user(identity))
        except ClientError:
            return []
        return [one["AccessKeyId"] for one in answer["AccessKeyMetadata"]]

    def expiry(self, role: str = "out") -> dict[str, int]:
        """Prefix to days, of the lifecycle rules that are in force."""
        rules: Any = self.project.s3.get_bucket_lifecycle_configuration(Bucket=self.bucket(role))["Rules"]
        return {one["Filter"]["Prefix"]: one["Expiration"]["Days"] for one in rules if "Expiration" in one}

    def left(self) -> set[str]:
        """What of this stack is on the store and in the folder."""
        buckets = {one["Name"] for one in self.project.s3.list_buckets()["Buckets"]}
        users = {one["UserName"] for one in self.project.iam.list_users()["Users"]}
        files = {one.name for one in self.project.environments.glob("*.env")}
        return {one for one in buckets | users | files if self.name in one}


def readable(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file under the folder with its content, as far as it is text."""
    for file in folder.rglob("*"):
        if file.is_file():
            yield file, file.read_bytes().decode(errors="replace")
