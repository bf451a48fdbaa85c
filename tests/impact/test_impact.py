from __future__ import annotations

import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.impact.__main__ import main
from tests.impact.imports import dependencies
from tests.impact.selection import candidates, mirrors, select

PROJECT = {
    "core/storage/__init__.py": """
        from core.storage._errors import StorageError
        TYPE_CHECKING = False
        if TYPE_CHECKING:
            from core.storage._download import download
            from core.storage._list import list_objects
        def __getattr__(name):
            module = {"download": "_download", "list_objects": "_list"}[name]
            return getattr(__import__("core.storage." + module, fromlist=[name]), name)
    """,
    "core/storage/_errors.py": "class StorageError(Exception): ...",
    "core/storage/_download.py": "from core.storage._list import list_objects\ndownload = 1",
    "core/storage/_list.py": "list_objects = 1",
    "core/storage/__main__.py": "from . import _list",
    "infra/cli.py": "COMMANDS = {'env': 'infra.env.command:env'}",
    "infra/env/__init__.py": "",
    "infra/env/command.py": "",
    "infra/env/files.py": "",
    "infra/targets/__init__.py": "def load(name): return __import__(f'infra.targets.{name}')",
    "infra/targets/gcp.py": "",
    "tests/conftest.py": "",
    "tests/core/conftest.py": "from core.storage._errors import StorageError",
    "tests/core/test_download.py": "def test_a(): ...\ndef test_b(): ...",
    "tests/core/test_errors.py": "from core.storage import StorageError, download\ndef test_a(): ...",
    "tests/core/test_api.py": "from core.storage import list_objects\nimport infra.cli\ndef test_a(): ...",
    "tests/core/test_command.py": "ARGUMENTS = ['-m', 'core.storage']\ndef test_a(): ...",
    "tests/infra/test_env_files.py": "def test_a(): ...",
    "tests/infra/test_readme.py": "README = 'README.md'\ndef test_a(): ...",
    "tests/infra/test_docs.py": "DOCS = 'docs'\nOTHER = 'tests/README.md'\ndef test_a(): ...",
    "tests/engine/test_up.py": """
        import pytest
        from core.storage import download
        pytestmark = [pytest.mark.engine]
        def test_a(): ...
    """,
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path, text in PROJECT.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(textwrap.dedent(text), encoding="utf-8")
    return tmp_path


def nearest(root: Path, *changed: str) -> dict[str, int]:
    graph = dependencies(root, sorted({*PROJECT, *changed}))
    found = candidates(root, graph, changed, {"engine"})
    return {candidate.path.removeprefix("tests/"): candidate.distance for candidate in found}


def test_a_public_name_counts_as_the_module_that_defines_it(project):
    graph = dependencies(project, list(PROJECT))
    assert graph["tests/core/test_api.py"] == {
        "core/storage/__init__.py",
        "core/storage/_list.py",
        "infra/cli.py",
        "tests/conftest.py",
        "tests/core/conftest.py",
    }


def test_the_imports_of_type_checkers_are_no_dependency(project):
    assert dependencies(project, list(PROJECT))["core/storage/__init__.py"] == {"core/storage/_errors.py"}


def test_modules_that_are_imported_by_name_are_dependencies(project):
    graph = dependencies(project, list(PROJECT))
    assert graph["infra/cli.py"] == {"infra/env/command.py"}
    assert graph["infra/targets/__init__.py"] == {"infra/targets/gcp.py"}
    assert "core/storage/__main__.py" in graph["tests/core/test_command.py"]
    assert graph["core/storage/__main__.py"] == {"core/storage/__init__.py", "core/storage/_list.py"}


def test_a_test_named_for_the_module_is_nearest_and_importers_follow_by_distance(project):
    assert nearest(project, "core/storage/_download.py") == {"core/test_download.py": 0, "core/test_errors.py": 1}
    assert nearest(project, "core/storage/_list.py") == {
        "core/test_api.py": 1,
        "core/test_errors.py": 2,
        "core/test_command.py": 2,
    }


def test_a_changed_test_is_nearest_and_a_changed_conftest_concerns_the_tests_of_its_folder(project):
    assert nearest(project, "tests/core/test_api.py") == {"core/test_api.py": 0}
    assert set(nearest(project, "tests/core/conftest.py").values()) == {1}
    assert all(path.startswith("core/") for path in nearest(project, "tests/core/conftest.py"))


def test_a_deleted_module_selects_the_tests_that_import_it(project):
    (project / "core/storage/_list.py").unlink()
    assert nearest(project, "core/storage/_list.py")["core/test_api.py"] == 1


def test_a_module_with_a_syntax_error_selects_the_tests_that_import_it(project):
    (project / "core/storage/_list.py").write_text("def list_objects(:")
    assert nearest(project, "core/storage/_list.py")["core/test_api.py"] == 1


def test_another_kind_of_file_selects_the_tests_that_name_it_or_else_its_folder(project):
    assert nearest(project, "README.md") == {"infra/test_readme.py": 1}
    assert nearest(project, "docs/clouds.md") == {"infra/test_docs.py": 1}
    assert nearest(project, "LICENSE") == {}


@pytest.mark.parametrize(
    ("test", "module", "expected"),
    [
        ("tests/core/test_list.py", "core/storage/_list.py", True),
        ("tests/infra/test_env_files.py", "infra/env/files.py", True),
        ("tests/infra/stores/test_keys.py", "infra/stores/keys.py", True),
        ("tests/infra/stores/test_keys.py", "infra/drift/keys.py", False),
        ("tests/core/test_list.py", "core/storage/_list_ahead.py", False),
    ],
)
def test_a_test_is_named_for_a_module_of_its_own_folders(test, module, expected):
    assert mirrors(test, module) is expected


def test_the_budget_cuts_off_the_furthest_tests_and_never_those_of_the_module_itself(project):
    changed = ["core/storage/_download.py"]
    found = candidates(project, dependencies(project, list(PROJECT)), changed, {"engine"})
    assert [candidate.tests for candidate in found] == [2, 1]
    assert select(found, 3).left == []
    assert [candidate.path for candidate in select(found, 2).left] == ["tests/core/test_errors.py"]
    assert [candidate.path for candidate in select(found, 1).chosen] == ["tests/core/test_download.py"]


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def repository(project: Path) -> Path:
    (project / ".gitignore").write_text("__pycache__\n.pytest_cache\n")
    (project / "pytest.ini").write_text(
        "[pytest]\naddopts = -p no:randomly -p no:cacheprovider\nmarkers = engine\n"
    )
    git(project, "init", "--initial-branch", "main")
    git(project, "add", ".")
    git(project, "commit", "--message", "start")
    return project


def test_the_command_runs_the_tests_of_every_kind_of_change_since_the_branch_left_main(repository, capfd):
    git(repository, "switch", "--create", "work")
    (repository / "core/storage/_download.py").write_text("download = 2")
    git(repository, "commit", "--all", "--message", "committed")
    (repository / "infra/env/files.py").write_text("staged = 1")
    git(repository, "add", ".")
    (repository / "tests/infra/test_readme.py").write_text("def test_unstaged(): ...")
    (repository / "tests/infra/test_new.py").write_text("def test_untracked(): ...")
    assert main(["-m", "not engine", "-v"], repository) == 0
    out = capfd.readouterr().out
    for name in ("test_download.py::test_b", "test_errors.py::test_a", "test_env_files.py::test_a"):
        assert name in out
    assert "test_readme.py::test_unstaged" in out
    assert "test_new.py::test_untracked" in out
    assert "test_up.py" not in out
    assert out.splitlines()[-1] == (
        "Changed files: 4. Selected test files: 5 of 9 (6 test functions): 4 changed or named for a changed file, "
        "1 that import or name a changed file, 0 that depend on one through other modules. "
        "Left to `make test`: 0 more that depend on a changed file (0 test functions)."
    )


def test_on_main_itself_the_command_runs_the_tests_of_what_is_not_committed(repository, capfd):
    assert main([], repository) == 0
    assert capfd.readouterr().out == "Nothing differs from main: there is no test to run.\n"
    (repository / "tests/core/test_api.py").write_text("def test_broken(): assert 0")
    assert main([], repository) == pytest.ExitCode.TESTS_FAILED
    assert "1 failed" in capfd.readouterr().out


def test_a_base_other_than_main_is_compared_with(repository, capfd):
    (repository / "infra/env/files.py").write_text("committed = 1")
    git(repository, "commit", "--all", "--message", "second")
    assert main(["--base", "HEAD~1"], repository) == 0
    assert "1 passed" in capfd.readouterr().out
    assert main(["--base", "no-such-commit"], repository) == 2
    assert "Name a commit with BASE=<commit>" in capfd.readouterr().err


def test_a_change_that_every_test_depends_on_is_left_to_the_full_run(repository, capfd):
    (repository / "tests/conftest.py").write_text("changed = 1")
    assert main(["-m", "not engine"], repository) == 0
    assert capfd.readouterr().out.endswith("Every test depends on tests/conftest.py: run `make test`.\n")


def test_a_change_that_no_test_names_is_said_and_is_no_failure(repository, capfd):
    (repository / "LICENSE").write_text("MIT")
    assert main([], repository) == 0
    assert capfd.readouterr().out.startswith("No test that `make test` runs imports or names a changed file.\n")
