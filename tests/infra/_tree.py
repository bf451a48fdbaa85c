"""The resources that a program registered, as a tree of lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

STACK = "pulumi:pulumi:Stack"


def tree(registrations: Mapping[str, Any], environment: str) -> str:
    """Return a line for each resource below the stack: its type, its name, its former name, what protects it.

    Args:
        registrations: the requests of a run by URN.
        environment: its name, which the lines show as ENV.
    """
    roots = [
        urn for urn, request in registrations.items() if STACK in request.parent and "$" not in request.parent
    ]
    lines = [line for root in sorted(roots) for line in _lines(registrations, root, "")]
    return "\n".join(lines).replace(environment, "ENV")


def _lines(registrations: Mapping[str, Any], urn: str, indent: str) -> Iterator[str]:
    request = registrations[urn]
    yield f"{indent}{_kind(request)} {request.name}{_former(request)}{_guard(request)}"
    children = [child for child, other in registrations.items() if other.parent == urn]
    for child in sorted(children, key=lambda child: (registrations[child].name, _kind(registrations[child]))):
        yield from _lines(registrations, child, f"{indent}  ")


def _kind(request: Any) -> str:
    """The type without its module, and for component resources with the namespace of this project."""
    package, _, name = request.type.rpartition(":")
    return f"mpr-storage:{name}" if package == "mpr-storage:index" else name


def _former(request: Any) -> str:
    named = [alias.spec for alias in request.aliases if alias.spec.name]  # SDKs add aliases of types
    assert all(alias.noParent for alias in named), "every former resource was in the stack itself"
    return "".join(f" < {alias.name}" for alias in named)


def _guard(request: Any) -> str:
    kept = request.retainOnDelete and (" kept" if request.protect else " left")
    return kept or (" protected" if request.protect else "")
