from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from infra import targets
from infra.errors import UsageError
from infra.targets import program
from infra.targets.registry import TARGETS

FOLDER = Path(targets.__file__).parent


def folder_of(target: str) -> str:
    return target.replace("-", "_")


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_a_program_that_follows_the_protocol(target: str):
    loaded = program.load_program(target)
    module = import_module(f"infra.targets.{folder_of(target)}.program")
    assert loaded is module.Program
    assert callable(loaded.bucket)
    assert callable(loaded.identity)
    assert module.__doc__
    assert target in module.__doc__


def test_every_folder_is_a_target_with_its_specification_and_program():
    for file in ("spec.py", "program.py"):
        assert {path.parent.name for path in FOLDER.glob(f"*/{file}")} == {folder_of(target) for target in TARGETS}


def test_a_missing_sdk_is_an_error_that_names_what_to_install(monkeypatch: pytest.MonkeyPatch):
    def without_sdk(name: str) -> None:
        raise ModuleNotFoundError(name, name="pulumi_gcp")

    monkeypatch.setattr(program, "import_module", without_sdk)
    with pytest.raises(UsageError, match=r"target gcp needs pulumi_gcp: install it with `make \.venv/gcp`"):
        program.load_program("gcp")


def test_another_missing_module_is_not_hidden(monkeypatch: pytest.MonkeyPatch):
    def broken(name: str) -> None:
        raise ModuleNotFoundError(name, name="infra.missing")

    monkeypatch.setattr(program, "import_module", broken)
    with pytest.raises(ModuleNotFoundError):
        program.load_program("gcp")
