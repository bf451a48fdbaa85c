"""`./mpr new`: what it writes is valid, deploys as it is, and replaces nothing."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # has no types
import pytest
import yaml

from infra import cli
from infra.config import stack_files
from infra.config.load import load_environment
from infra.config.schema import schema
from infra.env import files
from infra.new.templates import TEMPLATES, VALUES
from infra.stores.keys import identity_manager
from infra.stores.store import Store
from infra.targets.registry import TARGETS
from tests.conftest import REPO
from tests.infra._templates import NEEDED, options, with_suggestions
from tests.infra.conftest import admin_variables, fresh, in_folder, remove_bucket

SCHEMA = jsonschema.Draft7Validator(schema())
ALL = pytest.mark.parametrize("target", TEMPLATES)


def new(environment: str, target: str, **others: str) -> Path:
    """The file that the command writes."""
    assert cli.run(["new", environment, *options(target, **others)]) == 0
    return stack_files.path(environment)


# --- the templates --------------------------------------------------------------------------------------


def test_there_is_a_template_for_every_target_and_a_file_for_every_template():
    assert set(TEMPLATES) == set(NEEDED)
    assert {spec.group for spec in TARGETS.values()} == {template.group for template in TEMPLATES.values()}
    folder = REPO / "infra/new/templates"
    assert {file.stem for file in folder.iterdir()} == set(TEMPLATES)


@ALL
def test_the_file_is_valid_and_says_what_was_chosen(environments, target):
    file = new("prod", target)
    assert file.read_text().splitlines()[0] == "# yaml-language-server: $schema=schema.json"
    assert list(SCHEMA.iter_errors(yaml.safe_load(file.read_text()))) == []
    config = load_environment("prod")
    assert {name: getattr(config, name) for name in NEEDED[target]} == NEEDED[target]
    assert config.names == ("app",)
    assert config.target == (target if target in TARGETS else "s3-compatible")
    assert list(environments.iterdir()) == [file]


@ALL
def test_the_file_is_valid_with_every_setting_that_it_suggests(environments, target):
    file = new("prod", target)
    text = with_suggestions(file.read_text())
    assert text != file.read_text()
    assert "# mpr-storage:" not in text
    assert list(SCHEMA.iter_errors(yaml.safe_load(text))) == []
    file.write_text(text)
    assert load_environment("prod").disposable


@ALL
def test_nothing_is_left_of_a_placeholder(environments, target):
    names = "|".join([*VALUES, "environment", "bucket-in", "bucket-out"])
    assert not re.search(f"<({names})>", new("prod", target).read_text())


def test_the_names_of_the_pages_in_the_comments_exist():
    for file in (REPO / "infra/new/templates").iterdir():
        for page in re.findall(r"[\w/-]+\.md", file.read_text()):
            assert (REPO / page).is_file(), f"{file.name}: {page}"


def test_stores_have_the_endpoint_and_the_credentials_of_the_servers_of_the_makefile(environments):
    for name in ("minio", "seaweedfs"):
        of_project = yaml.safe_load((REPO / f"environments/Pulumi.{name}.yaml").read_text())["config"]
        written = yaml.safe_load(new("mine", name).read_text())["config"]
        for key in ("mpr-storage:endpoint", "mpr-storage:credentials"):
            assert written.get(key) == of_project.get(key)
        stack_files.path("mine").unlink()


# --- what it says, and refuses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "steps"),
    [
        (
            "aws",
            [
                "make .venv/aws ",
                "export AWS_PROFILE=...",
                "up prod",
                "pulumi stack init prod && pulumi up -s prod",
            ],
        ),
        ("gcp", ["make .venv/gcp ", "gcloud auth application-default login", "up prod"]),
        ("r2", ["make .venv/r2 ", "export CLOUDFLARE_API_TOKEN=...", "up prod"]),
        ("minio", ["make minio-server", ". .local/admin.env", "up prod"]),
        ("seaweedfs", ["make seaweedfs-server", ". .local/admin.env", "up prod"]),
        ("s3", ["export MPR_APP_ACCESS_KEY_ID=... MPR_APP_SECRET_ACCESS_KEY=...", "up prod"]),
    ],
)
def test_it_says_what_to_do_next(environments, capsys, target, steps):
    file = new("prod", target)
    out = capsys.readouterr().out
    assert out.startswith(f"{file} is written.")
    assert [step for step in steps if step not in out] == []
    for extra in re.findall(r"make (\S+)", out):
        assert re.search(rf"^[^#\n]*{re.escape(extra)}\b.*:", (REPO / "Makefile").read_text(), re.MULTILINE)


def test_a_server_elsewhere_is_not_started_here(environments, capsys):
    new("prod", "minio", endpoint="https://minio.example")
    out = capsys.readouterr().out
    assert "make minio-server" not in out
    assert "MPR_ADMIN_ACCESS_KEY_ID" in out


def test_the_embedded_store_needs_no_step_before_up(environments, capsys):
    new("second", "seaweedfs", endpoint="embedded")
    assert capsys.readouterr().out.splitlines()[1].split("#")[0].strip() == "python -m infra up second"


def test_a_file_that_exists_is_never_changed(environments, capsys, monkeypatch):
    file = new("prod", "minio")
    file.write_text("mine")
    for known in (
        stack_files.names,
        list,
    ):  # the second: it is written after the check
        monkeypatch.setattr(stack_files, "names", known)
        assert cli.run(["new", "prod", *options("aws")]) == 2
        assert f"{file} exists already, and was not changed" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert list(environments.iterdir()) == [file]


@pytest.mark.parametrize(
    ("target", "missing"),
    [("aws", ["--region"]), ("gcp", ["--project", "--location"]), ("r2", ["--account"]), ("s3", ["--endpoint"])],
)
def test_a_missing_value_without_a_terminal_names_its_option(environments, capsys, monkeypatch, target, missing):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert cli.run(["new", "prod", "--target", target]) == 2
    err = capsys.readouterr().err
    assert [option for option in missing if f"{option}: " not in err] == []
    assert list(environments.iterdir()) == []


@pytest.mark.parametrize(
    ("environment", "arguments", "words"),
    [
        ("a.b", options("minio"), "environment: a name holds only letters, digits, - and _, got a.b"),
        ("e" * 300, options("minio"), "environment: is too long"),
        ("prod", options("r2", account="0123"), "account: must be the account's ID of 32 hexadecimal digits"),
        (
            "prod",
            options("minio", region="eu"),
            "--region is not an option of --target minio, which",
        ),
        ("prod", ["--target", "minnio"], "'minnio' is not one of"),
        ("prod", [], "Missing option '--target'"),
        ("prod", options("minio", endpoint="embedded"), "credentials: minio has no effect on the embedded store"),
        ("elsewhere/Pulumi.prod.yaml", options("minio"), "is not in"),
        ("prod", options("s3", endpoint='http://a"\n# x'), "endpoint: "),
    ],
)
def test_wrong_values_are_refused_and_nothing_is_written(environments, capsys, environment, arguments, words):
    assert cli.run(["new", environment, *arguments]) == 2
    assert words in capsys.readouterr().err
    assert list(environments.iterdir()) == []


def test_a_missing_folder_is_created(environments):
    environments.rmdir()
    assert cli.run(["new", "prod", *options("minio")]) == 0
    assert (environments / "Pulumi.prod.yaml").is_file()


def test_a_folder_that_cannot_be_written_is_a_sentence(environments, capsys):
    environments.rmdir()
    environments.touch()
    assert cli.run(["new", "prod", *options("minio")]) == 1
    assert "Not a directory; correct that" in capsys.readouterr().err


def test_a_terminal_prompts_until_the_value_is_valid(project):
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "infra", "new", "prod", "--target", "gcp"],
        cwd=project.root,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(terminal)
    os.write(master, b"123\nacme-media\nEU\n")
    said, _ = process.communicate(timeout=60)
    os.close(master)
    assert process.returncode == 0, said
    assert "must be the ID of a project, not its name or number" in said
    with in_folder(project.environments):
        config = load_environment("prod")
    assert (config.project, config.location) == ("acme-media", "EU")


# --- on real stores -------------------------------------------------------------------------------------


@pytest.fixture
def name() -> str:
    return fresh("n")


def deploys(environment: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["init", environment, "--check"]) == 0, capsys.readouterr().err
    assert "access checks passed" in capsys.readouterr().out


def use_admin(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    for variable, value in admin_variables(store).items():
        monkeypatch.setenv(variable, value)


def suggested(text: str, store: Store) -> str:
    """The file with every setting that it suggests; browsers reach the store where it is."""
    return with_suggestions(text).replace("https://media.example\n", f"{store.endpoint}\n")


@contextmanager
def removed(store: Store, credentials: str, environment: str) -> Iterator[None]:
    """Remove the environment from the store when the block ends."""
    try:
        yield
    finally:
        identity_manager(credentials, {}).delete_identity(store, f"mpr-{environment}-app")
        for role in ("in", "out"):
            remove_bucket(store.s3, f"mpr-{environment}-{role}")


def test_an_environment_on_seaweedfs_and_on_minio_deploys(environments, server, monkeypatch, capsys, name):
    use_admin(monkeypatch, server.store)
    target = {"iam": "seaweedfs", "minio": "minio"}[server.credentials]
    file = new(name, target, endpoint=server.store.endpoint)
    with removed(server.store, server.credentials, name):
        deploys(name, capsys)
        file.write_text(suggested(file.read_text(), server.store))
        deploys(name, capsys)


def test_an_environment_on_another_store_deploys(environments, seaweed_store, monkeypatch, capsys, name):
    use_admin(monkeypatch, seaweed_store)
    file = new(name, "s3", endpoint=seaweed_store.endpoint)
    text = file.read_text()
    with removed(seaweed_store, "iam", name):
        # Makes the access key on the store, as its administrator would.
        file.write_text(text.replace("credentials: static", "credentials: iam"))
        deploys(name, capsys)
        key = files.access_key(files.path(name, "app"))
        assert key
        files.path(name, "app").unlink()
        monkeypatch.setenv("MPR_APP_ACCESS_KEY_ID", key.access_key_id)
        monkeypatch.setenv("MPR_APP_SECRET_ACCESS_KEY", key.secret_access_key)
        file.write_text(text)
        deploys(name, capsys)
        assert files.access_key(files.path(name, "app")) == key
        file.write_text(suggested(text, seaweed_store))
        deploys(name, capsys)
