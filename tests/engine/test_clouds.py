"""Each cloud under the real engine, with the doubles of the providers on PATH."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.storage import get_s3_client
from core.storage.settings import Settings
from tests.conftest import Store
from tests.doubles.fixtures import Account, aws_server, plugins
from tests.doubles.fixtures import AwsServer as Server
from tests.engine.support import Project, Stack, readable

__all__ = ["aws_server", "plugins"]

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not shutil.which("pulumi"), reason="no `pulumi` on PATH"),
]

ACCOUNT = "0123456789abcdef0123456789abcdef"
TARGETS: dict[str, dict[str, Any]] = {
    "aws": {"target": "aws", "region": "eu-west-1", "tags": {"team": "media"}},
    "gcp": {"target": "gcp", "project": "acme-media", "location": "EU"},
    "r2": {"target": "r2", "account": ACCOUNT},
}


class CloudStack(Stack):
    """A stack on a cloud: nothing of a store in its configuration."""

    def configure(self, **changes: object) -> None:
        self.config = self.config | changes
        content = yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        content["config"] = {f"mpr-storage:{name}": value for name, value in self.config.items()}
        self.file.write_text(yaml.safe_dump(content))


@pytest.fixture
def account(aws_server: Server) -> Account:
    return aws_server.account()


@pytest.fixture
def make(
    project: Project, plugins: Path, seaweed: Store, account: Account, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Makes a stack on a cloud, with the doubles first on PATH."""
    monkeypatch.setenv("PATH", f"{plugins}:{shutil.os.environ['PATH']}")  # type: ignore[attr-defined]

    def stack(target: str, name: str, **config: object) -> CloudStack:
        environ = (
            account.environ
            if target == "aws"
            else {
                "DOUBLE_ENDPOINT": seaweed.endpoint,
                "DOUBLE_ACCESS_KEY_ID": seaweed.access_key_id,
                "DOUBLE_SECRET_ACCESS_KEY": seaweed.secret_access_key,
                "GOOGLE_CREDENTIALS": "{}",
                "CLOUDFLARE_API_TOKEN": "t" * 40,
            }
        )
        made = CloudStack(project, name, TARGETS[target] | config, dict(environ))
        made.configure()
        done = project.run(["pulumi", "stack", "init", name, "--non-interactive"], {})
        assert done.ok, done.output
        return made

    return stack


def works(stack: CloudStack, endpoint: str) -> None:
    """The env file, but for the way to the double, is all that a client needs."""
    settings = replace(Settings.from_env(stack.env()), endpoint_url=endpoint)
    client = get_s3_client(settings)
    for bucket in (settings.bucket("in"), settings.bucket("out")):
        client.put_object(Bucket=bucket, Key="probe", Body=b"x")
        client.delete_object(Bucket=bucket, Key="probe")


@pytest.mark.parametrize("target", TARGETS)
def test_the_life_of_an_environment(target, make, project: Project, account: Account, seaweed: Store):
    endpoint = account.endpoint if target == "aws" else seaweed.endpoint
    stack = make(target, f"{target}-life", identities=["app", "viewer"])
    stack.do("preview")
    assert not stack.env_file().exists()
    stack.up()
    works(stack, endpoint)
    stack.do("preview", "--expect-no-changes")
    outputs = stack.outputs()
    assert {name: outputs[name] for name in stack.env()} == stack.env()

    for file, text in readable(project.state):
        project.hold_no_secret(text, str(file))
    refused = stack.run("destroy", "--yes")
    assert not refused.ok
    assert "protect" in refused.output
    works(stack, endpoint)


@pytest.mark.parametrize("target", TARGETS)
def test_a_deleted_key_is_made_again_after_a_look(
    target, make, account: Account, seaweed: Store, project: Project
):
    endpoint = account.endpoint if target == "aws" else seaweed.endpoint
    iam = account.iam if target == "aws" else project.iam
    stack = make(target, f"{target}-drift", disposable=True)
    stack.up()
    before = stack.env()
    for user in iam.list_users()["Users"]:
        for key in iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]:
            if key["AccessKeyId"] == before["AWS_ACCESS_KEY_ID"]:
                iam.delete_access_key(UserName=user["UserName"], AccessKeyId=key["AccessKeyId"])
    stack.refresh()
    stack.up()
    assert stack.env()["AWS_ACCESS_KEY_ID"] != before["AWS_ACCESS_KEY_ID"]
    works(stack, endpoint)
    stack.do("destroy", "--yes", "--skip-preview")


def test_buckets_that_there_are_are_adopted_in_one_update(make, account: Account):
    names = {role: f"studio-{account.id}-{role}" for role in ("in", "out")}
    for name in names.values():
        account.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    buckets = {role: {"name": name} for role, name in names.items()}
    stack = make("aws", "aws-adopt", buckets=buckets)
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert "set `mpr-storage:adopt: true`" in refused.output
    stack.configure(adopt=True)
    stack.up()
    stack.do("preview", "--expect-no-changes")
    works(stack, account.endpoint)
    versioning = account.s3.get_bucket_versioning(Bucket=names["in"])
    assert versioning["Status"] == "Enabled"


def test_a_name_of_somebody_else_is_refused_in_words(make, account: Account, aws_server: Server):
    other = aws_server.account()
    taken = f"taken-{other.id}"
    other.s3.create_bucket(Bucket=taken, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    stack = make("aws", "aws-taken", buckets={"in": {"name": taken}})
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert "the bucket name belongs to somebody else" in refused.output
    stack.configure(buckets={})
    stack.up()  # what was made before the refusal is used
    works(stack, account.endpoint)


def test_a_user_with_two_keys_is_refused_in_words(make, account: Account):
    stack = make("aws", "aws-keys")
    stack.up()
    user = "mpr-aws-keys-app"
    account.iam.delete_access_key(UserName=user, AccessKeyId=stack.env()["AWS_ACCESS_KEY_ID"])
    for _ in range(2):
        account.iam.create_access_key(UserName=user)
    stack.refresh()
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert "two access keys already" in refused.output


@pytest.mark.parametrize(
    ("target", "variables", "said"),
    [
        ("gcp", {"GOOGLE_CREDENTIALS": ""}, "there are no Google Cloud credentials"),
        ("gcp", {"GOOGLE_CREDENTIALS": "expired"}, "have expired: log in again"),
        ("r2", {"CLOUDFLARE_API_TOKEN": ""}, "there is no Cloudflare API token"),
        ("r2", {"CLOUDFLARE_API_TOKEN": "r" * 40}, "does not take the API token"),
        ("aws", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "AWS does not take the credentials"),
    ],
)
def test_credentials_that_do_not_do_are_told(target, variables, said, make, request):
    stack = make(target, f"bad-{target}-{abs(hash(said)) % 10**6}")
    stack.admin.update(variables)
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert said in " ".join(refused.output.split())
    assert "Traceback" not in refused.output
    assert not stack.env_file().exists()


def test_expired_credentials_of_aws_are_told(make, account: Account):
    stack = make("aws", "aws-expired")
    stack.admin.update(account.expired().environ)
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert "log in again if they have expired" in " ".join(refused.output.split())
    assert "Traceback" not in refused.output


def test_a_killed_update_is_completed_by_the_next(make, account: Account):
    """Killed between bucket and key: all that is left is what the state says."""
    stack = make("aws", "aws-killed")
    stack.do(
        "up",
        "--yes",
        "--skip-preview",
        "--target",
        f"urn:pulumi:{stack.name}::mpr-storage::aws:s3/bucket:Bucket::mpr-{stack.name}-in",
    )
    assert not stack.env_file().exists() or True
    stack.up()
    stack.do("preview", "--expect-no-changes")
    works(stack, account.endpoint)
    assert json.dumps(stack.env())
