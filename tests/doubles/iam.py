"""How AWS decides about a request: identity policies, resource policies, permissions boundaries, conditions.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html, without organizations'
policies and session policies. A condition operator that is not known here ends the request with an error: a
policy is never half understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Document = Mapping[str, Any]
#: Condition keys in lower case (they have no case), each with its values. One that is absent is not there.
Context = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Principal:
    """Who asks."""

    arn: str
    account: str
    policies: tuple[Document, ...] = ()
    boundary: Document | None = None
    #: Other ARNs that name this principal: the role of a session.
    also: tuple[str, ...] = ()
    #: `Federated`, for tokens of an identity provider; otherwise `AWS`.
    kind: str = "AWS"
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Access:
    """One action on one resource. A request may need more than one."""

    action: str
    resource: str
    context: Context
    #: The account that owns the resource.
    account: str
    policy: Document | None = None
    #: The resource's own policy must allow, as those of KMS keys and roles: an identity policy alone does not.
    policy_decides: bool = False


def refusal(principal: Principal, access: Access) -> str | None:
    """Why a request is refused, as AWS puts it; None: it is allowed."""
    context = {**principal.context, **access.context}
    mine = _verdict(principal.policies, principal, access, context)
    bound = _verdict([principal.boundary] if principal.boundary else [], principal, access, context)
    its = _resource_verdict(principal, access, context)
    for verdict, what in (
        (mine, "an identity-based"),
        (bound, "a permissions boundary"),
        (its, "a resource-based"),
    ):
        if "Deny" in verdict:
            return f"with an explicit deny in {what} policy".replace("boundary policy", "boundary")
    within = principal.boundary is None or "Allow" in bound
    if _allowed(principal, access, mine="Allow" in mine and within, its=its):
        return None
    if "Allow" in mine and not within:
        return f"because no permissions boundary allows the {access.action} action"
    kind = "resource" if access.policy_decides else "identity"
    return f"because no {kind}-based policy allows the {access.action} action"


def _allowed(principal: Principal, access: Access, *, mine: bool, its: set[str]) -> bool:
    if principal.account != access.account:
        return mine and bool(its & {"Allow", "Account"})
    if access.policy_decides:
        return "Allow" in its or ("Account" in its and mine)
    return mine or "Allow" in its


def _verdict(policies: Iterable[Document], principal: Principal, access: Access, context: Context) -> set[str]:
    statements = (one for policy in policies for one in _list(policy.get("Statement", [])))
    return {one["Effect"] for one in statements if _concerns(one, principal, access, context)}


def _resource_verdict(principal: Principal, access: Access, context: Context) -> set[str]:
    """The effects; an Allow for the whole account is `Account`: it leaves the decision to identity policies."""
    found = set()
    for one in _list((access.policy or {}).get("Statement", [])):
        named = _names(one, principal)
        if named and _concerns(one, principal, access, context, of_resource=True):
            found.add("Account" if named == "account" and one["Effect"] == "Allow" else one["Effect"])
    return found


def _concerns(
    statement: Document, principal: Principal, access: Access, context: Context, *, of_resource: bool = False
) -> bool:
    del principal
    without_resource = of_resource and "Resource" not in statement and "NotResource" not in statement
    return (
        _listed(statement, "Action", access.action, context, fold=True)
        and (without_resource or _listed(statement, "Resource", access.resource, context, fold=False))
        and all(_holds(test, keys, context) for test, keys in statement.get("Condition", {}).items())
    )


def _listed(statement: Document, element: str, value: str, context: Context, *, fold: bool) -> bool:
    negated = f"Not{element}" in statement
    patterns = _list(statement[f"Not{element}" if negated else element])
    found = any(matches(_filled(one, context), value, fold=fold) for one in patterns)
    return found != negated


def _names(statement: Document, principal: Principal) -> str:
    """How a statement names the principal: `exactly`, by its `account`, or not at all (empty)."""
    if "NotPrincipal" in statement:
        raise NotImplementedError("the double of IAM knows no NotPrincipal")
    named = statement.get("Principal", {})
    if named == "*":
        return "exactly"
    values = _list(named.get(principal.kind, []))
    if "*" in values or any(one in values for one in (principal.arn, *principal.also)):
        return "exactly"
    root = re.compile(rf"arn:aws[a-z-]*:iam::{principal.account}:root|{principal.account}")
    return "account" if any(root.fullmatch(one) for one in values) else ""


# --- conditions -----------------------------------------------------------------------------------------


def matches(pattern: str, value: str, *, fold: bool = False) -> bool:
    """Whether a value is what a pattern with ``*`` and ``?`` says."""
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(one, re.escape(one)) for one in pattern)
    return re.fullmatch(expression, value, re.DOTALL | (re.IGNORECASE if fold else 0)) is not None


def _equal(wanted: str, value: str) -> bool:
    return wanted == value


def _equal_folded(wanted: str, value: str) -> bool:
    return wanted.lower() == value.lower()


def _number(test: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, value: test(float(value), float(wanted))


def _date(test: Callable[[datetime, datetime], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, value: test(datetime.fromisoformat(value), datetime.fromisoformat(wanted))


_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": _equal,
    "StringEqualsIgnoreCase": _equal_folded,
    "StringLike": matches,
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": _equal_folded,
    "NumericEquals": _number(float.__eq__),
    "NumericLessThan": _number(float.__lt__),
    "NumericLessThanEquals": _number(float.__le__),
    "NumericGreaterThan": _number(float.__gt__),
    "NumericGreaterThanEquals": _number(float.__ge__),
    "DateLessThan": _date(datetime.__lt__),
    "DateGreaterThan": _date(datetime.__gt__),
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}


def _holds(test: str, keys: Mapping[str, Any], context: Context) -> bool:
    quantifier, _, name = test.rpartition(":")
    optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    return all(
        _holds_for(quantifier, name, optional, _list(wanted), context.get(key.lower()), context)
        for key, wanted in keys.items()
    )


def _holds_for(  # the parts of one condition
    quantifier: str,
    name: str,
    optional: bool,  # noqa: FBT001
    wanted: list[Any],
    values: tuple[str, ...] | None,
    context: Context,
) -> bool:
    if name == "Null":
        return (values is None) == (str(wanted[0]).lower() == "true")
    negated = name in _NEGATED
    test = _TESTS.get(_NEGATED.get(name, name))
    if test is None:
        raise NotImplementedError(f"the double of IAM knows no condition operator {name}")
    if not values:
        return optional or negated or quantifier == "ForAllValues"
    found = [any(test(_filled(str(one), context), value) for one in _texts(wanted)) != negated for value in values]
    return any(found) if quantifier == "ForAnyValue" else all(found)


def _texts(wanted: list[Any]) -> list[str]:
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in wanted]


def _filled(pattern: str, context: Context) -> str:
    """The pattern with its policy variables, such as ``${aws:username}``, filled in."""
    return re.sub(r"\$\{([^}]+)\}", lambda found: _variable(found[1], context), pattern)


def _variable(name: str, context: Context) -> str:
    if name in {"*", "?", "$"}:
        raise NotImplementedError("the double of IAM knows no escaped wildcards")
    return (context.get(name.lower()) or ("\0",))[0]  # an absent one matches nothing


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
