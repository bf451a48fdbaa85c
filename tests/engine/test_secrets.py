"""Every command runs once while its processes and files are watched: no secret is where it may not be.

One test, because two workers would run all commands twice.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.storage import get_s3_client
from core.storage.settings import Settings
from tests.conftest import Store
from tests.engine.support import Project, Stack, readable
from tests.engine.watch import Seen, watching

pytestmark = pytest.mark.timeout(600)

_SECRET = re.compile("AWS_SECRET_ACCESS_KEY=['\"]?([^'\"\\n]+)")


@dataclass
class Watched:
    """A project in which everything was done, and what was to be seen meanwhile."""

    project: Project
    seen: Seen
    said: list[str]

    @property
    def secrets(self) -> set[str]:
        """Of the administrator, and of every key that an env file ever held."""
        found = {self.project.store.secret_access_key}
        for (file, _, _), (_, text) in self.seen.files.items():
            if file.suffix == ".env":
                found |= set(_SECRET.findall(text))
        return found


def test_no_command_shows_a_secret_in_arguments_output_or_files(seaweed: Store, tmp_path: Path):
    (tmp_path / "project").mkdir()
    (tmp_path / "tmp").mkdir()
    project = Project(tmp_path / "project", seaweed)
    said: list[str] = []
    with watching(tmp_path) as seen:
        _do_everything(project, said, tmp_path / "tmp")
    watched = Watched(project, seen, said)
    _require_that_every_program_and_folder_was_watched(watched)
    _require_that_no_process_had_a_secret_among_its_arguments(watched)
    _require_that_no_output_holds_a_secret(watched)
    _require_that_only_env_files_and_requested_formats_held_a_secret(watched)
    _require_that_no_temporary_file_and_no_env_file_is_left(watched)


def test_admin_keys_are_in_the_state_encrypted_if_they_are_configuration_and_otherwise_not(project: Project):
    stack = project.stack("adminkeys", {"disposable": True})
    store, from_environment = project.store, dict(stack.admin)
    stack.up()
    assert _provider_inputs(stack).keys().isdisjoint(_ADMIN_KEYS)
    assert store.secret_access_key not in _exported(stack, "--show-secrets")

    stack.keep_admin_keys()
    stack.up()
    assert store.secret_access_key in _exported(stack, "--show-secrets")
    inputs = _provider_inputs(stack)
    assert all(set(inputs[name]) == {_SIGNATURE, "ciphertext"} for name in _ADMIN_KEYS)
    for file, text in readable(project.state):
        project.hold_no_secret(text, str(file))

    for name in _ADMIN_KEYS:
        stack.do("config", "rm", f"mpr-storage:{name}")
    stack.admin.update(from_environment)
    stack.up()
    assert _provider_inputs(stack).keys().isdisjoint(_ADMIN_KEYS)
    assert store.secret_access_key not in _exported(stack, "--show-secrets")


_ADMIN_KEYS = ("adminAccessKeyId", "adminSecretAccessKey")
#: Marks a secret in an exported state (https://www.pulumi.com/docs/iac/concepts/secrets).
_SIGNATURE = "4dabf18193072939515e22adb298388d"


def _exported(stack: Stack, *options: str) -> str:
    return stack.do("stack", "export", *options, shows_secrets=True).stdout


def _provider_inputs(stack: Stack) -> dict[str, dict[str, str]]:
    """Return what the state has of the configuration of the dynamic provider."""
    resources = json.loads(_exported(stack))["deployment"]["resources"]
    (inputs,) = [one["inputs"] for one in resources if one["type"] == "pulumi:providers:pulumi-python"]
    return {name.removeprefix("mpr-storage:"): value for name, value in inputs.items()}


def _do_everything(project: Project, said: list[str], tmp: Path) -> None:
    variables = {"TMPDIR": str(tmp), **project.admin}

    def infra(*arguments: str, code: int = 0) -> None:
        done = project.run([sys.executable, "-m", "infra", *arguments], variables)
        assert done.code == code, done.output
        said.append(done.output)

    def pulumi(stack: Stack, *arguments: str) -> None:
        said.append(stack.do(*arguments).output)

    studio = project.stack("watched", {"disposable": True, "identities": ["app", "viewer"]})
    other = project.stack("watchedtoo", {"disposable": True})
    for stack in (studio, other):
        stack.admin["TMPDIR"] = str(tmp)
    studio.keep_admin_keys()
    pulumi(studio, "preview")
    pulumi(studio, "up", "--yes", "--skip-preview")
    # One more, and the engine itself shows what it passes on to providers: docs/explanation/security.md says so.
    pulumi(studio, "up", "--yes", "--skip-preview", "--refresh", "--logtostderr", "-v=8")
    pulumi(studio, "stack", "export")
    pulumi(studio, "stack", "output")
    infra("init", "watchedtoo")
    pulumi(other, "up", "--yes", "--skip-preview")
    infra("check", "watchedtoo")
    infra("drift", "watchedtoo")
    infra("env", "watchedtoo", "--check")
    infra("env", "watchedtoo", "--write")
    infra("env", "watchedtoo", "--format", "rclone", "--output", str(tmp / "rclone.conf"))
    (tmp / "rclone.conf").unlink()
    get_s3_client(Settings.from_env(studio.env())).put_object(Bucket=studio.bucket("in"), Key="a.mp4", Body=b"a")
    infra("copy", "watched", "watchedtoo", "--yes")
    infra("rotate", "watchedtoo", "--to", "retire")
    infra("rotate", "watchedtoo", "--abort")
    infra("rotate", "watchedtoo", "--to", "finish", "--soak", "0")
    infra("rotate", "watchedtoo", "--status")
    for stack in (studio, other):
        pulumi(stack, "destroy", "--yes", "--skip-preview")


def _require_that_every_program_and_folder_was_watched(watched: Watched) -> None:
    assert len(watched.secrets) == 5  # the administrator's, two of watched, two of watchedtoo
    for program in ("pulumi up", "pulumi-language-python", "infra rotate", "rclone copy"):
        assert any(program in one for one in watched.seen.arguments), program
    places = {file.relative_to(watched.project.folder.parent).parts[0] for file, _, _ in watched.seen.files}
    assert {"project", "state", "home"} <= places


def _require_that_no_process_had_a_secret_among_its_arguments(watched: Watched) -> None:
    shown = [one for one in watched.seen.arguments if any(secret in one for secret in watched.secrets)]
    assert shown == []


def _require_that_no_output_holds_a_secret(watched: Watched) -> None:
    assert not [secret for secret in watched.secrets if any(secret in one for one in watched.said)]


def _require_that_only_env_files_and_requested_formats_held_a_secret(watched: Watched) -> None:
    """State, logs and temporary files, every version of them. Those that may are their owner's alone."""
    holding = {
        (file, mode)
        for (file, _, _), (mode, text) in watched.seen.files.items()
        if any(secret in text for secret in watched.secrets)
    }
    assert {mode for _, mode in holding} == {0o600}
    for file, _ in holding:
        in_environments = file.parent == watched.project.environments and ".env" in file.name
        assert in_environments or file.name.endswith("rclone.conf"), file


def _require_that_no_temporary_file_and_no_env_file_is_left(watched: Watched) -> None:
    left = [file for file in watched.project.folder.parent.joinpath("tmp").rglob("*") if file.is_file()]
    assert left == []
    assert list(watched.project.environments.glob("*.env")) == []
