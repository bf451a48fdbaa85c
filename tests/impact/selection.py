"""Which test files are nearest to a change, and how many of them fit into a short run."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.impact.imports import parsed


@dataclass(frozen=True)
class Candidate:
    """A test file that depends on a change."""

    path: str
    #: 0: changed itself, or named for a changed module. 1: imports it or names it. 2 and more: through others.
    distance: int
    #: The number of folder names that it shares with a changed file.
    shared: int
    #: The number of files that it imports. A test that imports few is more about each of them.
    imports: int
    #: The number of its test functions.
    tests: int


@dataclass(frozen=True)
class Selection:
    """Test files in the order of their distance: those to run, and those left to a full run."""

    chosen: list[Candidate]
    left: list[Candidate]


def candidates(
    root: Path, graph: Mapping[str, set[str]], changed: Collection[str], excluded: Collection[str]
) -> list[Candidate]:
    """Return the test files that depend on the changed files and have no excluded marker, nearest first."""
    found = []
    for path, distance in _distances(root, graph, changed).items():
        if is_test(path) and (root / path).exists():
            tree = parsed(root / path)
            if not _markers(tree) & set(excluded):
                shared = max(len({*Path(path).parts[1:-1]} & {*Path(other).parts[:-1]}) for other in changed)
                found.append(Candidate(path, distance, shared, len(graph[path]), _count(tree)))
    return sorted(found, key=lambda test: (test.distance, -test.shared, test.imports, test.path))


def select(nearest: list[Candidate], budget: int) -> Selection:
    """Choose all files of distance 0, and then the nearest ones until one of them exceeds `budget` tests."""
    total = 0
    for index, candidate in enumerate(nearest):
        total += candidate.tests
        if candidate.distance and total > budget:
            return Selection(nearest[:index], nearest[index:])
    return Selection(nearest, [])


def is_test(path: str) -> bool:
    """Whether pytest collects a file."""
    return path.startswith("tests/") and Path(path).match("test_*.py")


def mirrors(test: str, module: str) -> bool:
    """Whether a test file is named for a module, as tests/infra/test_env_files.py is for infra/env/files.py."""
    name, folder = Path(module).stem.strip("_"), Path(module).parent
    named = Path(test).stem in {f"test_{name}", f"test_{folder.name.strip('_')}_{name}"}
    return named and {*Path(test).parts[1:-1]} <= {*folder.parts}


def _distances(root: Path, graph: Mapping[str, set[str]], changed: Collection[str]) -> dict[str, int]:
    graph = _with_text(root, graph, changed)
    nearest = {path for path in graph if is_test(path) and any(mirrors(path, module) for module in changed)}
    distances = dict.fromkeys({*changed, *nearest}, 0)
    ring = set(changed)
    while ring:
        distance = distances[next(iter(ring))] + 1
        ring = {path for path, targets in graph.items() if targets & ring} - distances.keys()
        distances |= dict.fromkeys(ring, distance)
    return distances


def _with_text(root: Path, graph: Mapping[str, set[str]], changed: Collection[str]) -> dict[str, set[str]]:
    """Return the graph, in which files of the tests depend on each changed file of another kind that they name."""
    texts = {path: (root / path).read_text(encoding="utf-8") for path in graph if path.startswith("tests/")}
    result = {path: set(targets) for path, targets in graph.items()}
    for other in (path for path in changed if not path.endswith(".py")):
        for pattern in _patterns(Path(other)):
            users = [path for path, text in texts.items() if pattern.search(text)]
            for path in users:
                result[path].add(other)
            if users:
                break
    return result


def _patterns(path: Path) -> list[re.Pattern[str]]:
    """Return how a text may name a file, the most exact way first: its path, its name, one of its folders.

    In quotes or in a path, because a name without an extension could be any word.
    """
    names = [path.name, *(str(folder) for folder in path.parents if folder.name)]
    whole = re.compile(rf"([\"']|(?<![\w-])/){re.escape(str(path))}[\"'/ ]")  # README.md is not tests/README.md
    return [whole, *(re.compile(rf"[\"'/]{re.escape(name)}[\"'/ ]") for name in names if name != str(path))]


def _count(tree: ast.Module) -> int:
    return sum(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in ast.walk(tree))


def _markers(tree: ast.Module) -> set[str]:
    """Return the markers that every test of the file has."""
    return {
        name
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for name in re.findall(r"\bmark\.(\w+)", ast.unparse(node.value))
    }
