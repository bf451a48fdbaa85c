"""The types of the library, as type checkers and editors see them in an application that has installed it.

`typing_samples` holds such an application, and wrong uses. mypy and Pyright, each in its strict mode, check them
in virtual environments: one with boto3-stubs, for the oldest supported version of Python, and one without, for the
newest.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import jedi  # type: ignore[import-untyped]
import pytest

import core.storage
from core.storage import FrameCache, Settings, TransferResult, aio, keys
from core.storage.testing import FakeStorage

SAMPLES = Path(__file__).with_name("typing_samples")
#: Packages of types for boto3, botocore and s3transfer.
STUBS = ("boto3-stubs", "boto3_stubs", "botocore-stubs", "botocore_stubs", "mypy_boto3_", "s3transfer-stubs")
IGNORE = re.compile(r" {2}# type: ignore\[.*]$")
#: Without boto3-stubs, the client and everything that it returns is Any.
CLIENT_WITHOUT_STUBS = """
from typing import Any, assert_type
from core.storage import get_s3_client
assert_type(get_s3_client().get_object(Bucket="b", Key=1)["ContentLength"], Any)
number: int = get_s3_client()
"""
#: Functions with a signature for each kind of items.
MANY = {"delete_many", "download_many", "upload_many"}
METHODS = (FunctionType, classmethod, property)
MODULES = {"aio", "keys", "settings", "testing"}


@dataclass(frozen=True)
class Application:
    """A folder with the samples, and the virtual environment that they are checked in."""

    folder: Path
    python: Path
    version: str
    #: The file and number of each line that must be an error.
    wrong: frozenset[tuple[str, int]]


@pytest.fixture(scope="module")
def applications(tmp_path_factory) -> dict[str, Application]:
    return {
        "with stubs": _application(tmp_path_factory.mktemp("with"), "3.11", has_stubs=True),
        "without stubs": _application(tmp_path_factory.mktemp("without"), "3.13", has_stubs=False),
    }


def _application(root: Path, version: str, *, has_stubs: bool) -> Application:
    builder = venv.EnvBuilder(symlinks=True)
    builder.create(root / "venv")
    python = Path(builder.ensure_directories(root / "venv").env_exe)
    packages = next((root / "venv").glob("lib/python*/site-packages"))
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if path.suffix != ".pth" and path.name != "core" and (has_stubs or not path.name.startswith(STUBS)):
            (packages / path.name).symlink_to(path)
    # The files, as pip installs them: editors follow a link to its target, which is in no virtual environment.
    shutil.copytree(
        Path(core.storage.__file__).parent,
        packages / "core" / "storage",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    folder = root / "application"
    folder.mkdir()
    wrong: set[tuple[str, int]] = set()
    for path in SAMPLES.glob("*.py"):
        if has_stubs or path.name != "client_with_stubs.py":
            wrong.update(_copy(path.name, path.read_text(), folder))
    if not has_stubs:
        wrong.update(_copy("client_without_stubs.py", CLIENT_WITHOUT_STUBS, folder))
    config = {"typeCheckingMode": "strict", "pythonVersion": version}
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    return Application(folder, python, version, frozenset(wrong))


def _copy(name: str, text: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Write a sample so that its wrong lines are errors, and a copy in which each `assert_type` is wrong, too."""
    lines = text.splitlines()
    yield from ((name, number) for number, line in enumerate(lines, 1) if IGNORE.search(line))
    lines = [IGNORE.sub("", line) for line in lines]
    (folder / name).write_text("\n".join(lines))
    copy = f"changed_{name}"
    for call in _assertions(text):
        assert call.lineno == call.end_lineno, (
            f"{name}:{call.lineno} must be one line: checkers choose different ones"
        )
        expected = call.args[1]
        line = lines[call.lineno - 1]
        lines[call.lineno - 1] = f'{line[: expected.col_offset]}"set[bytes]"{line[expected.end_col_offset :]}'
        yield copy, call.lineno
    (folder / copy).write_text("\n".join(lines))


def _assertions(text: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "assert_type":
            yield node


def _mypy(application: Application) -> Iterator[tuple[str, int, str]]:
    folder = application.folder
    options = [f"--python-version={application.version}", f"--python-executable={application.python}"]
    command = [
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--output=json",
        f"--cache-dir={folder}-cache",
        *options,
    ]
    for line in _output(folder, *command, ".").splitlines():
        row = json.loads(line)
        if row["severity"] == "error":
            yield row["file"], row["line"], row["message"]


def _pyright(application: Application) -> Iterator[tuple[str, int, str]]:
    command = ["-m", "basedpyright", "--outputjson", "--pythonpath", str(application.python)]
    for row in json.loads(_output(application.folder, *command))["generalDiagnostics"]:
        yield Path(row["file"]).name, row["range"]["start"]["line"] + 1, row["message"]


def _output(folder: Path, *command: str) -> str:
    process = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (1, ""), process.stdout + process.stderr
    return process.stdout


@pytest.mark.parametrize(
    ("stubs", "checker"),
    [
        ("with stubs", _mypy),
        ("with stubs", _pyright),
        ("without stubs", _pyright),
        pytest.param("without stubs", _mypy, marks=pytest.mark.flow),
    ],
)
def test_wrong_uses_are_errors_and_nothing_else_is(applications, stubs, checker):
    application: Application = applications[stubs]
    errors = {(file, line): message for file, line, message in checker(application)}
    changed = {(file, line) for file, line in errors if file.startswith("changed_")}
    assert sorted(application.wrong - errors.keys()) == []
    # A copy with changed types may be wrong in other lines, too: its imports are not used.
    assert {error: errors[error] for error in errors.keys() - application.wrong - changed} == {}


def test_the_samples_use_everything_that_is_public():
    trees = [ast.parse(path.read_text()) for path in SAMPLES.glob("application*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert set(core.storage.__all__) <= names
    assert set(aio.__all__) <= attributes
    defined = {name for name, value in vars(keys).items() if getattr(value, "__module__", "") == keys.__name__}
    assert {name for name in defined if name[0] != "_"} <= names
    for kind in (FakeStorage, FrameCache, Settings, TransferResult):
        methods = {name for name, value in vars(kind).items() if isinstance(value, METHODS) and name[0] != "_"}
        assert methods - {"dialect"} <= attributes, kind


def test_every_public_name_has_a_type_that_needs_no_inference(applications):
    application: Application = applications["with stubs"]
    # Pyright finds the virtual environment by its `python` here, and does not regard --pythonpath.
    environment = os.environ | {"PATH": f"{application.python.parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "basedpyright", "--verifytypes", "core.storage", "--ignoreexternal"]
    options: Any = {"cwd": application.folder, "env": environment, "capture_output": True, "text": True}
    report = subprocess.run(command, **options, check=False).stdout
    assert "Type completeness score: 100%" in report, report


@pytest.fixture(scope="module")
def script(applications, tmp_path_factory) -> Iterator[Callable[[str], jedi.Script]]:
    """A program of the application, in an editor that uses jedi."""
    application = applications["with stubs"]
    environment = jedi.create_environment(application.python.parent.parent, safe=False)
    project = jedi.Project(application.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jedi.settings, "cache_directory", str(tmp_path_factory.mktemp("jedi")))
        yield lambda program: jedi.Script(program, environment=environment, project=project)


@pytest.mark.parametrize("program", ["from core.storage import ", "import core.storage as s\ns."])
def test_completion_offers_the_public_names_before_the_private_ones(script, program):
    offered = [completion.name for completion in script(program).complete()]
    public = [name for name in offered if name[0] != "_"]
    # jedi lists every module of a folder, and sorts those with an underscore behind all others.
    assert offered[: len(public)] == public
    assert set(public) - {"TYPE_CHECKING"} == {*core.storage.__all__, *MODULES}


def test_completion_of_the_functions_for_asyncio_offers_nothing_else(script):
    offered = [completion.name for completion in script("from core.storage import aio\naio.").complete()]
    assert [name for name in offered if name[0] != "_"] == aio.__all__


def test_completion_in_a_running_interpreter_offers_no_private_name():
    assert callable(core.storage.upload_file)  # it is imported now, and private modules with it
    interpreter = jedi.Interpreter("s.", [{"s": core.storage}])
    offered = {completion.name for completion in interpreter.complete()}
    assert set(core.storage.__all__) <= offered
    assert {name for name in offered if not name.endswith("__")} <= {*core.storage.__all__, *MODULES}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("next(s.list_objects('b'))", {"key", "size", "etag"}),
        ("next(s.download_many(s.list_objects('b'), None))", {"item", "error", "ok", "data"}),
        ("next(s.download_many(s.list_objects('b'), None)).item", {"key", "size", "etag"}),
        ("next(s.upload_many([('file', 'b', 'k')]))", {"item", "error", "ok"}),
        ("next(s.delete_many([('b', 'k')])).info", {"key", "size", "etag"}),
        ("s.temporary_download('b', 'k').__enter__()", {"read_bytes", "suffix"}),
        ("s.get_s3_client()", {"head_object", "upload_file"}),
        ("s.Settings.load()", {"to_env", "region"}),
        ("s.FrameCache('match-01').manifest()", {"frames", "run"}),
    ],
)
def test_completion_knows_the_results(script, expression, expected):
    program = f"import core.storage as s\n({expression})."
    assert expected <= {completion.name for completion in script(program).complete()}


@pytest.mark.parametrize("module", [core.storage, aio], ids=["core.storage", "aio"])
def test_hover_and_signature_help_show_the_documented_functions(script, module):
    names = [name for name in module.__all__ if name[0].islower() or name in {"FrameCache", "ObjectInfo"}]
    for name in names:
        function = getattr(module, name)
        program = script(f"import {module.__name__} as s\ns.{name}(")
        signatures = program.get_signatures()
        assert len(signatures) == 3 if name in MANY else signatures, name
        parameters = list(inspect.signature(function).parameters)
        assert all([parameter.name for parameter in each.params] == parameters for each in signatures), name
        # The documentation of the functions for asyncio is copied at their import, which an editor does not see.
        documentation = f"Do as `core.storage.{name}`." if module is aio else inspect.getdoc(function)
        [shown] = program.help(line=2, column=3)
        assert shown.docstring().endswith(documentation), name
