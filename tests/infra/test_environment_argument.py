"""The argument that names an environment: by its name, or by the path of its stack file, in every command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from infra import cli
from infra.config import stack_files
from infra.environment_argument import ENVIRONMENT, IDENTITY
from infra.errors import UsageError


@pytest.fixture
def local(environments: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of an environment `local`, in a project whose root is the current folder."""
    monkeypatch.chdir(environments.parent)
    file = environments / "Pulumi.local.yaml"
    file.write_text("config: {mpr-storage:target: s3-compatible}")
    return file


def named(text: str) -> str:
    return str(ENVIRONMENT.convert(text, None, None))


@pytest.mark.parametrize("text", ["local", "nowhere", "", "-", "a.b"])
def test_a_name_stays_as_it_is(text):
    assert named(text) == text


def test_the_path_of_a_stack_file_is_its_name(local, monkeypatch, tmp_path):
    for path in (
        "environments/Pulumi.local.yaml",
        "./environments/Pulumi.local.yaml",
        "Pulumi.local.yaml",
        str(local),
    ):
        assert named(path) == "local", path
    assert named("environments/Pulumi.none.yaml") == "none", "`new` takes the path of a file that there is not yet"
    monkeypatch.chdir(local.parent)
    assert named("Pulumi.local.yaml") == named("./Pulumi.local.yaml") == "local"
    (tmp_path / "link").symlink_to(local.parent)
    assert named(str(tmp_path / "link/Pulumi.local.yaml")) == "local"


def test_a_file_of_another_folder_is_refused(local, tmp_path):
    elsewhere = tmp_path / "Pulumi.local.yaml"
    for path in (str(elsewhere), "../Pulumi.local.yaml", "Pulumi.local.yaml"):
        elsewhere.touch()  # the last one: the file is in the current folder
        with pytest.raises(UsageError, match=r"is not in .*environments, where .* or write local if you mean "):
            named(path)


@pytest.mark.parametrize("path", ["environments/local.env", "environments/", "a/b", "Pulumi.yaml", "x.yaml", "/"])
def test_a_path_of_something_else_is_refused(local, path):
    with pytest.raises(UsageError, match="is not an environment: write a name, such as local, or the path"):
        named(path)


def arguments() -> Iterator[tuple[str, click.Parameter]]:
    """Every argument of every command that names an environment."""
    for name in cli._COMMANDS:
        command = cli.cli.get_command(click.Context(cli.cli), name)
        assert command
        for parameter in command.params:
            if isinstance(parameter, click.Argument) and parameter.name in ("environment", "source", "target"):
                yield name, parameter


def test_every_command_takes_both():
    found = dict(arguments())
    assert set(cli._COMMANDS) - set(found) == {"completion", "store"}
    assert [name for name, parameter in arguments() if parameter.type is not ENVIRONMENT] == []


def test_a_command_reads_the_file_that_a_path_names(local, capsys):
    assert cli.run(["check", str(local)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: environments/Pulumi.local.yaml:\n  endpoint: is required")


def test_completions_are_the_environments_and_the_identities_of_the_one_named(local):
    for name in ("minio", "maximum"):
        stack_files.path(name).write_text(
            "config: {mpr-storage:target: r2, mpr-storage:account: 0123456789abcdef0123456789abcdef, "
            f"mpr-storage:identities: [app, {'viewer' if name == 'minio' else 'ingest'}]}}"
        )
    context = click.Context(click.Command("x"))
    parameter = click.Argument(["environment"])

    def completed(kind: click.ParamType, incomplete: str) -> list[object]:  # type: ignore[type-arg]  # as there
        return [item.value for item in kind.shell_complete(context, parameter, incomplete)]

    assert completed(ENVIRONMENT, "m") == ["maximum", "minio"]
    assert completed(ENVIRONMENT, "") == ["local", "maximum", "minio"]
    assert [item.type for item in ENVIRONMENT.shell_complete(context, parameter, "environments/P")] == ["file"]
    context.params["environment"] = "minio"
    assert completed(IDENTITY, "v") == ["viewer"]
    context.args = ["environments/Pulumi.maximum.yaml"]
    assert completed(IDENTITY, "") == ["app", "ingest"]
    for unusable in ("local", "nowhere", "a/b"):
        context.args = [unusable]
        assert completed(IDENTITY, "") == []
