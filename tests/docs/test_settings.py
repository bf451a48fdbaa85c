"""The store or target that a configuration in the documentation names accepts it, as in reference/settings.md."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from infra.config import stack_yaml
from infra.config.load import load_environment
from infra.stores.kinds import KINDS, bucket_settings
from infra.targets.registry import TARGETS
from tests.conftest import REPO
from tests.docs._blocks import blocks
from tests.infra.conftest import fresh

CONFIGURATIONS = [
    pytest.param(block, id=f"{page.stem}-{yaml.safe_load(block)['config']['mpr-storage:target']}")
    for page in sorted((REPO / "docs").rglob("*.md"))
    for block in blocks(page.read_text(encoding="utf-8"), "yaml")
    if block.startswith("config:")
]
FOR_MINIO = [block for block in CONFIGURATIONS if "credentials: minio" in str(block.values)]
#: The store kind that a configuration names by how its access keys are created.
KIND_OF_CREDENTIALS = {"iam": "SeaweedFS", "minio": "MinIO"}


def test_the_documentation_shows_configurations():
    assert len(CONFIGURATIONS) >= 6
    assert len(FOR_MINIO) >= 2


@pytest.mark.parametrize("block", CONFIGURATIONS)
def test_the_store_kind_that_a_configuration_names_supports_every_setting_in_it(block, environments):
    (environments / "Pulumi.studio.yaml").write_text(block, encoding="utf-8")
    config = load_environment("studio")
    if not TARGETS[config.target].is_cloud:
        kind = next(kind for kind in KINDS if kind.name == KIND_OF_CREDENTIALS[config.credentials])
        bucket_settings(config, kind)


@pytest.mark.minio
@pytest.mark.parametrize("block", FOR_MINIO)
def test_minio_accepts_the_configuration_that_names_it(block, environments, minio_environment):
    (environments / "Pulumi.studio.yaml").write_text(block, encoding="utf-8")
    values: dict[str, Any] = {**stack_yaml.read("studio").values} | {"endpoint": minio_environment.store.endpoint}
    for bucket in values["buckets"].values():
        bucket["name"] = fresh()
    minio_environment.values.clear()
    minio_environment.values.update(values)
    done = minio_environment.initialise()
    assert [outcome for thing, outcome in done.items() if thing.startswith("bucket ")] == ["created", "created"]
