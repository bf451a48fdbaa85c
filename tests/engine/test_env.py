"""`python -m infra env` on stacks that the real engine deployed on a real store."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator

import pytest

from core.storage import get_s3_client
from core.storage.settings import Settings
from tests.engine.support import Project, Ran, Stack

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="needs the `pulumi` command on PATH"),
]


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


@pytest.fixture(scope="module")
def stack(project: Project) -> Stack:
    made = project.stack("env", {"disposable": True, "identities": ["app", "ingest", "viewer"]})
    made.up()
    return made


@pytest.fixture
def whole(stack: Stack) -> Iterator[Stack]:
    """The same; its env files are put back after the test."""
    before = {file: file.read_bytes() for file in map(stack.env_file, ("app", "ingest", "viewer"))}
    yield stack
    for file, content in before.items():
        file.unlink(missing_ok=True)
        file.write_bytes(content)
        file.chmod(0o600)


def test_what_was_just_deployed_is_no_difference(whole: Stack):
    assert check(whole) == {"app": ([], []), "ingest": ([], []), "viewer": ([], [])}
    assert env(whole, "--check").stdout.splitlines() == [
        "environments/env.env: as deployed",
        "environments/env.ingest.env: as deployed",
        "environments/env.viewer.env: as deployed",
    ]


def test_lost_files_are_found_and_written_again_to_the_byte(whole: Stack):
    before = [whole.env_file(one).read_bytes() for one in ("app", "viewer")]
    for identity in ("app", "viewer"):
        whole.env_file(identity).unlink()
    assert check(whole) == {"app": (["missing"], []), "ingest": ([], []), "viewer": (["missing"], [])}
    done = env(whole, "--write")
    assert (done.code, done.stdout.splitlines()) == (
        0,
        ["env file env.env: written", "env file env.ingest.env: unchanged", "env file env.viewer.env: written"],
    )
    assert [whole.env_file(one).read_bytes() for one in ("app", "viewer")] == before
    assert whole.env_file("viewer").stat().st_mode & 0o777 == 0o600
    get_s3_client(Settings.from_env(whole.env())).list_objects_v2(Bucket=whole.bucket("in"))


def test_an_edit_is_found_and_not_overwritten(whole: Stack):
    file = whole.env_file("viewer")
    file.write_text(file.read_text().replace("us-east-1", "us-east-9"))
    assert check(whole)["viewer"] == (["edited"], ["AWS_REGION", "AWS_DEFAULT_REGION"])
    done = env(whole, "--write")
    assert done.code == 2
    assert "environments/env.viewer.env was edited by hand" in done.output
    assert "us-east-9" in file.read_text()


def test_a_format_comes_from_the_stack_where_there_is_no_file(whole: Stack):
    deployed = whole.env("viewer")
    whole.env_file("viewer").unlink()
    done = env(whole, "--format", "json", "--identity", "viewer", shows_secrets=True)
    assert json.loads(done.stdout) == deployed
    assert not whole.env_file("viewer").exists()


def test_replaced_keys_are_found_on_the_machine_that_has_the_old_ones(project: Project):
    stack = project.stack("rotated", {"disposable": True})
    stack.up()
    old = stack.env_file().read_bytes()
    project.iam.delete_access_key(UserName=stack.user(), AccessKeyId=stack.env()["AWS_ACCESS_KEY_ID"])
    there = stack.env_file().stat()
    stack.up("--refresh")
    new = stack.env_file().read_bytes()
    assert new != old
    stack.env_file().write_bytes(old)  # as on a machine on which nobody has deployed since
    os.utime(stack.env_file(), ns=(there.st_atime_ns, there.st_mtime_ns))
    assert check(stack) == {"app": (["older", "rotated"], ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])}
    assert env(stack, "--write").ok
    assert stack.env_file().read_bytes() == new
    assert check(stack) == {"app": ([], [])}


def test_what_was_never_deployed_is_told(project: Project):
    stack = project.stack("undeployed", {})
    for arguments in (["--check"], ["--write"], ["--format", "json"]):
        done = env(stack, *arguments)
        assert done.code == 1
        assert "undeployed is not deployed; `pulumi up -s undeployed` deploys it" in done.output


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PATH": "/usr/bin:/bin"}, "the deployed stack cannot be read without Pulumi: https://"),
        ({"PULUMI_BACKEND_URL": "file:///nowhere"}, "`pulumi stack ls` failed: "),
        ({"PULUMI_CONFIG_PASSPHRASE": "another"}, "`pulumi stack output` failed: "),
    ],
    ids=["no engine", "no backend", "another passphrase"],
)
def test_without_the_stack_nothing_is_compared_and_it_says_why(whole: Stack, variables, said):
    done = env(whole, "--check", **variables)
    assert done.code == 3
    assert said in done.output
    assert done.stdout == ""


def test_the_state_under_local_is_read_too(project: Project):
    """As after `make up` of somebody who is not logged in to any backend."""
    stack = Stack(project, "ownstate", {"disposable": True}, dict(project.admin))
    stack.configure()
    nobody = {"PULUMI_BACKEND_URL": ""}  # counts as none
    up = project.run([sys.executable, "-m", "infra", "up", "ownstate"], project.admin | nobody)
    assert up.ok, up.output
    before = stack.env_file().read_bytes()
    stack.env_file().unlink()
    assert env(stack, "--check", PULUMI_BACKEND_URL="").code == 1
    assert env(stack, "--write", PULUMI_BACKEND_URL="").ok
    assert stack.env_file().read_bytes() == before
    assert env(stack, "--check", PULUMI_BACKEND_URL="").ok
    down = project.run(
        [sys.executable, "-m", "infra", "down", "--delete", "--yes", "ownstate"], project.admin | nobody
    )
    assert down.ok, down.output
    assert stack.left() == set()
