"""What is deployed, as the stack says, or without one the env files. The store is not asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.config.slots import SLOTS, Slot
from infra.drift.difference import Repair, repair_of
from infra.env import files, stack, state_keys
from infra.env.stack import Stack
from infra.local import engine
from infra.plan import Plan


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
    names = {plan.name(identity): identity.name for identity in plan.config.identities}
    in_state = state_keys.key_ids(pulumi, environment).items()
    key_ids = {(names[name], slot): key_id for (name, slot), key_id in in_state if name in names}
    return Deployment(deployed, key_ids, repair_of(environment, pulumi))


def _in_env_files(plan: Plan) -> Iterator[tuple[tuple[str, Slot], str]]:
    for identity in plan.config.names:
        for slot in SLOTS:
            if key := files.access_key_in(files.path(plan.config.environment, identity), slot):
                yield (identity, slot), key.access_key.access_key_id
