"""Check the README: the output that it shows, its configurations, its installation, its order of commands."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import cli
from infra.config import stack_files, stack_yaml
from infra.config.load import load_environment
from infra.local import engine, running, store
from infra.local.running import EmbeddedStore
from infra.stores.kinds import KINDS, bucket_settings
from infra.stores.store import Store
from infra.targets.registry import TARGETS
from tests.conftest import REPO
from tests.docs._blocks import blocks, commands, matches
from tests.infra.conftest import Environment, Server, fresh, remove_environment

README = (REPO / "README.md").read_text(encoding="utf-8")
CONFIGURATIONS = [block for block in blocks(README, "yaml") if "mpr-storage:" in block]
#: Where the README says that the store of `make up` runs; that of a test has a port of its own.
SHOWN_ENDPOINT = "http://127.0.0.1:8333"
#: The store kind that a configuration names by how its access keys are created.
KIND_OF_CREDENTIALS = {"iam": "SeaweedFS", "minio": "MinIO"}


@pytest.fixture
def local_environment(seaweed_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Deploy the committed environment `local` to the SeaweedFS of the tests instead of a new embedded one."""
    monkeypatch.setattr(stack_files, "ROOT", tmp_path)
    monkeypatch.setattr(stack_files, "ENVIRONMENTS", tmp_path / "environments")
    (tmp_path / "environments").mkdir()
    shutil.copy(REPO / "environments/Pulumi.local.yaml", tmp_path / "environments")
    embedded = EmbeddedStore(seaweed_store.endpoint, seaweed_store.admin, pid=0)
    monkeypatch.setattr(store, "start", lambda **_: embedded)
    monkeypatch.setattr(running, "find", lambda: embedded)
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(engine, "install", lambda: None)
    monkeypatch.setenv("COLUMNS", "120")
    yield
    remove_environment(
        Environment("local", Server(seaweed_store, "iam"), tmp_path, dict(stack_yaml.read("local").values))
    )


@pytest.mark.usefixtures("local_environment")
def test_the_output_of_make_up_is_what_the_readme_shows(seaweed_store, capsys):
    command, _, shown = blocks(README, "console")[0].partition("\n")
    assert command == "$ make up"
    assert cli.run(["up"]) == 0
    printed = capsys.readouterr().out.replace(seaweed_store.endpoint, SHOWN_ENDPOINT)
    assert matches(shown, printed), f"the README must show this output:\n{printed}"


def test_the_readme_shows_configurations():
    assert len(CONFIGURATIONS) == 2


@pytest.mark.parametrize(
    "block", CONFIGURATIONS, ids=lambda block: yaml.safe_load(block)["config"]["mpr-storage:target"]
)
def test_the_store_kind_that_a_configuration_of_the_readme_names_supports_every_setting_in_it(block, environments):
    (environments / "Pulumi.studio.yaml").write_text(block, encoding="utf-8")
    config = load_environment("studio")
    if not TARGETS[config.target].is_cloud:
        kind = next(kind for kind in KINDS if kind.name == KIND_OF_CREDENTIALS[config.credentials])
        bucket_settings(config, kind)


@pytest.mark.minio
@pytest.mark.parametrize("block", [block for block in CONFIGURATIONS if "credentials: minio" in block])
def test_minio_accepts_the_configuration_of_the_readme_that_names_it(block, environments, minio_environment):
    (environments / "Pulumi.studio.yaml").write_text(block, encoding="utf-8")
    values: dict[str, Any] = {**stack_yaml.read("studio").values} | {"endpoint": minio_environment.store.endpoint}
    for bucket in values["buckets"].values():
        bucket["name"] = fresh()
    minio_environment.values.clear()
    minio_environment.values.update(values)
    done = minio_environment.initialise()
    assert [outcome for thing, outcome in done.items() if thing.startswith("bucket ")] == ["created", "created"]


def test_every_installation_in_the_readme_names_where_the_package_comes_from():
    installations = [
        command for block in blocks(README, "console") for command in commands(block) if "pip install" in command
    ]
    assert installations
    for command in installations:
        assert re.search(r"pip install (-e )?(\.|/|\S+\.whl|\"mpr-storage @ git\+https://)", command), command


def test_a_new_stack_is_created_before_it_is_deployed():
    deploying = [commands(block) for block in blocks(README, "console") if "pulumi up" in block]
    assert deploying
    for sequence in deploying:
        stack = next(command for command in sequence if command.startswith("pulumi up -s ")).split()[-1]
        assert sequence.index(f"pulumi stack init {stack}") < sequence.index(f"pulumi up -s {stack}")
