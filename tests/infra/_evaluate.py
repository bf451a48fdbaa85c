"""A little evaluator of the AWS policy language, written from its documentation and not from `infra.policies`.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html. What it does not know ends in an
error: a policy that it cannot judge must not count as harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_KNOWN = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}


@dataclass(frozen=True)
class Request:
    """One request: an action on a resource, with the condition keys that AWS sets for it."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def allowed(document: Mapping[str, Any], request: Request) -> bool:
    """Whether an identity that has this policy alone may send the request."""
    effects = {one["Effect"] for one in _listed(document["Statement"]) if _applies(one, request)}
    return effects == {"Allow"}


def denied(document: Mapping[str, Any], request: Request) -> bool:
    """Whether the policy denies the request whatever others allow."""
    return any(one["Effect"] == "Deny" and _applies(one, request) for one in _listed(document["Statement"]))


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    assert set(statement) <= _KNOWN, statement
    assert statement.get("Principal", "*") == "*"
    return (
        any(_like(one.lower(), request.action.lower()) for one in _listed(statement["Action"]))
        and any(_like(one, request.resource) for one in _listed(statement["Resource"]))
        and all(
            _OPERATORS[operator](request.context.get(key), _listed(values))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _like(pattern: str, value: str) -> bool:
    """``*`` is any number of characters and ``?`` is one; everything else, a slash too, is itself."""
    assert "$" not in pattern, "a policy variable"
    wild = {"*": ".*", "?": "."}
    return bool(re.fullmatch("".join(wild.get(one) or re.escape(one) for one in pattern), value, re.DOTALL))


def _string_like(found: str | None, wanted: Iterable[str]) -> bool:
    return found is not None and any(_like(one, found) for one in wanted)


def _bool(found: str | None, wanted: Iterable[str]) -> bool:
    return found is not None and found in wanted


def _less(found: str | None, wanted: Iterable[str]) -> bool:
    return found is not None and any(float(found) < float(one) for one in wanted)


_OPERATORS: Mapping[str, Callable[[str | None, Iterable[str]], bool]] = {
    "StringLike": _string_like,
    "Bool": _bool,
    "NumericLessThan": _less,
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
