"""The dependency rules of the design: who may import what, at the top of a module and inside functions."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import REPO

#: Only these parts of `infra` may import Pulumi.
PULUMI = (
    "infra.program",
    "infra.components",
    "infra.resources",
    "infra.deployer.record",
    "infra.targets.options",
    "infra.targets.program",
    "infra.targets.state",
    *(f"infra.targets.{path.parent.name}.program" for path in (REPO / "infra/targets").glob("*/program.py")),
    "infra.targets.aws.bucket",
    "infra.targets.aws.identity",
)
#: What the library must not need.
NOT_IN_CORE = {"infra", "pulumi", "click", "rich", "minio", "yaml"}
#: What comes with Python, and the one thing that the library may need, with what that is made of.
IN_CORE = {*sys.stdlib_module_names, "core", "boto3", "botocore", "s3transfer", "urllib3"}
#: What one module of it uses only if the program has imported it already.
OPTIONAL = {
    "core.storage._telemetry": {"opentelemetry"},
    "core.storage.testing": {"pytest"},
    "core.storage._testing.server": {"moto", "werkzeug"},
}
#: Known only to type checkers.
STUBS = ("mypy_boto3_", "types_", "typing_extensions")


def modules(package: str) -> dict[str, Path]:
    root = REPO / package
    found = {}
    for file in root.rglob("*.py"):
        name = ".".join(file.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__")
        found[name] = file
    return found


def imported(source: str, package: str = "") -> Iterator[str]:
    """The absolute name of every module that a source imports, wherever in it, `import_module` included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*start, node.module or ""]).strip(".")
            yield base
            yield from (f"{base}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from (
                one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)
            )


def top_level(name: str) -> str:
    return name.partition(".")[0]


ALL = {**modules("core"), **modules("infra")}


@cache
def uses(name: str) -> frozenset[str]:
    file = ALL[name]
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    return frozenset(imported(file.read_text(encoding="utf-8"), package))


def test_these_tests_see_the_modules_of_core_and_infra():
    assert {"core.storage", "core.storage.settings", "infra.cli", "infra.stores.buckets", "infra.program"} <= set(
        ALL
    )
    assert {"pulumi"} <= {top_level(one) for one in uses("infra.program")}


def test_core_is_a_namespace_package():
    assert not (REPO / "core" / "__init__.py").exists()


@pytest.mark.parametrize("name", sorted(one for one in ALL if one.startswith("core.")))
def test_the_library_needs_boto3_alone(name):
    wanted = {top_level(one) for one in uses(name) if not one.startswith(STUBS)}
    assert not wanted & NOT_IN_CORE
    assert wanted <= IN_CORE | OPTIONAL.get(name, set())


@pytest.mark.parametrize("name", sorted(one for one in ALL if one.startswith("core.")))
def test_the_library_imports_no_other_part_of_core(name):
    assert {one for one in uses(name) if top_level(one) == "core" and not one.startswith("core.storage")} <= {
        "core"
    }


@pytest.mark.parametrize("name", sorted(one for one in ALL if one.startswith("infra")))
def test_only_the_program_its_targets_and_resources_import_pulumi(name):
    found = {one for one in uses(name) if top_level(one).startswith("pulumi")}
    if not name.startswith(PULUMI):
        assert found == set()


#: Runs the program, to see what it consists of. Only it may, and nothing imports it but the table of commands.
RUNS_THE_PROGRAM = "infra.deployer.command"


@pytest.mark.parametrize(
    "name",
    sorted(one for one in ALL if one.startswith("infra") and not one.startswith((*PULUMI, RUNS_THE_PROGRAM))),
)
def test_a_module_without_pulumi_imports_no_module_with_pulumi(name):
    assert not {one for one in uses(name) if one.startswith(PULUMI)}


@pytest.mark.parametrize("name", sorted(one for one in ALL if one.startswith("infra.stores")))
def test_stores_know_nothing_of_the_commands(name):
    assert not {
        one for one in uses(name) if one.startswith(("infra.cli", "infra.check", "infra.init", "infra.local"))
    }


@pytest.mark.parametrize("name", sorted(one for one in ALL if one.startswith("infra")))
def test_infra_uses_only_public_names_and_the_facade_of_the_library(name):
    private = {one for one in uses(name) if one.startswith("core.storage._")}
    assert {one for one in private if not one.startswith("core.storage._internal")} == set()


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other in a circle; none if there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def modules_that_it_uses(name: str) -> set[str]:
    """Return the modules that a module imports: a submodule, and not the package that it is imported from."""
    found = {one for one in uses(name) if one in ALL}
    return {one for one in found if not any(other.startswith(f"{one}.") for other in found)} - {name}


#: The registry imports the specification of each target by the name of its folder.
SPECS = {f"infra.targets.{path.parent.name}.spec" for path in (REPO / "infra/targets").glob("*/spec.py")}


@pytest.mark.parametrize("package", ["core", "infra"])
def test_no_modules_import_each_other_in_a_circle(package):
    graph = {name: modules_that_it_uses(name) for name in ALL if name.startswith(package)}
    if package == "infra":
        graph["infra.targets.registry"] |= SPECS
    assert circle_in(graph) == []


def test_a_circle_of_imports_is_found():
    assert set(circle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("source", "package", "found"),
    [
        ("import pulumi.dynamic as d, os", "", {"pulumi.dynamic", "os"}),
        ("def f():\n    from pulumi import Output", "", {"pulumi", "pulumi.Output"}),
        ("if TYPE_CHECKING:\n    import pulumi", "", {"pulumi"}),
        ("import_module('pulumi')", "", {"pulumi"}),
        ("importlib.import_module('pulumi_aws')", "", {"pulumi_aws"}),
        ("from . import a", "infra.stores", {"infra.stores", "infra.stores.a"}),
        ("from ..program import main", "infra.stores", {"infra.program", "infra.program.main"}),
        ("'import pulumi'", "", set()),
    ],
)
def test_an_import_is_found_wherever_it_is(source, package, found):
    assert set(imported(source, package)) == found


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after `statement`."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_library_loads_nothing_heavy():
    assert not loaded_by("import core.storage") & {*NOT_IN_CORE, "boto3", "botocore"}


def test_a_mistyped_command_loads_neither_boto3_nor_pulumi():
    found = loaded_by("from infra import cli\ntry:\n    cli.run(['nonsense'])\nexcept SystemExit:\n    pass")
    assert "click" in found
    assert not found & {"boto3", "botocore", "pulumi", "rich", "minio"}


def test_the_commands_run_without_pulumi():
    blocked = "sys.modules['pulumi'] = None"  # an import of it fails
    found = loaded_by(f"{blocked}\nimport infra.check.command, infra.init, infra.stores.minio, infra.stores.iam")
    assert "infra" in found
