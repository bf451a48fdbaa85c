"""Compare an environment in a cloud, by the steps of `pulumi preview --refresh`.

It reads every resource without changing the state, and lists what an update would change: the old state of a step
is what exists, the new one what the stack says. (`pulumi refresh --preview-only` knows only the last state, not
what is wanted.)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from infra.config.environment import EnvironmentConfig
from infra.drift import env_files, policy
from infra.drift.difference import ABSENT, MISSING, PRESENT, Change, Difference, Repair, differences_of, repair_of
from infra.env import compare as env
from infra.env import stack

#: The resource that removes an env file with its access key. Env files are compared by their content.
_ENV_FILE = "storage:EnvFile"
#: Parts of names of properties whose values are not shown.
_PRIVATE = ("secret", "password", "token", "value", "accessid", "accesskey")
_LONGEST = 400  # characters of a value that are shown

PreviewStep = Mapping[str, Any]


def compare(config: EnvironmentConfig) -> list[Difference]:
    """Return every difference of the resources and env files of a deployed environment."""
    deployed, pulumi = stack.read(config.environment), stack.require_engine(config.environment)
    repair = repair_of(config.environment, pulumi)
    steps = pulumi.preview(config.environment)["steps"]
    comparisons = env.compare(config.environment, config.names, deployed)
    return [*of_steps(steps, repair), *env_files.described(comparisons, repair)]


def of_steps(steps: list[PreviewStep], repair: Repair) -> Iterator[Difference]:
    """Yield what a preview would change, as differences."""
    for step in steps:
        _, kind, name = step["urn"].rsplit("::", 2)
        if kind.endswith(_ENV_FILE):
            continue
        yield from differences_of(f"{kind.rpartition(':')[2]} {name}", _changes(step), repair.deploy)


def _changes(step: PreviewStep) -> Iterator[Change]:
    match step["op"]:
        case "create" | "import":
            yield Change("resource", PRESENT, MISSING)
        case "delete":
            yield Change("resource", ABSENT, PRESENT)
        case "update" | "replace":  # others (same, refresh, the two halves of a replacement) add nothing
            wanted, actual = ((step.get(state) or {}).get("inputs", {}) for state in ("newState", "oldState"))
            reasons = step.get("diffReasons") or step.get("replaceReasons") or []
            names = dict.fromkeys(reason.partition(".")[0].partition("[")[0] for reason in reasons)
            for name in names or {**wanted, **actual}:
                if names or wanted.get(name) != actual.get(name):
                    yield from _property(name, wanted.get(name), actual.get(name))


def _property(name: str, wanted: Any, actual: Any) -> Iterator[Change]:
    policies = _policy(wanted), _policy(actual)
    if _is_private(name):
        yield Change(name, "as deployed", "different")
    elif policies[0] and policies[1]:
        yield from policy.compare(name, policies[0], policies[1])
    else:
        if isinstance(wanted, list) and isinstance(actual, list):
            wanted, actual = _without(wanted, actual), _without(actual, wanted)
        yield Change(name, _shown(wanted), _shown(actual))


def _without(items: list[Any], others: list[Any]) -> list[Any]:
    return [item for item in items if item not in others]


def _policy(value: Any) -> dict[str, Any] | None:
    """Return the policy document in the value of a property, if it is one."""
    try:
        document = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return document if isinstance(document, dict) and "Statement" in document else None


def _shown(value: Any) -> str:
    if value in (None, [], {}, ""):
        return "not set"
    text = value if isinstance(value, str) else json.dumps(_public(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _public(value: Any) -> Any:
    """Return the value with secrets masked, and without the properties that the engine adds."""
    if isinstance(value, list):
        return [_public(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: "[secret]" if _is_private(name) else _public(item)
        for name, item in value.items()
        if not name.startswith("__")
    }


def _is_private(name: str) -> bool:
    return any(word in name.lower() for word in _PRIVATE)
