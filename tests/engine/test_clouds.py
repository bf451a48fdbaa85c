"""Each cloud under the real engine, with the doubles of the providers on PATH."""

from __future__ import annotations

import json
import os
import shutil
import signal
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
from infra import config as configuration
from infra import features as known
from infra.check import runner, settle
from infra.identities import RIGHTS
from tests.conftest import Store
from tests.doubles.fixtures import Account, aws_server, plugins
from tests.doubles.fixtures import AwsServer as Server
from tests.doubles.provider import HELD
from tests.engine.support import Project, Stack, readable
from tests.infra.conftest import ALL

__all__ = ["aws_server", "plugins"]

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="needs the `pulumi` command on PATH"),
    pytest.mark.timeout(300),
]

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


@pytest.fixture
def account(aws_server: Server) -> Account:
    return aws_server.account()


Make = Callable[..., CloudStack]


@pytest.fixture
def make(
    project: Project, plugins: Path, seaweed: Store, account: Account, monkeypatch: pytest.MonkeyPatch
) -> Make:
    """Makes a stack on a cloud, with the doubles first on PATH."""
    monkeypatch.setenv("PATH", f"{plugins}:{os.environ['PATH']}")
    token = "t" * 40
    project.secrets |= {account.keys.secret_access_key, token}
    on_seaweed = {
        "DOUBLE_ENDPOINT": seaweed.endpoint,
        "DOUBLE_ACCESS_KEY_ID": seaweed.access_key_id,
        "DOUBLE_SECRET_ACCESS_KEY": seaweed.secret_access_key,
        "GOOGLE_CREDENTIALS": "{}",
        "CLOUDFLARE_API_TOKEN": token,
    }

    def stack(target: str, name: str, **config: object) -> CloudStack:
        cloud: Any = account if target == "aws" else project
        environ = account.environ if target == "aws" else on_seaweed
        endpoint = account.endpoint if target == "aws" else seaweed.endpoint
        made = CloudStack(project, name, TARGETS[target] | config, dict(environ), endpoint, cloud.s3, cloud.iam)
        made.configure()
        done = project.run(["pulumi", "stack", "init", name, "--non-interactive"], {})
        assert done.ok, done.output
        return made

    return stack


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
    monkeypatch.setattr(configuration, "ENVIRONMENTS", stack.project.environments)
    monkeypatch.setattr(runner, "_settings", lambda _, file: stack.of_file(file))
    findings = list(runner.run(configuration.load(stack.name), {}))
    assert {one.identity for one in findings} == set(ALL)
    assert [str(one) for one in findings if one.surprise] == []


@pytest.mark.parametrize("target", TARGETS)
def test_the_life_of_an_environment(target, make: Make, project: Project, tmp_path, monkeypatch):
    stack = make(target, f"{target}-life", identities=list(ALL), buckets={"in": {"corsOrigins": ORIGINS}})
    stack.do("preview", "--diff")
    assert not stack.env_file().exists()
    stack.do("up", "--yes", "--logtostderr", "--logflow", "-v=3")
    stack.learn_secrets()
    for identity in ALL:
        works(stack, tmp_path, identity)
    proven(stack, monkeypatch)
    stack.do("preview", "--expect-no-changes")
    outputs = stack.outputs()
    assert {name: outputs[name] for name in stack.env()} == stack.env()
    assert {name: outputs["viewer"][name] for name in stack.env("viewer")} == stack.env("viewer")

    rules = stack.s3.get_bucket_lifecycle_configuration(Bucket=stack.bucket("in"))["Rules"]
    stack.s3.delete_bucket_lifecycle(Bucket=stack.bucket("in"))
    before = stack.delete_key()
    stack.do("refresh", "--yes", "--diff")
    stack.do("up", "--yes", "--diff")
    stack.learn_secrets()
    assert stack.s3.get_bucket_lifecycle_configuration(Bucket=stack.bucket("in"))["Rules"] == rules
    assert stack.env()["AWS_ACCESS_KEY_ID"] != before
    works(stack, tmp_path)
    stack.do("preview", "--expect-no-changes")

    stack.s3.put_object(Bucket=stack.bucket("in"), Key="precious.mp4", Body=b"x")
    refused = stack.run("destroy", "--yes")
    assert not refused.ok
    assert "protect" in refused.output
    stack.s3.head_object(Bucket=stack.bucket("in"), Key="precious.mp4")
    works(stack, tmp_path)
    stack.do("stack", "--show-urns")
    stack.do("stack", "export")
    for file, text in readable(project.folder.parent):
        if file.suffix != ".env":
            project.hold_no_secret(text, str(file))


@pytest.mark.parametrize("target", TARGETS)
def test_keys_rotate_by_plain_updates(target, make: Make, tmp_path):
    """Each step is configuration: whoever runs `pulumi up` next takes it on."""
    stack = make(target, f"{target}-turn", disposable=True)
    stack.up()
    old = stack.settings()
    steps = [{"current": "a", "step": "start"}, {"current": "b", "step": "switch"}]
    if known.TARGETS[target].switches_off:
        steps += [{"current": "b", "step": "retire"}, {"current": "b", "step": "switch"}]
    for step in steps:
        stack.configure(slots={"app": step})
        stack.up()
        stack.learn_secrets()
        assert _accepted(old, stack) is (step["step"] != "retire")
        works(stack, tmp_path)
        stack.do("preview", "--expect-no-changes")
    assert stack.outputs()["keySlots"]["app"]["slot"] == "b"
    stack.configure(slots={"app": {"current": "b"}})
    stack.up()
    assert not _accepted(old, stack)
    works(stack, tmp_path)
    stack.do("preview", "--expect-no-changes")
    assert [one.name for one in stack.project.environments.glob(f"{stack.name}*.env")] == [f"{stack.name}.env"]


def _accepted(settings: Settings, stack: CloudStack) -> bool:
    try:
        get_s3_client(settings).list_objects_v2(Bucket=stack.bucket("out"))
    except ClientError:
        return False
    return True


@pytest.mark.parametrize("target", TARGETS)
def test_a_disposable_environment_goes_without_a_trace(target, make: Make):
    stack = make(target, f"{target}-brief", disposable=True)
    stack.up()
    stack.delete_key()
    stack.refresh()
    stack.up()
    names = [stack.bucket("in"), stack.bucket("out")]
    stack.do("destroy", "--yes", "--skip-preview")
    assert not {one["Name"] for one in stack.s3.list_buckets()["Buckets"]} & set(names)
    assert not [one for one in stack.iam.list_users()["Users"] if stack.name in one["UserName"]]


@pytest.mark.parametrize("target", TARGETS)
def test_cors_that_is_no_longer_wanted_goes_from_a_protected_bucket(target, make: Make):
    stack = make(target, f"{target}-cors", buckets={"out": {"corsOrigins": ORIGINS}})
    stack.up()
    rules = stack.s3.get_bucket_cors(Bucket=stack.bucket("out"))["CORSRules"]
    assert [one["AllowedOrigins"] for one in rules] == [ORIGINS]
    stack.configure(buckets={})
    stack.up()
    with pytest.raises(stack.s3.exceptions.ClientError, match="NoSuchCORSConfiguration"):
        stack.s3.get_bucket_cors(Bucket=stack.bucket("out"))


def test_versions_that_are_no_longer_asked_for_are_kept(make: Make):
    stack = make("aws", "aws-versions", buckets={"out": {"versioning": True}})
    stack.up()
    stack.configure(buckets={})
    stack.up()
    assert stack.s3.get_bucket_versioning(Bucket=stack.bucket("out"))["Status"] == "Enabled"


@pytest.mark.parametrize("target", TARGETS)
def test_buckets_that_there_are_are_adopted_in_one_update(target, make: Make, account: Account, tmp_path):
    names = {role: f"studio-{account.id}-{target}-{role}" for role in ("in", "out")}
    buckets: Any = {role: {"name": name} for role, name in names.items()}
    stack = make(target, f"{target}-adopt", buckets=buckets)
    place = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}} if target == "aws" else {}
    for name in names.values():
        stack.s3.create_bucket(Bucket=name, **place)
    stack.s3.put_object(Bucket=names["in"], Key="precious.mp4", Body=b"x")
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert "set `mpr-storage:adopt: true`" in refused.output
    stack.configure(adopt=True)
    stack.up()
    stack.do("preview", "--expect-no-changes")
    works(stack, tmp_path)
    assert stack.run("destroy", "--yes").code != 0
    stack.s3.head_object(Bucket=names["in"], Key="precious.mp4")


def test_a_name_of_somebody_else_is_refused_in_words(make: Make, account: Account, aws_server: Server, tmp_path):
    other = aws_server.account()
    taken = f"taken-{other.id}"
    other.s3.create_bucket(Bucket=taken, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    stack = make("aws", "aws-taken", buckets={"in": {"name": taken}})
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert "the bucket name belongs to somebody else" in refused.output
    stack.configure(buckets={})
    stack.up()  # what was made before the refusal is used
    works(stack, tmp_path)


def test_a_user_with_two_keys_is_refused_in_words(make: Make):
    stack = make("aws", "aws-keys")
    stack.up()
    user = "mpr-aws-keys-app"
    stack.delete_key()
    for _ in range(2):
        stack.iam.create_access_key(UserName=user)
    stack.refresh()
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert "two access keys already" in refused.output
    assert len(stack.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]) == 2


@pytest.mark.parametrize(
    ("target", "variables", "said"),
    [
        ("gcp", {"GOOGLE_CREDENTIALS": ""}, "there are no Google Cloud credentials"),
        ("gcp", {"GOOGLE_CREDENTIALS": "expired"}, "have expired: log in again"),
        ("r2", {"CLOUDFLARE_API_TOKEN": ""}, "there is no Cloudflare API token"),
        ("r2", {"CLOUDFLARE_API_TOKEN": "r" * 40}, "does not take the API token"),
        # The provider's own sentence: it tries the credentials before the program gets to ask anything.
        ("aws", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "No valid credential sources found"),
    ],
    ids=["gcp-none", "gcp-expired", "r2-none", "r2-refused", "aws-none"],
)
def test_credentials_that_do_not_do_are_told(target, variables, said, make: Make, request):
    stack = make(target, f"bad-{request.node.callspec.id}")
    stack.admin.update(variables)
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert said in " ".join(refused.output.split())
    assert "Traceback" not in refused.output
    assert not stack.env_file().exists()


def test_expired_credentials_of_aws_are_told(make: Make, account: Account):
    stack = make("aws", "aws-expired")
    stack.admin.update(account.expired().environ)
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert "The configured AWS credentials are invalid or have expired. Please see" in " ".join(
        refused.output.split()
    )
    assert "Traceback" not in refused.output


@pytest.mark.parametrize("target", TARGETS)
def test_an_update_killed_between_bucket_and_key_is_completed_by_the_next(
    target, make: Make, project: Project, tmp_path
):
    stack = make(target, f"{target}-killed")
    stack.admin[HELD] = KEY_TYPES[target]
    stack.interrupt(signal.SIGKILL, KEY_TYPES[target].rpartition(":")[2], "creating", after=1)
    assert not stack.env_file().exists()
    del stack.admin[HELD]
    project.run(["pulumi", "cancel", "--yes", stack.name], {})
    stack.up()
    stack.do("preview", "--expect-no-changes")
    works(stack, tmp_path)
