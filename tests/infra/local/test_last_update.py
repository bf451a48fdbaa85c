from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from infra import plan
from infra.config import stack_files
from infra.env import files
from infra.local import own_state
from infra.local.last_update import LastUpdate
from tests.infra.conftest import Environment


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the project, with a program."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra/program.py").write_text("# of this version")
    monkeypatch.setattr(stack_files, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def updated(seaweed_environment: Environment, root: Path) -> Environment:  # the project
    """Return an environment that was updated and whose update was recorded."""
    seaweed_environment.values["buckets"]["out"]["versioning"] = True
    seaweed_environment.save()
    seaweed_environment.initialise()  # creates the access key, which the state would have
    update = last_update(seaweed_environment)
    state = own_state.state_file(seaweed_environment.name)
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    seaweed_environment.initialise()
    update.record()
    return seaweed_environment


def last_update(environment: Environment) -> LastUpdate:
    return LastUpdate(plan.for_update(environment.config))


def test_a_second_update_is_not_necessary(updated):
    assert last_update(updated).is_current()
    updated.initialise()
    assert last_update(updated).is_current()


@pytest.mark.parametrize("content", ["", "{}", "{"])
def test_it_is_necessary_without_a_complete_record(updated, root, content):
    record = root / f".local/pulumi/{updated.name}.last-update"
    record.write_text(content)
    assert not last_update(updated).is_current()
    record.unlink()
    assert not last_update(updated).is_current()


def delete_bucket(environment: Environment, _: Path) -> None:
    environment.store.s3.delete_bucket(Bucket=f"{environment.name}-out")


def change_bucket(environment: Environment, _: Path) -> None:
    environment.store.s3.put_bucket_versioning(
        Bucket=f"{environment.name}-out", VersioningConfiguration={"Status": "Suspended"}
    )


def delete_identity(environment: Environment, _: Path) -> None:
    environment.server.manager.delete_identity(environment.store, f"mpr-{environment.name}-app")


def delete_env_file(environment: Environment, _: Path) -> None:
    environment.file("app").unlink()


def add_env_file(environment: Environment, _: Path) -> None:
    shutil.copy(environment.file("app"), files.slot_file(environment.file("app"), "b"))


def configure(environment: Environment, _: Path) -> None:
    environment.values["maxKeyAgeDays"] = 30
    environment.save()


def change_state(environment: Environment, _: Path) -> None:
    own_state.state_file(environment.name).write_text("{ }")


def delete_state(environment: Environment, _: Path) -> None:
    own_state.state_file(environment.name).unlink()


def change_program(_: Environment, root: Path) -> None:
    (root / "infra/program.py").write_text("# of the next version")


def add_to_program(_: Environment, root: Path) -> None:
    (root / "infra/added.py").touch()


@pytest.mark.parametrize(
    "change",
    [
        delete_bucket,
        change_bucket,
        delete_identity,
        delete_env_file,
        add_env_file,
        configure,
        change_state,
        delete_state,
        change_program,
        add_to_program,
    ],
)
def test_it_is_necessary_after_a_change(updated, root, change: Callable[[Environment, Path], None]):
    change(updated, root)
    assert not last_update(updated).is_current()


def test_a_change_during_an_update_is_not_taken_for_updated(updated, root):
    update = last_update(updated)
    configure(updated, root)
    update.record()
    assert not last_update(updated).is_current()
