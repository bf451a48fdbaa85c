"""A stack file means the same to the engine, `init` and every command, and all refuse the same mistakes."""

from __future__ import annotations

import json
import sys

import pytest

from tests.engine.support import Project, Ran, Stack

#: Changes of a text in the stack file, each with what all commands say of it.
MISTAKES = [
    ("mpr-storage:target", "target", "target: has no namespace: write mpr-storage:target"),
    ("mpr-storage:target", "mpr-storge:target", "mpr-storge:target: unknown namespace, did you mean mpr-storage?"),
    ("config:", "confg:", "confg: unknown key, did you mean config?"),
    ("config:", "config:\n  mpr-storage:regoin: x", "regoin: unknown key, did you mean region?"),
    (
        "config:",
        "config:\n  mpr-storage:adminSecretAccessKey: in-clear",
        "`pulumi config set --secret mpr-storage:adminSecretAccessKey`",
    ),
    ("prefix: cache/", "prefix: /cache/*", "object keys do not start with /: write cache/, got /cache/*"),
    ("http://localhost:3000", "https://Localhost:443", "browsers send https://localhost: write that"),
]
BUCKETS = {
    "in": {"name": "engine-strict-in", "corsOrigins": ["http://localhost:3000"]},
    "out": {"name": "engine-strict-out", "expire": [{"prefix": "cache/", "days": 30}]},
}


@pytest.fixture
def stack(project: Project) -> Stack:
    return project.stack("strict", {"buckets": BUCKETS})


def infra(stack: Stack, command: str) -> Ran:
    return stack.project.run([sys.executable, "-m", "infra", command, stack.name], stack.admin)


def test_a_mistake_is_refused_by_the_engine_and_by_every_command_in_the_same_words(stack: Stack):
    text = stack.file.read_text()
    for right, wrong, problem in MISTAKES:
        assert right in text
        stack.file.write_text(text.replace(right, wrong, 1))
        for done in (stack.run("preview"), *(infra(stack, command) for command in ("init", "check", "drift"))):
            assert not done.ok
            assert problem in done.output, done.output
            assert "in-clear" not in done.output
    assert stack.left() == set()


def test_a_setting_from_another_file_than_that_of_the_environment_is_refused(stack: Stack):
    other = stack.project.folder / "other.yaml"
    other.write_text(stack.file.read_text().replace("engine-strict-out", "engine-strict-other"))
    done = stack.run("preview", "--config-file", str(other))
    assert not done.ok
    assert "buckets.out: Pulumi has another value than this file, from --config-file" in done.output


def test_a_file_that_pulumi_changed_means_the_same(stack: Stack):
    stack.do("config", "set", "mpr-storage:disposable", "true")
    stack.do("config", "set", "--path", "mpr-storage:buckets.out.versioning", "true")
    for part in ("accessKeyId", "secretAccessKey"):
        command = stack.command("config", "set", "--secret", "--path", f"mpr-storage:keys.app.{part}")
        assert stack.project.run(command, {}, typed="hush").ok
    assert "secure:" in stack.file.read_text()
    stack.do("preview")
    assert infra(stack, "init").ok


def test_pulumi_lists_what_the_project_declares(stack: Stack):
    listed = json.loads(stack.do("config", "--json").stdout)
    values = {name.removeprefix("mpr-storage:"): one["value"] for name, one in listed.items()}
    assert values["target"] == "s3-compatible"
    assert (values["adopt"], values["disposable"], values["maxKeyAgeDays"]) == ("false", "false", "90")
