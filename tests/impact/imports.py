"""The import graph of a project, read from its source. No module is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """The names that one file imports when it runs, and where the names come from that others import from it."""

    imported: frozenset[str]
    origins: Mapping[str, str]


def parsed(path: Path) -> ast.Module:
    """Parse one file; one with a syntax error counts as empty, because pytest reports the error better."""
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError:
        return ast.Module([], [])


def read(path: Path, package: str) -> Source:
    """Return what one file imports; `package` is the package that its relative imports start from."""
    nodes = list(ast.walk(parsed(path)))
    # Imports for type checkers are no dependency of a run, but say where a package's lazy name is defined.
    typing = {
        inner
        for node in nodes
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    imported = {name for node in nodes if node not in typing for name in _names(node, package)}
    origins = {
        alias.asname or alias.name: f"{_base(node, package)}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return Source(frozenset(imported), origins)


def dependencies(root: Path, files: list[str]) -> dict[str, set[str]]:
    """Return the files that each Python file depends on directly.

    A name that a package re-exports, lazily too, counts as the module that defines it. A test depends on the
    `conftest.py` of its folder and of those above, because pytest imports them.
    """
    modules = {_module(path): path for path in files if path.endswith(".py")}
    sources = {
        path: read(root / path, name if path.endswith("/__init__.py") else name.rpartition(".")[0])
        for name, path in modules.items()
        if (root / path).exists()  # a deleted module is imported still, and imports nothing
    }

    def resolve(name: str) -> Iterator[str]:
        parent, _, last = name.rpartition(".")
        if name in modules:
            yield modules[name]
        elif last == "*":
            yield from (path for module, path in modules.items() if module.rpartition(".")[0] == parent)
        elif parent in modules:
            yield modules[parent]
            source = sources.get(modules[parent])
            if source and source.origins.get(last, name) != name:
                yield from resolve(source.origins[last])

    graph = {}
    for path, source in sources.items():
        graph[path] = {target for name in source.imported for target in resolve(name)}
        if Path(path).name.startswith("test_"):
            graph[path] |= {str(folder / "conftest.py") for folder in Path(path).parents} & sources.keys()
        graph[path].discard(path)
    return graph


def _module(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def _base(node: ast.ImportFrom, package: str) -> str:
    start = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    return ".".join([*start, *([node.module] if node.module else [])])


def _names(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield _base(node, package)
        yield from (f"{_base(node, package)}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        name = node.value.partition(":")[0]  # the table of commands has "infra.init:init"
        yield from (name, f"{name}.__main__")  # the second runs as `python -m name`
    elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        start = str(node.values[0].value)
        if start.endswith("."):
            yield f"{start}*"  # f"infra.targets.{name}" may be any module of the package
