"""`python -m infra` without its requirements, or with a Python that is too old, says what to do."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from infra import cli
from infra.__main__ import REQUIRED
from tests.conftest import REPO
from tests.infra.test_dependencies import ALL, IN_CORE, OPTIONAL, STUBS, top_level, uses


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the clone."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHON"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPO,
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def infra_after(statement: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m infra`` in an interpreter that has run `statement` before."""
    run = "import runpy; runpy.run_module('infra', run_name='__main__', alter_sys=True)"
    return python("-c", f"import sys\n{statement}\nsys.argv[1:] = {list(arguments)!r}\n{run}")


def without(module: str) -> str:
    """Return statements after which `module` cannot be imported, as where it is not installed."""
    return f"""
class Finder:
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Finder)"""


def is_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("error: python -m infra needs ")
    assert len(done.stderr.splitlines()) == 1
    for word in words:
        assert word in done.stderr


def is_a_traceback(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback ")
    assert "Error: " in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("arguments", [[], ["--help"], *([name] for name in cli._COMMANDS)], ids=" ".join)
def test_every_command_without_any_requirement_is_one_sentence(arguments):
    is_one_sentence(
        python("-S", "-m", "infra", *arguments),  # without site-packages
        "needs the module click",
        sys.executable,
        "use `./mpr`",
        "pip install -r requirements/local.txt",
    )


def test_a_requirement_that_only_one_command_needs_is_one_sentence_too():
    is_one_sentence(infra_after(without("rich"), "check", "--help"), "needs the module rich")


@pytest.mark.parametrize("module", ["infra.errors", "infra.check.runner", "core.storage", "json", "rich.table"])
def test_a_failed_import_of_any_other_module_stays_a_traceback(module):
    is_a_traceback(infra_after(without(module), "check", "--help"))


def test_a_name_that_one_of_our_modules_does_not_have_stays_a_traceback():
    is_a_traceback(infra_after("import infra.check.runner\ndel infra.check.runner.run", "check", "--help"))


def test_a_python_that_is_too_old_is_one_sentence():
    is_one_sentence(
        infra_after("sys.version_info, sys.version = (3, 10, 4), '3.10.4 (main)'", "up"),
        "needs Python 3.11 or newer, and this is Python 3.10.4",
        "PYTHON=python3.12 ./mpr",
    )


@pytest.mark.parametrize("file", ["__init__.py", "__main__.py"])
def test_what_an_old_python_reads_first_has_no_newer_syntax(file):
    source = (REPO / "infra" / file).read_text(encoding="utf-8")
    assert "from __future__ import annotations" not in source, "Python 3.6 refuses it"
    ast.parse(source, feature_version=(3, 4))


def test_the_table_of_requirements_is_what_the_modules_import():
    found = {top_level(module) for name in ALL for module in uses(name) if not module.startswith(STUBS)}
    ours = {"infra", "core", *(module for modules in OPTIONAL.values() for module in modules)}
    providers = {name for name in found if name.startswith("pulumi_")}  # infra.targets explains those
    expected = found - set(sys.stdlib_module_names) - ours - providers
    assert expected - (IN_CORE - {"boto3", "botocore"}) == set(REQUIRED)


def test_pulumi_install_installs_the_pinned_requirements_of_the_program():
    options = yaml.safe_load((REPO / "Pulumi.yaml").read_text())["runtime"]["options"]
    assert options == {"toolchain": "pip", "virtualenv": ".venv"}
    lines = (REPO / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["-r requirements/local.txt"]
    pinned = re.split(r"\n(?=\S)", (REPO / "requirements/local.txt").read_text().strip())
    assert all("==" in requirement and "--hash=sha256:" in requirement for requirement in pinned)
    assert any(requirement.startswith("pulumi==") for requirement in pinned)


def test_the_wheel_offers_one_extra_and_the_groups_are_pinned():
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    assert list(project["project"]["optional-dependencies"]) == ["testing"], "the wheel holds core.storage alone"
    assert [
        group for group in project["dependency-groups"] if not (REPO / f"requirements/{group}.txt").exists()
    ] == []
