"""A copy of the project, and stacks in it that the real engine deploys."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from botocore.exceptions import ClientError

from core.storage.settings import read_env_file
from infra.env.outputs import IDENTITIES, KEY_SLOTS
from infra.errors import InfraError
from tests.botocore_models import share_models
from tests.conftest import REPO, Store
from tests.infra.conftest import remove_bucket

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
            timeout=240,  # the machine may be busy
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
        self.create(made)
        return made

    def create(self, stack: Stack) -> None:
        """Create the stack in the backend, without resources."""
        done = self.run(["pulumi", "stack", "init", stack.name, "--non-interactive"], {})
        assert done.ok, done.output

    @contextmanager
    def left_as_found(self) -> Iterator[None]:
        """Remove the users, buckets and files of stacks that the block leaves.

        SeaweedFS' IAM gets slower with each user: a user with a key takes 0.06 s at 50 users, 1 s at 200.
        """
        before = self.users(), self.buckets(), self.files()
        yield
        for user in self.users() - before[0]:
            self._delete_user(user)
        for bucket in self.buckets() - before[1]:
            self._delete_bucket(bucket)
        for file in self.files() - before[2]:
            file.unlink()

    def users(self) -> set[str]:
        return {user["UserName"] for user in self.iam.list_users()["Users"]}

    def buckets(self) -> set[str]:
        return {bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]}

    def files(self) -> set[Path]:
        """The files of all stacks: their configuration, env files and state."""
        folders = (self.environments, self.state / ".pulumi" / "stacks")
        return {file for folder in folders for file in folder.rglob("*") if file.is_file()}

    def _delete_bucket(self, bucket: str) -> None:
        try:
            remove_bucket(self.s3, bucket)
        except InfraError:
            # SeaweedFS 4.48 lists the delete markers of a bucket with suspended versioning, and deletes none.
            # The bucket itself can be deleted.
            self.s3.delete_bucket(Bucket=bucket)

    def _delete_user(self, user: str) -> None:
        for key in self.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
            self.iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
        for policy in self.iam.list_user_policies(UserName=user)["PolicyNames"]:
            self.iam.delete_user_policy(UserName=user, PolicyName=policy)
        self.iam.delete_user(UserName=user)

    def client(self, service: str) -> Any:
        share_models()
        return self.store.client(service)

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

    def interrupt(self, how: signal.Signals, *words: str, when: Callable[[], bool] | None = None) -> str:
        """Start an update and interrupt it, as a terminal does, at the first line with all these words.

        With `when`, interrupt it only once this is true: an engine that is killed while it writes its state leaves
        an empty file.
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
            output = ""
            for line in process.stdout:
                output += line
                if all(word in line for word in words):
                    while when and not when():
                        assert process.poll() is None, output
                        time.sleep(0.01)
                    os.killpg(process.pid, how)
                    break
            output += process.stdout.read()
        assert process.returncode != 0, output
        self.project.hold_no_secret(output, "an interrupted up")
        return output

    @property
    def state_file(self) -> Path:
        return self.project.state / ".pulumi" / "stacks" / "mpr-storage" / f"{self.name}.json"

    def is_creating_only(self, kind: str) -> bool:
        """Whether resources of this type, and no others, are being created according to the state."""
        try:
            deployment = json.loads(self.state_file.read_text())["checkpoint"]["latest"] or {}
        except ValueError:  # the engine is writing it
            return False
        pending = deployment.get("pending_operations") or []
        return bool(pending) and all(operation["resource"]["type"] == kind for operation in pending)

    def refresh(self) -> Ran:
        return self.do("refresh", "--yes", "--skip-preview")

    def outputs(self) -> dict[str, Any]:
        response = self.do("stack", "output", "--json", "--show-secrets", shows_secrets=True)
        outputs: dict[str, Any] = json.loads(response.stdout)
        return outputs

    def variables(self) -> dict[str, Any]:
        """The outputs but for those about all identities."""
        return {name: value for name, value in self.outputs().items() if name not in {IDENTITIES, KEY_SLOTS}}

    def key_ids(self, identity: str = "app") -> list[str]:
        try:
            response = self.project.iam.list_access_keys(UserName=self.user(identity))
        except ClientError:
            return []
        return [one["AccessKeyId"] for one in response["AccessKeyMetadata"]]

    def expiry(self, role: str = "out") -> dict[str, int]:
        """Prefix to days, of the lifecycle rules that are in force."""
        rules: Any = self.project.s3.get_bucket_lifecycle_configuration(Bucket=self.bucket(role))["Rules"]
        return {one["Filter"]["Prefix"]: one["Expiration"]["Days"] for one in rules if "Expiration" in one}

    def left(self) -> set[str]:
        """The buckets and users of this stack on the store, and its env files."""
        buckets = {name for name in self.project.buckets() if name.startswith(f"engine-{self.name}-")}
        users = {name for name in self.project.users() if name.startswith(f"mpr-{self.name}-")}
        return buckets | users | {file.name for file in self.project.environments.glob(f"{self.name}.*env")}


def readable(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file under the folder with its content, as far as it is text."""
    for file in folder.rglob("*"):
        if file.is_file():
            yield file, file.read_bytes().decode(errors="replace")


EXPIRE = {"prefix": "cache/", "days": 30}


@dataclass(frozen=True)
class Life:
    """A deployed stack, and the output of its first runs."""

    stack: Stack
    preview: Ran
    #: What existed of it after the preview and before the update.
    after_preview: set[str]
    up: Ran


def deploy_life(project: Project) -> Life:
    """Deploy a stack with most of what a configuration can have."""
    buckets = {
        "in": {"name": "engine-life-in"},
        "out": {"name": "engine-life-out", "expire": [EXPIRE], "corsOrigins": ["http://localhost:3000"]},
    }
    config = {"disposable": True, "identities": ["app", "ingest", "viewer"], "buckets": buckets}
    stack = project.stack("life", config)
    preview = stack.do("preview")
    after_preview = stack.left()
    return Life(stack, preview, after_preview, stack.up())
