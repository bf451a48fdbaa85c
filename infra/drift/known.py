"""What is deployed, as far as it can be told without asking the store: from the stack, or from the env files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.config import EnvironmentConfig
from infra.drift.finding import Repair, by_engine, without_engine
from infra.env import files, stack
from infra.env.stack import Stack
from infra.local import engine
from infra.plan import Plan
from infra.slots import SLOTS, Slot

#: The type of a key in a state, see `infra.resources.key`.
_KEY = "dynamic/storage:Key"


@dataclass(frozen=True)
class Known:
    """Where the environment stands."""

    #: None: no engine deployed it.
    stack: Stack | None
    #: The id of the key in each slot of each identity, by their names.
    keys: Mapping[tuple[str, Slot], str]
    repair: Repair


def of(made: Plan) -> Known:
    """What is known of an environment on a store.

    Raises:
        UnreachableError: there is an engine, and its backend does not answer.
    """
    environment = made.config.environment
    found = engine.find()
    deployed = stack.deployed(found, environment) if found else None
    if found is None or deployed is None:
        return Known(None, dict(_of_files(made.config)), without_engine(environment))
    names = {made.name(one): one.name for one in made.config.identities}
    keys = dict(_of_state(found.resources(environment), names))
    return Known(deployed, keys, by_engine(environment, own_state=found.own_state))


def _of_files(config: EnvironmentConfig) -> Iterator[tuple[tuple[str, Slot], str]]:
    for identity in config.names:
        for slot in SLOTS:
            if held := files.held(files.path(config.environment, identity), slot):
                yield (identity, slot), held.keys.access_key_id


def _of_state(
    resources: Iterable[Mapping[str, Any]], names: Mapping[str, str]
) -> Iterator[tuple[tuple[str, Slot], str]]:
    for one in resources:
        outputs = one.get("outputs", {})
        key_id = _plain(outputs.get("accessKeyId"))
        if one["type"].endswith(_KEY) and outputs.get("identity") in names and key_id:
            yield (names[outputs["identity"]], "b" if outputs.get("slot") == "b" else "a"), key_id


def _plain(value: Any) -> str | None:
    """What a secret of an exported state says."""
    found = json.loads(value["plaintext"]) if isinstance(value, dict) else value
    return str(found) if found else None
