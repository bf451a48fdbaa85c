"""An environment in a cloud: Pulumi's own refresh, previewed, in the same findings.

`pulumi preview --refresh` reads every resource where it is, in memory alone, and then says what an update would
change: so old is what there is, and new what the stack says. `pulumi refresh --preview-only` knows only the
last state, not what is wanted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.config import EnvironmentConfig
from infra.drift import env_files
from infra.drift.finding import Finding, Repair, by_engine
from infra.drift.policy import fewer_and_more
from infra.env import compare as env
from infra.env import stack
from infra.errors import InfraError, UnreachableError
from infra.local import engine

MISSING = "missing"
#: Properties whose values are never shown: of a key, or what one is made from.
_PRIVATE = ("secret", "password", "token", "value", "accessid", "accesskey")
_LONGEST = 400  # characters of a value that are shown

Step = Mapping[str, Any]


def compare(config: EnvironmentConfig) -> list[Finding]:
    """Every difference of the resources and env files of a deployed environment.

    Raises:
        UnreachableError: there is no engine, or its backend or the cloud does not answer or refuses.
        InfraError: nothing is deployed.
    """
    found = engine.find()
    if found is None:
        raise UnreachableError(
            f"target {config.target} is compared by Pulumi, which is not here: https://www.pulumi.com/docs/install/"
        )
    deployed = stack.deployed(found, config.environment)
    if deployed is None:
        raise InfraError(f"{config.environment} is not deployed; `pulumi up -s {config.environment}` deploys it")
    repair = by_engine(config.environment, own_state=found.own_state)
    steps = found.preview(config.environment)["steps"]
    files = env.compare(config.environment, config.names, deployed)
    return [*of_steps(steps, repair), *env_files.told(files, repair)]


def of_steps(steps: list[Step], repair: Repair) -> Iterator[Finding]:
    """What a preview would change, as differences."""
    for step in steps:
        for name, wanted, actual in _STEPS.get(step["op"], _nothing)(step):
            yield Finding(thing=_thing(step), property=name, wanted=wanted, actual=actual, repair=repair.deploy)


def _thing(step: Step) -> str:
    _, kind, name = step["urn"].rsplit("::", 2)
    return f"{kind.rpartition(':')[2]} {name}"


Sides = Iterator[tuple[str, str, str]]


def _nothing(step: Step) -> Sides:  # noqa: ARG001  # as the others
    return iter(())


def _missing(step: Step) -> Sides:  # noqa: ARG001  # as the others
    yield "resource", "there", MISSING


def _left(step: Step) -> Sides:  # noqa: ARG001  # as the others
    yield "resource", "none", "there"


def _changed(step: Step) -> Sides:
    wanted, actual = ((step.get(one) or {}).get("inputs", {}) for one in ("newState", "oldState"))
    reasons = step.get("diffReasons") or step.get("replaceReasons") or []
    names = dict.fromkeys(one.partition(".")[0].partition("[")[0] for one in reasons)
    for name in names or [one for one in {**wanted, **actual} if wanted.get(one) != actual.get(one)]:
        yield from _property(name, wanted.get(name), actual.get(name))


def _property(name: str, wanted: Any, actual: Any) -> Sides:
    if any(word in name.lower() for word in _PRIVATE):
        yield name, "as deployed", "another one"
        return
    policies = _policy(wanted), _policy(actual)
    if policies[0] and policies[1]:
        fewer, more = fewer_and_more(policies[0], policies[1])
        if fewer:
            yield name, fewer, "not there"
        if more:
            yield name, "not there", more
        return
    if isinstance(wanted, list) and isinstance(actual, list):
        # Only what the one has and the other not.
        wanted, actual = (
            [one for one in wanted if one not in actual],
            [one for one in actual if one not in wanted],
        )
    yield name, _shown(wanted), _shown(actual)


def _policy(value: Any) -> dict[str, Any] | None:
    """The policy document that a property holds, if it is one."""
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and "Statement" in found else None


def _shown(value: Any) -> str:
    if value in (None, [], {}, ""):
        return "not set"
    text = value if isinstance(value, str) else json.dumps(_bare(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _bare(value: Any) -> Any:
    """The value without what the engine adds, and without anything private in it."""
    if isinstance(value, list):
        return [_bare(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: "[secret]" if any(word in key.lower() for word in _PRIVATE) else _bare(one)
        for key, one in value.items()
        if not key.startswith("__")
    }


#: What each step of a preview tells. Others (same, refresh, the two halves of a replacement) tell nothing more.
_STEPS: Mapping[str, Callable[[Step], Sides]] = {
    "create": _missing,
    "import": _missing,
    "update": _changed,
    "replace": _changed,
    "delete": _left,
}
