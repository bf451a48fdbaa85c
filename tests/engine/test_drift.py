"""`python -m infra drift` with the real engine: on a real store, and on the doubles of the clouds."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from core.storage.settings import read_env_file
from infra.features import TARGETS
from tests.doubles.fixtures import aws_server, plugins
from tests.engine.support import Project, Ran, Stack
from tests.engine.test_clouds import CloudStack, Make, account, make

__all__ = ["account", "aws_server", "make", "plugins"]

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="needs the `pulumi` command on PATH"),
    pytest.mark.timeout(300),
]


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
        ("BucketLifecycleConfiguration mpr-{}-in", "resource"), [("UserPolicy app", "policy")], "AccessKey app-a"
    ),
    "gcp": Cloud(
        ("Bucket mpr-{}-in", "lifecycleRules"), [("BucketIAMMember app-in", "resource")], "HmacKey app-a"
    ),
    "r2": Cloud(
        ("R2BucketLifecycle mpr-{}-in", "rules"), [("AccountToken app-a", "policies")], "AccountToken app-a"
    ),
}


def drift(stack: Stack, *arguments: str, **variables: str) -> Ran:
    """Run the command, which must leave state and env files as they are."""
    before = state(stack)
    command = [sys.executable, "-m", "infra", "drift", stack.name, *arguments]
    done = stack.project.run(command, stack.admin | variables)
    assert "Traceback" not in done.output
    assert state(stack) == before
    return done


def state(stack: Stack) -> list[object]:
    exported = stack.do("stack", "export").stdout
    files = sorted(stack.project.environments.iterdir())
    return [exported, [(one, one.read_bytes(), one.stat().st_mtime_ns) for one in files]]


def findings(stack: Stack) -> list[dict[str, str]]:
    done = drift(stack, "--json")
    found: list[dict[str, str]] = json.loads(done.stdout)
    assert done.code == bool(found), done.output
    for file in stack.project.environments.glob(f"{stack.name}*.env"):
        assert read_env_file(file)["AWS_ACCESS_KEY_ID"] not in done.output
    return found


def named(stack: Stack) -> list[tuple[str, str]]:
    return [(one["thing"], one["property"]) for one in findings(stack)]


@pytest.mark.parametrize("target", CLOUDS)
def test_what_changes_in_a_cloud_is_found_and_mended(target, make: Make):
    cloud = CLOUDS[target]
    stack = make(target, f"{target}-drift", disposable=True)
    stack.up()
    stack.learn_secrets()
    assert findings(stack) == []

    stack.s3.delete_bucket_lifecycle(Bucket=stack.bucket("in"))
    thing, name = cloud.lifecycle
    (found,) = findings(stack)
    assert (found["thing"], found["property"]) == (thing.format(stack.name), name)
    assert found["repair"] == f"pulumi up -s {stack.name} --refresh"
    stack.up("--refresh")
    stack.learn_secrets()
    assert findings(stack) == []

    CHANGES[target](stack)
    assert named(stack) == cloud.rights
    stack.up("--refresh")
    stack.learn_secrets()
    assert findings(stack) == []

    stack.delete_key()
    assert [(one["thing"], one["actual"]) for one in findings(stack)] == [(cloud.key, "missing")]
    stack.env_file().unlink()
    (_, file) = findings(stack)
    assert file["actual"] == "is missing"
    assert file["repair"] == f"python -m infra env {stack.name} --write"


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


def test_a_policy_on_aws_is_told_action_by_action(make: Make):
    stack = make("aws", "aws-policy", disposable=True)
    stack.up()
    stack.learn_secrets()
    a_right_more(stack)
    (found,) = findings(stack)
    assert (found["wanted"], found["actual"]) == ("not there", "Allow s3:* on *")


@pytest.mark.parametrize("target", CLOUDS)
def test_a_key_switched_off_in_a_cloud(target, make: Make):
    if not TARGETS[target].switches_off:
        pytest.skip("this cloud has no switch")
    stack = make(target, f"{target}-off", disposable=True)
    stack.up()
    stack.learn_secrets()
    key = stack.env()["AWS_ACCESS_KEY_ID"]
    (user,) = [
        one["UserName"] for one in stack.iam.list_users()["Users"] if key in keys_of(stack, one["UserName"])
    ]
    stack.iam.update_access_key(UserName=user, AccessKeyId=key, Status="Inactive")
    (found,) = findings(stack)
    assert (found["wanted"].lower(), found["actual"].lower()) == ("active", "inactive")
    stack.up("--refresh")
    assert findings(stack) == []


def keys_of(stack: CloudStack, user: str) -> list[str]:
    return [one["AccessKeyId"] for one in stack.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]


def test_a_cloud_that_refuses_and_one_where_nothing_is(make: Make):
    stack = make("r2", "r2-refuses", disposable=True)
    done = drift(stack)
    assert done.code == 1
    assert "r2-refuses is not deployed; `pulumi up -s r2-refuses` deploys it" in done.output
    stack.up()
    stack.learn_secrets()
    done = drift(stack, CLOUDFLARE_API_TOKEN="")
    assert done.code == 3
    assert "`pulumi preview --refresh` failed: error: " in done.output
    assert "must provide one of" in done.output


def test_a_store_with_the_engine(project: Project):
    stack = project.stack("drifting", {"disposable": True, "identities": ["app", "viewer"]})
    done = drift(stack)
    assert done.code == 1
    assert "drifting is not deployed" in done.output
    stack.up()
    assert findings(stack) == []

    project.s3.delete_bucket_lifecycle(Bucket=stack.bucket("in"))
    project.iam.delete_access_key(UserName=stack.user(), AccessKeyId=stack.env()["AWS_ACCESS_KEY_ID"])
    project.iam.put_user_policy(UserName=stack.user("viewer"), PolicyName="mpr-storage", PolicyDocument=EVERYTHING)
    stack.env_file("viewer").unlink()
    assert named(stack) == [
        ("bucket engine-drifting-in", "abortMultipartDays"),
        ("identity mpr-drifting-app", "key in slot a"),
        ("identity mpr-drifting-viewer", "policy"),
        ("identity mpr-drifting-viewer", "policy"),
        ("env file environments/drifting.viewer.env", "file"),
    ]
    assert {one["repair"] for one in findings(stack)} == {
        "pulumi up -s drifting --refresh",
        "python -m infra env drifting --write",
    }
    stack.up("--refresh")
    assert findings(stack) == []


def test_the_keys_of_a_rotation_are_known_from_the_state(project: Project):
    """Also on a machine that has no env files: there, no key is taken for one made by hand."""
    stack = project.stack("driftturn", {"disposable": True, "slots": {"app": {"current": "a", "step": "start"}}})
    stack.up()
    assert findings(stack) == []
    for file in project.environments.glob("driftturn*.env"):
        project.hold_no_secret("", "learn")
        file.unlink()
    assert [one["actual"] for one in findings(stack)] == ["is missing"]
    stack.up()
    stack.configure(slots={"app": {"current": "b", "step": "switch"}})
    assert [one["actual"] for one in findings(stack)] == ["that of slot a"]
    stack.up()
    assert findings(stack) == []
    made = project.iam.create_access_key(UserName=stack.user())["AccessKey"]
    project.secrets.add(made["SecretAccessKey"])
    assert named(stack) == [("identity mpr-driftturn-app", "key in no slot")]


EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}]}
)
