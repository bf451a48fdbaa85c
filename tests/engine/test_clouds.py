"""Each cloud under the real engine, with the doubles of the providers on PATH.

What the doubles prove without an engine is in tests/infra/targets. Here is what only the engine does: plugins, the
state and its secrets, deletions of what left the program, protection, hooks, and updates that were killed.
"""

from __future__ import annotations

import signal
import sys

import pytest

from infra.targets.registry import TARGETS as SPECS
from tests.doubles.fixtures import AwsServer
from tests.doubles.provider import HELD
from tests.engine.clouds import KEY_TYPES, ORIGINS, TARGETS, Make, accepted, proven, works
from tests.engine.support import Project, readable
from tests.infra.conftest import ALL


@pytest.mark.parametrize("target", TARGETS)
def test_an_environment_is_deployed_changed_and_repaired_and_its_data_is_protected(
    target, make: Make, project: Project, tmp_path, monkeypatch
):
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

    # Drift, and CORS that is no longer configured, which is a resource of its own on AWS and R2.
    bucket = stack.bucket("in")
    (cors,) = stack.s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert cors["AllowedOrigins"] == ORIGINS
    rules = stack.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    stack.s3.delete_bucket_lifecycle(Bucket=bucket)
    before = stack.delete_key()
    stack.configure(buckets={})
    stack.do("up", "--yes", "--refresh", "--diff")
    stack.learn_secrets()
    assert stack.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    with pytest.raises(stack.s3.exceptions.ClientError, match="NoSuchCORSConfiguration"):
        stack.s3.get_bucket_cors(Bucket=bucket)
    assert stack.env()["AWS_ACCESS_KEY_ID"] != before
    works(stack, tmp_path)
    stack.do("preview", "--expect-no-changes")

    stack.s3.put_object(Bucket=bucket, Key="precious.mp4", Body=b"x")
    refused = stack.run("destroy", "--yes")
    assert not refused.ok
    assert "protect" in refused.output
    stack.s3.head_object(Bucket=bucket, Key="precious.mp4")
    works(stack, tmp_path)
    stack.do("stack", "--show-urns")
    stack.do("stack", "export")
    for file, text in readable(project.folder.parent):
        if file.suffix != ".env":
            project.hold_no_secret(text, str(file))


def test_keys_rotate_by_plain_updates(make: Make, tmp_path):
    """Each step is configuration: any user who runs `pulumi up` next continues the rotation."""
    stack = make("aws", "aws-turn", disposable=True)
    stack.up()
    old = stack.settings()
    assert SPECS["aws"].deactivates_keys
    for step in (
        {"current": "a", "step": "start"},
        {"current": "b", "step": "switch"},
        {"current": "b", "step": "retire"},
    ):
        stack.configure(slots={"app": step})
        stack.up()
        stack.learn_secrets()
        assert accepted(old, stack) is (step["step"] != "retire")
        works(stack, tmp_path)
    assert stack.outputs()["keySlots"]["app"]["slot"] == "b"
    stack.configure(slots={"app": {"current": "b"}})
    stack.up()
    assert not accepted(old, stack)
    works(stack, tmp_path)
    stack.do("preview", "--expect-no-changes")
    assert [file.name for file in stack.project.environments.glob(f"{stack.name}*.env")] == [f"{stack.name}.env"]


def test_a_disposable_environment_is_destroyed_without_a_trace(make: Make):
    stack = make("aws", "aws-brief", disposable=True)
    stack.up()
    stack.delete_key()
    stack.up("--refresh")
    names = [stack.bucket("in"), stack.bucket("out")]
    assert stack.env_file().exists()
    stack.do("destroy", "--yes", "--skip-preview")
    assert not stack.env_file().exists()
    assert not {bucket["Name"] for bucket in stack.s3.list_buckets()["Buckets"]} & set(names)
    assert not [user for user in stack.iam.list_users()["Users"] if stack.name in user["UserName"]]


@pytest.mark.parametrize("target", TARGETS)
def test_a_bucket_of_a_disposable_environment_is_not_renamed_because_it_would_be_deleted(target, make: Make):
    names = {role: {"name": f"{target}-renamed-{role}"} for role in ("in", "out")}
    stack = make(target, f"{target}-renames", disposable=True, buckets=names)
    stack.up()
    bucket = stack.bucket("in")
    stack.s3.put_object(Bucket=bucket, Key="precious.mp4", Body=b"x")
    stack.configure(buckets=names | {"in": {"name": f"{target}-another-in"}})
    for command in ("preview", "up"):
        refused = stack.run(command, "--yes") if command == "up" else stack.run(command)
        assert not refused.ok
        assert f"the bucket {bucket} would be deleted with its objects" in " ".join(refused.output.split())
    stack.s3.head_object(Bucket=bucket, Key="precious.mp4")
    stack.configure(buckets=names)
    stack.do("preview", "--expect-no-changes")


def test_an_env_file_that_holds_another_key_outlives_the_destruction(make: Make):
    stack = make("aws", "aws-other", disposable=True)
    stack.up()
    text = stack.env_file().read_text()
    other = text.replace(stack.env()["AWS_ACCESS_KEY_ID"], "AKIAIOSFODNN7EXAMPLE")
    stack.env_file().write_text(other)
    stack.do("destroy", "--yes", "--skip-preview")
    assert stack.env_file().read_text() == other


@pytest.mark.parametrize("target", TARGETS)
def test_an_adopted_bucket_stays_so_when_the_configuration_changes(target, make: Make):
    names = [f"{target}-adopted-{role}" for role in ("in", "out")]
    stack = make(
        target,
        f"{target}-adopts",
        buckets={role: {"name": name} for role, name in zip(("in", "out"), names, strict=True)},
    )
    for name in names:
        region = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}} if target == "aws" else {}
        stack.s3.create_bucket(Bucket=name, **region)
        stack.s3.put_object(Bucket=name, Key="precious", Body=b"x")
    stack.configure(adopt=True)
    stack.up()
    stack.configure(adopt=False)
    stack.do("preview", "--expect-no-changes")
    stack.configure(disposable=True)
    stack.up()
    stack.do("destroy", "--yes", "--skip-preview")
    for name in names:
        stack.s3.head_object(Bucket=name, Key="precious")


def test_an_environment_that_is_not_disposable_ends_without_its_buckets(make: Make, project: Project):
    stack = make("aws", "aws-ended")
    stack.up()
    old, buckets = stack.settings(), [stack.bucket("in"), stack.bucket("out")]
    stack.s3.put_object(Bucket=buckets[0], Key="precious", Body=b"x")
    command = [sys.executable, "-m", "infra", "down", "--delete", "--keep-buckets", "--yes", stack.name]
    ended = project.run(command, stack.admin)
    assert ended.ok, ended.output
    assert f"bucket {buckets[0]} stays" in ended.output
    assert not stack.env_file().exists()
    assert not accepted(old, stack)
    assert stack.name not in project.run(["pulumi", "stack", "ls"], {}).output
    stack.s3.head_object(Bucket=buckets[0], Key="precious")

    project.create(stack)
    stack.configure(adopt=True, buckets={"in": {"name": buckets[0]}, "out": {"name": buckets[1]}})
    stack.up()
    stack.do("preview", "--expect-no-changes")
    stack.s3.head_object(Bucket=buckets[0], Key="precious")


def test_versioning_that_is_no_longer_configured_stays_enabled(make: Make):
    stack = make("aws", "aws-versions", buckets={"out": {"versioning": True}})
    stack.up()
    stack.configure(buckets={})
    stack.up()
    assert stack.s3.get_bucket_versioning(Bucket=stack.bucket("out"))["Status"] == "Enabled"


def test_a_bucket_name_of_another_account_is_refused_with_what_to_do(make: Make, aws_server: AwsServer, tmp_path):
    """The sentence after the provider's own error comes from an error hook, which only the engine runs."""
    other = aws_server.account()
    taken = f"taken-{other.id}"
    other.s3.create_bucket(Bucket=taken, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    stack = make("aws", "aws-taken", buckets={"in": {"name": taken}})
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert "the bucket name belongs to another account" in refused.output
    stack.configure(buckets={})
    stack.up()  # what was created before the refusal is used
    works(stack, tmp_path)


@pytest.mark.parametrize(
    ("target", "variables", "sentence"),
    [
        # The program's own sentence, before anything is created.
        ("r2", {"CLOUDFLARE_API_TOKEN": ""}, "there is no Cloudflare API token"),
        # The sentence of the error hook after the provider's.
        ("gcp", {"GOOGLE_CREDENTIALS": "expired"}, "have expired: log in again"),
        # The provider's own sentence: it tries the credentials before the program does anything.
        ("aws", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "No valid credential sources found"),
    ],
    ids=["r2-none", "gcp-expired", "aws-none"],
)
def test_missing_or_expired_credentials_end_the_update_with_a_sentence(
    target, variables, sentence, make: Make, request
):
    stack = make(target, f"bad-{request.node.callspec.id}")
    stack.admin.update(variables)
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert sentence in " ".join(refused.output.split())
    assert "Traceback" not in refused.output
    assert not stack.env_file().exists()


def test_an_update_killed_between_bucket_and_key_is_completed_by_the_next(make: Make, project: Project, tmp_path):
    stack = make("aws", "aws-killed")
    kind = stack.admin[HELD] = KEY_TYPES["aws"]
    name = kind.rpartition(":")[2]
    stack.interrupt(signal.SIGKILL, name, "creating", when=lambda: stack.is_creating_only(kind))
    assert not stack.env_file().exists()
    del stack.admin[HELD]
    project.run(["pulumi", "cancel", "--yes", stack.name], {})
    stack.up()
    stack.do("preview", "--expect-no-changes")
    works(stack, tmp_path)
