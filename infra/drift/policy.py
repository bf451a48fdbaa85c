"""How two policies differ: what one allows and the other does not. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from infra.policies import normalised

_PLAIN = {"Action", "Condition", "Effect", "Resource", "Principal"}


class _Grant(NamedTuple):
    """One action of a statement on one resource."""

    effect: str
    resource: str
    #: Who and when, as JSON; empty: always.
    rest: str
    action: str


def fewer_and_more(wanted: Mapping[str, Any], actual: Mapping[str, Any]) -> tuple[str, str]:
    """What a policy lacks and what it has too much, in words; empty: nothing. The order of neither counts."""
    of_wanted, of_actual = set(_grants(wanted)), set(_grants(actual))
    return _told(of_wanted - of_actual), _told(of_actual - of_wanted)


def _grants(document: Mapping[str, Any]) -> Iterator[_Grant]:
    statements: Any = normalised(document)
    for one in statements:
        if set(one) - _PLAIN or "Action" not in one or "Resource" not in one:
            yield _Grant("statement", "", "", json.dumps(one, sort_keys=True))  # such as NotAction
            continue
        rest = {key: one[key] for key in ("Principal", "Condition") if key in one}
        for resource in one["Resource"]:
            for action in one["Action"]:
                yield _Grant(
                    one.get("Effect", ""), resource, json.dumps(rest, sort_keys=True) if rest else "", action
                )


def _told(grants: Iterable[_Grant]) -> str:
    by_place: dict[tuple[str, str, str], list[str]] = {}
    for one in sorted(grants):
        by_place.setdefault(one[:3], []).append(one.action)
    return "; ".join(
        " ".join(filter(None, [effect, ", ".join(actions), resource and f"on {resource}", rest and f"if {rest}"]))
        for (effect, resource, rest), actions in by_place.items()
    )
