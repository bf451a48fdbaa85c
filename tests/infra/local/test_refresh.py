from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra import plan
from infra.local import refresh
from tests.infra.conftest import Environment

COMPLETE = {"checkpoint": {"latest": {"resources": [{"urn": "u"}]}}}
PENDING = {"checkpoint": {"latest": {"resources": [{"urn": "u"}], "pending_operations": [{"type": "creating"}]}}}


@pytest.fixture
def deployed(seaweed_environment: Environment, tmp_path: Path) -> tuple[Environment, Path]:
    """Return an environment, and the file of its state, which is written after the env files."""
    seaweed_environment.values["buckets"]["out"]["versioning"] = True
    seaweed_environment.initialise()
    state = tmp_path / "state.json"
    state.write_text(json.dumps(COMPLETE))
    return seaweed_environment, state


def is_needed(deployed: tuple[Environment, Path]) -> bool:
    environment, state = deployed
    return refresh.is_needed(plan.make(environment.config), state)


def test_no_refresh_before_the_first_update_and_after_a_complete_one(deployed):
    assert not is_needed(deployed)
    deployed[1].unlink()
    assert not is_needed(deployed)


@pytest.mark.parametrize("content", [json.dumps(PENDING), "", "{}", "[]", '{"checkpoint": {"latest": {}}}'])
def test_a_refresh_after_an_incomplete_update(deployed, content):
    deployed[1].write_text(content)
    assert is_needed(deployed)


def delete_bucket(environment: Environment) -> None:
    environment.store.s3.delete_bucket(Bucket=f"{environment.name}-out")


def change_bucket(environment: Environment) -> None:
    environment.store.s3.put_bucket_versioning(
        Bucket=f"{environment.name}-out", VersioningConfiguration={"Status": "Suspended"}
    )


def delete_env_file(environment: Environment) -> None:
    environment.file("app").unlink()


def write_env_file(environment: Environment) -> None:
    later = time.time() + 10
    os.utime(environment.file("app"), (later, later))


def configure(environment: Environment) -> None:
    environment.values["buckets"]["in"]["versioning"] = True


@pytest.mark.parametrize("change", [delete_bucket, change_bucket, delete_env_file, write_env_file, configure])
def test_a_refresh_after_a_change_behind_pulumi(deployed, change: Callable[[Environment], None]):
    change(deployed[0])
    assert is_needed(deployed)
