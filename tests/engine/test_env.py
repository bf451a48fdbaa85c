"""`python -m infra env` on stacks that the real engine deployed on a real store."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

import pytest

from core.storage import get_s3_client
from core.storage.settings import Settings
from tests.engine.support import Life, Project, Ran, Stack


def env(stack: Stack, *arguments: str, shows_secrets: bool = False, **variables: str) -> Ran:
    """Run `env` without the administrator's keys, which it must not need."""
    command = [sys.executable, "-m", "infra", "env", stack.name, *arguments]
    done = stack.project.run(command, {"COLUMNS": "200", **variables}, shows_secrets=shows_secrets)
    assert "Traceback" not in done.output
    return done


def check(stack: Stack) -> dict[str, tuple[list[str], list[str]]]:
    """By identity, the reasons and variables that `--check` names."""
    done = env(stack, "--check", "--json")
    found = {one["identity"]: (one["reasons"], one["variables"]) for one in json.loads(done.stdout)}
    assert done.code == any(reasons for reasons, _ in found.values())
    return found


@pytest.fixture
def deployed(life: Life) -> Iterator[Stack]:
    """The deployed stack; its env files are restored after the test."""
    stack = life.stack
    before = {file: file.read_bytes() for file in map(stack.env_file, ("app", "ingest", "viewer"))}
    yield stack
    for file, content in before.items():
        file.unlink(missing_ok=True)
        file.write_bytes(content)
        file.chmod(0o600)


def test_env_check_finds_no_difference_after_an_update(deployed: Stack):
    assert check(deployed) == {"app": ([], []), "ingest": ([], []), "viewer": ([], [])}
    assert env(deployed, "--check").stdout.splitlines() == [
        "environments/life.env: as deployed",
        "environments/life.ingest.env: as deployed",
        "environments/life.viewer.env: as deployed",
    ]


def test_lost_files_are_found_and_written_again_to_the_byte(deployed: Stack):
    before = [deployed.env_file(one).read_bytes() for one in ("app", "viewer")]
    for identity in ("app", "viewer"):
        deployed.env_file(identity).unlink()
    assert check(deployed) == {"app": (["missing"], []), "ingest": ([], []), "viewer": (["missing"], [])}
    done = env(deployed, "--write")
    assert (done.code, done.stdout.splitlines()) == (
        0,
        ["env file life.env: written", "env file life.ingest.env: unchanged", "env file life.viewer.env: written"],
    )
    assert [deployed.env_file(one).read_bytes() for one in ("app", "viewer")] == before
    assert deployed.env_file("viewer").stat().st_mode & 0o777 == 0o600
    get_s3_client(Settings.from_env(deployed.env())).list_objects_v2(Bucket=deployed.bucket("in"))


def test_an_edited_env_file_is_found_and_not_overwritten(deployed: Stack):
    file = deployed.env_file("viewer")
    file.write_text(file.read_text().replace("us-east-1", "us-east-9"))
    assert check(deployed)["viewer"] == (["edited"], ["AWS_REGION", "AWS_DEFAULT_REGION"])
    done = env(deployed, "--write")
    assert done.code == 2
    assert "environments/life.viewer.env was edited by hand" in done.output
    assert "us-east-9" in file.read_text()


def test_a_format_comes_from_the_stack_where_there_is_no_file(deployed: Stack):
    before = deployed.env("viewer")
    deployed.env_file("viewer").unlink()
    done = env(deployed, "--format", "json", "--identity", "viewer", shows_secrets=True)
    assert json.loads(done.stdout) == before
    assert not deployed.env_file("viewer").exists()


def test_env_check_finds_keys_that_another_machine_replaced(project: Project):
    stack = project.stack("rotated", {"disposable": True})
    stack.up()
    old = stack.env_file().read_bytes()
    project.iam.delete_access_key(UserName=stack.user(), AccessKeyId=stack.env()["AWS_ACCESS_KEY_ID"])
    there = stack.env_file().stat()
    stack.up("--refresh")
    new = stack.env_file().read_bytes()
    assert new != old
    stack.env_file().write_bytes(old)  # as on a machine without a deployment since then
    os.utime(stack.env_file(), ns=(there.st_atime_ns, there.st_mtime_ns))
    assert check(stack) == {"app": (["older", "rotated"], ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])}
    assert env(stack, "--write").ok
    assert stack.env_file().read_bytes() == new
    assert check(stack) == {"app": ([], [])}


def test_an_environment_that_was_never_deployed_is_refused_with_what_to_do(project: Project):
    stack = project.stack("undeployed", {})
    done = project.run([sys.executable, "-m", "infra", "env", stack.name, "--check"], project.admin)
    assert done.code == 1
    assert (
        "undeployed is not deployed; `python -m infra init undeployed` or `pulumi up -s undeployed`" in done.output
    )
    done = env(stack, "--check")
    assert done.code == 2
    assert "there is no stack undeployed, so only the store knows what is deployed: no admin keys" in done.output


@pytest.mark.parametrize(
    ("variables", "code", "said"),
    [
        ({"PATH": "/usr/bin:/bin"}, 2, "there is no Pulumi with a state here, so only the store knows"),
        ({"PULUMI_BACKEND_URL": "file:///nowhere"}, 3, "`pulumi stack ls` failed: "),
        ({"PULUMI_CONFIG_PASSPHRASE": "another"}, 3, "`pulumi stack output` failed: "),
    ],
    ids=["no engine", "no backend", "another passphrase"],
)
def test_a_stack_that_cannot_be_read_is_an_error_with_its_reason(deployed: Stack, variables, code, said):
    done = env(deployed, "--check", **variables)
    assert done.code == code
    assert said in done.output
    assert done.stdout == ""


def test_the_state_under_local_is_read_by_env(project: Project):
    """Deploy as `make up` does for a user who is not logged in to any backend."""
    stack = Stack(project, "ownstate", {"disposable": True}, dict(project.admin))
    stack.configure()
    logged_out = {"PULUMI_BACKEND_URL": ""}  # counts as none
    up = project.run([sys.executable, "-m", "infra", "up", "ownstate"], project.admin | logged_out)
    assert up.ok, up.output
    before = stack.env_file().read_bytes()
    stack.env_file().unlink()
    assert env(stack, "--check", PULUMI_BACKEND_URL="").code == 1
    assert env(stack, "--write", PULUMI_BACKEND_URL="").ok
    assert stack.env_file().read_bytes() == before
    assert env(stack, "--check", PULUMI_BACKEND_URL="").ok
    down = project.run(
        [sys.executable, "-m", "infra", "down", "--delete", "--yes", "ownstate"], project.admin | logged_out
    )
    assert down.ok, down.output
    assert stack.left() == set()
