from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from infra import targets
from infra.config import BucketConfig, EnvironmentConfig
from infra.features import TARGETS


def module_of(target: str) -> str:
    return f"infra.targets.{target.replace('-', '_')}"


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_every_target_has_a_module_that_follows_the_protocol(target: str):
    module = import_module(module_of(target))
    assert callable(module.provision)
    assert module.__doc__
    assert target in module.__doc__


def test_every_module_in_the_folder_is_a_target():
    there = {f"infra.targets.{one.stem}" for one in Path(targets.__file__).parent.glob("[!_]*.py")}
    assert there == {module_of(target) for target in TARGETS}


def test_provision_hands_over_to_the_module_of_the_target(monkeypatch: pytest.MonkeyPatch):
    wanted = EnvironmentConfig(
        environment="test", target="s3-compatible", bucket_in=BucketConfig(), bucket_out=BucketConfig()
    )
    called: list[tuple[object, ...]] = []
    answer: dict[str, targets.Access] = {}

    def provision(*arguments: object) -> dict[str, targets.Access]:
        called.append(arguments)
        return answer

    monkeypatch.setattr("infra.targets.s3_compatible.provision", provision)
    assert targets.provision(wanted, {"a": "b"}) is answer
    assert called == [(wanted, {"a": "b"})]
