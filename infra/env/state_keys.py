"""Read the IDs of an environment's access keys from the state of its stack."""

from __future__ import annotations

import json

from infra.config.slots import Slot
from infra.local.engine import Engine

#: The end of the type of an access key on a store, see `infra.resources.key`.
_ON_STORE = "dynamic/storage:Key"


def key_ids(pulumi: Engine, environment: str) -> dict[tuple[str, Slot], str]:
    """Return the ID of the access key in each slot of each identity, by the identity's name on the store.

    Raises:
        UnreachableError: the backend does not respond, or its secrets cannot be decrypted.
    """
    found: dict[tuple[str, Slot], str] = {}
    for resource in pulumi.resources(environment):
        outputs = resource.get("outputs") or {}
        secret, identity = outputs.get("accessKeyId"), outputs.get("identity")
        if resource["type"].endswith(_ON_STORE) and secret and identity:
            key_id = json.loads(secret["plaintext"]) if isinstance(secret, dict) else secret
            found[identity, "b" if outputs.get("slot") == "b" else "a"] = key_id
    return found
