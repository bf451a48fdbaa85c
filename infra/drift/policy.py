"""Compare two policies: what one allows and the other does not. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from infra.drift.difference import ABSENT, Change
from infra.policies import normalised

_COMPARED = {"Action", "Condition", "Effect", "Resource", "Principal"}


class _Grant(NamedTuple):
    """One action of a statement on one resource."""

    effect: str
    resource: str
    #: Principal and condition, as JSON; empty if the statement has neither.
    limits: str
    action: str


def compare(name: str, wanted: Mapping[str, Any], actual: Mapping[str, Any]) -> Iterator[Change]:
    """Yield the changes of the property `name`. The order of statements and actions does not matter."""
    of_wanted, of_actual = set(_grants(wanted)), set(_grants(actual))
    if of_wanted - of_actual:
        yield Change(name, _described(of_wanted - of_actual), ABSENT)
    if of_actual - of_wanted:
        yield Change(name, ABSENT, _described(of_actual - of_wanted))


def _grants(document: Mapping[str, Any]) -> Iterator[_Grant]:
    statements: Any = normalised(document)
    for statement in statements:
        if set(statement) - _COMPARED or "Action" not in statement or "Resource" not in statement:
            yield _Grant("statement", "", "", json.dumps(statement, sort_keys=True))  # such as NotAction
            continue
        limits = {name: statement[name] for name in ("Principal", "Condition") if name in statement}
        text = json.dumps(limits, sort_keys=True) if limits else ""
        for resource in statement["Resource"]:
            for action in statement["Action"]:
                yield _Grant(statement.get("Effect", ""), resource, text, action)


def _described(grants: Iterable[_Grant]) -> str:
    actions: dict[tuple[str, str, str], list[str]] = {}
    for grant in sorted(grants):
        actions.setdefault(grant[:3], []).append(grant.action)
    return "; ".join(
        " ".join(
            filter(None, [effect, ", ".join(names), resource and f"on {resource}", limits and f"if {limits}"])
        )
        for (effect, resource, limits), names in actions.items()
    )
