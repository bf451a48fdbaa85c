"""`python -m infra drift` with the real engine: on a real store, and on the doubles of the clouds."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.storage.settings import read_env_file
from infra.targets.registry import TARGETS
from tests.conftest import Store
from tests.doubles.fixtures import AwsServer
from tests.engine.clouds import Clouds, CloudStack
from tests.engine.support import Project, Ran, Stack


@dataclass(frozen=True)
class Cloud:
    """How a cloud is changed behind the engine's back, and what is found then."""

    #: The resource that has the bucket's lifecycle rules, and the property that differs.
    lifecycle: tuple[str, str]
    #: What of the identity's rights is found.
    rights: list[tuple[str, str]]
    key: str


CLOUDS = {
    "aws": Cloud(
        ("BucketLifecycleConfiguration mpr-aws-drift-in-lifecycle", "resource"),
        [("UserPolicy mpr-aws-drift-app-policy", "policy")],
        "AccessKey mpr-aws-drift-app-a",
    ),
    "gcp": Cloud(
        ("Bucket mpr-gcp-drift-in", "lifecycleRules"),
        [("BucketIAMMember mpr-gcp-drift-app-in", "resource")],
        "HmacKey mpr-gcp-drift-app-a",
    ),
    "r2": Cloud(
        ("R2BucketLifecycle mpr-r2-drift-in-lifecycle", "rules"),
        [("AccountToken mpr-r2-drift-app-a", "policies")],
        "AccountToken mpr-r2-drift-app-a",
    ),
}


def drift(stack: Stack, *arguments: str, **variables: str) -> Ran:
    """Run the command, which must leave state and env files as they are."""
    before = files(stack)
    command = [sys.executable, "-m", "infra", "drift", stack.name, *arguments]
    done = stack.project.run(command, stack.admin | variables)
    assert "Traceback" not in done.output
    assert files(stack) == before
    return done


def files(stack: Stack) -> list[tuple[Path, bytes, int]]:
    """The state of the stack, and everything in environments/."""
    paths = [stack.state_file, *sorted(stack.project.environments.iterdir())]
    return [(path, path.read_bytes(), path.stat().st_mtime_ns) for path in paths]


def findings(stack: Stack) -> list[dict[str, str]]:
    done = drift(stack, "--json")
    found: list[dict[str, str]] = json.loads(done.stdout)
    assert done.code == bool(found), done.output
    for file in stack.project.environments.glob(f"{stack.name}*.env"):
        assert read_env_file(file)["AWS_ACCESS_KEY_ID"] not in done.output
    return found


def named(stack: Stack) -> list[tuple[str, str]]:
    return [(one["thing"], one["property"]) for one in findings(stack)]


@pytest.fixture(scope="module", params=CLOUDS)
def on_cloud(
    request: pytest.FixtureRequest,
    shared_project: Project,
    plugins: Path,
    seaweed: Store,
    aws_server: AwsServer,
) -> Iterator[CloudStack]:
    """A deployed stack on each cloud. Every test repairs what it changes."""
    clouds = Clouds(shared_project, plugins, seaweed, aws_server.account())
    with shared_project.left_as_found():
        stack = clouds.stack(request.param, f"{request.param}-drift", disposable=True)
        stack.up()
        stack.learn_secrets()
        yield stack


def target_of(stack: CloudStack) -> str:
    return str(stack.config["target"])


def test_changed_settings_rights_and_keys_of_a_cloud_are_found_and_repaired(on_cloud: CloudStack):
    stack, target = on_cloud, target_of(on_cloud)
    cloud = CLOUDS[target]
    stack.s3.delete_bucket_lifecycle(Bucket=stack.bucket("in"))
    CHANGES[target](stack)
    if TARGETS[target].deactivates_keys:
        switch_off(stack, stack.env()["AWS_ACCESS_KEY_ID"])

    found = {(one["thing"], one["property"]): one for one in findings(stack)}
    assert {one["repair"] for one in found.values()} == {f"pulumi up -s {stack.name} --refresh"}
    others = {key: one for key, one in found.items() if key not in {cloud.lifecycle, *cloud.rights}}
    assert len(found) - len(others) == 1 + len(cloud.rights)
    assert [(key[0], one["wanted"].lower(), one["actual"].lower()) for key, one in others.items()] == [
        (cloud.key, "active", "inactive")
    ] * TARGETS[target].deactivates_keys
    if target == "aws":  # a policy is compared by its actions
        policy = found[cloud.rights[0]]
        assert (policy["wanted"], policy["actual"]) == ("absent", "Allow s3:* on *")

    stack.up("--refresh")
    stack.learn_secrets()
    assert findings(stack) == []


@pytest.mark.parametrize("on_cloud", ["aws"], indirect=True)
def test_a_deleted_key_of_a_cloud_and_a_missing_env_file_are_found(on_cloud: CloudStack):
    stack = on_cloud
    stack.delete_key()
    stack.env_file().unlink()
    key, file = findings(stack)
    assert (key["thing"], key["actual"]) == (CLOUDS[target_of(stack)].key, "missing")
    assert file["actual"] == "missing"
    assert file["repair"] == f"python -m infra env {stack.name} --write"
    stack.up("--refresh")
    stack.learn_secrets()


@pytest.mark.parametrize("on_cloud", ["r2"], indirect=True)
def test_a_cloud_that_refuses_the_credentials_is_an_error_and_no_drift(on_cloud: CloudStack):
    done = drift(on_cloud, CLOUDFLARE_API_TOKEN="")
    assert done.code == 3
    assert "`pulumi preview --refresh` failed: error: " in done.output
    assert "must provide one of" in done.output


def a_right_more(stack: CloudStack) -> None:
    where = {"UserName": f"mpr-{stack.name}-app", "PolicyName": "storage"}
    document = stack.iam.get_user_policy(**where)["PolicyDocument"]
    document["Statement"].append({"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]})
    stack.iam.put_user_policy(**where, PolicyDocument=json.dumps(document))


def a_binding_less(stack: CloudStack) -> None:
    listed = stack.s3.list_objects_v2(Bucket="gcp-notes", Prefix=f"binding/b|{stack.bucket('in')}|")
    (one,) = listed["Contents"]
    stack.s3.delete_object(Bucket="gcp-notes", Key=one["Key"])


def a_bucket_less(stack: CloudStack) -> None:
    where = {"Bucket": "r2-notes", "Key": f"token/{stack.env()['AWS_ACCESS_KEY_ID']}"}
    token = json.loads(stack.s3.get_object(**where)["Body"].read())
    token["policies"].pop()
    stack.s3.put_object(**where, Body=json.dumps(token).encode())


#: How the rights of `app` are changed behind the engine's back, by the doubles' own means.
CHANGES: dict[str, Callable[[CloudStack], None]] = {
    "aws": a_right_more,
    "gcp": a_binding_less,
    "r2": a_bucket_less,
}


def switch_off(stack: CloudStack, key: str) -> None:
    (user,) = [
        one["UserName"] for one in stack.iam.list_users()["Users"] if key in keys_of(stack, one["UserName"])
    ]
    stack.iam.update_access_key(UserName=user, AccessKeyId=key, Status="Inactive")


def keys_of(stack: CloudStack, user: str) -> list[str]:
    return [one["AccessKeyId"] for one in stack.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]


def test_every_change_on_a_store_is_found_and_repaired(project: Project):
    stack = project.stack("drifting", {"disposable": True, "identities": ["app", "viewer"]})
    done = drift(stack)
    assert done.code == 1
    assert "drifting is not deployed" in done.output
    stack.up()

    project.s3.delete_bucket_lifecycle(Bucket=stack.bucket("in"))
    project.iam.delete_access_key(UserName=stack.user(), AccessKeyId=stack.env()["AWS_ACCESS_KEY_ID"])
    project.iam.put_user_policy(UserName=stack.user("viewer"), PolicyName="mpr-storage", PolicyDocument=EVERYTHING)
    stack.env_file("viewer").unlink()
    found = findings(stack)
    assert [(one["thing"], one["property"]) for one in found] == [
        ("bucket engine-drifting-in", "abortMultipartDays"),
        ("identity mpr-drifting-app", "key in slot a"),
        ("identity mpr-drifting-viewer", "policy"),
        ("identity mpr-drifting-viewer", "policy"),
        ("env file environments/drifting.viewer.env", "file"),
    ]
    assert {one["repair"] for one in found} == {"pulumi up -s drifting --refresh"}
    stack.up("--refresh")
    assert findings(stack) == []


def test_the_keys_of_a_rotation_are_known_from_the_state(project: Project):
    """Also on a machine that has no env files: no key is taken for one that was made by hand."""
    stack = project.stack("driftturn", {"disposable": True, "slots": {"app": {"current": "a", "step": "start"}}})
    stack.up()
    for file in project.environments.glob("driftturn*.env"):
        project.hold_no_secret("", "learn")
        file.unlink()
    assert [one["actual"] for one in findings(stack)] == ["missing"]
    stack.up()
    stack.configure(slots={"app": {"current": "b", "step": "switch"}})
    assert [one["actual"] for one in findings(stack)] == ["that of slot a"]
    stack.up()
    made = project.iam.create_access_key(UserName=stack.user())["AccessKey"]
    project.secrets.add(made["SecretAccessKey"])
    assert named(stack) == [("identity mpr-driftturn-app", "key in no slot")]


EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}]}
)
