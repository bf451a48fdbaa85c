"""What is deployed, as the stack says, or without one the env files. The store is not asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.config.slots import SLOTS, Slot
from infra.drift.difference import Repair, repair_of
from infra.env import files, stack
from infra.env.stack import Stack
from infra.local import engine
from infra.plan import Plan

#: The type of an access key in a state, see `infra.resources.key`.
_KEY = "dynamic/storage:Key"


@dataclass(frozen=True)
class Deployment:
    """The state of an environment."""

    #: None: Pulumi did not deploy it.
    stack: Stack | None
    #: The ID of the access key in each slot of each identity.
    key_ids: Mapping[tuple[str, Slot], str]
    repair: Repair


def find(plan: Plan) -> Deployment:
    """Return what is deployed of an environment on a store."""
    environment = plan.config.environment
    pulumi = engine.find_with_state()
    deployed = stack.find(pulumi, environment) if pulumi else None
    if pulumi is None or deployed is None:
        return Deployment(None, dict(_in_env_files(plan)), repair_of(environment, None))
    key_ids = dict(_in_state(plan, pulumi.resources(environment)))
    return Deployment(deployed, key_ids, repair_of(environment, pulumi))


def _in_env_files(plan: Plan) -> Iterator[tuple[tuple[str, Slot], str]]:
    for identity in plan.config.names:
        for slot in SLOTS:
            if key := files.access_key_in(files.path(plan.config.environment, identity), slot):
                yield (identity, slot), key.access_key.access_key_id


def _in_state(plan: Plan, resources: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, Slot], str]]:
    names = {plan.name(identity): identity.name for identity in plan.config.identities}
    for resource in resources:
        outputs = resource.get("outputs", {})
        secret, name = outputs.get("accessKeyId"), outputs.get("identity")
        if resource["type"].endswith(_KEY) and secret and name in names:
            key_id = json.loads(secret["plaintext"]) if isinstance(secret, dict) else secret
            yield (names[name], "b" if outputs.get("slot") == "b" else "a"), key_id
