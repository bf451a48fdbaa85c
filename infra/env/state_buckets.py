"""Read the buckets of an environment from the state of its stack."""

from __future__ import annotations

from infra.env.outputs import ADOPTED, BUCKET_COMPONENT
from infra.local.engine import Engine

#: The end of the type of a bucket on a store, see `infra.resources.bucket`.
_ON_STORE = "dynamic/storage:Bucket"


def adopted_by_bucket(pulumi: Engine, environment: str) -> dict[str, bool | None]:
    """Return the buckets in the state, with whether the environment adopted them; None: that is not recorded.

    Raises:
        UnreachableError: the backend does not respond, or its secrets cannot be decrypted.
    """
    components: dict[str, bool | None] = {}
    on_store: dict[str, bool | None] = {}
    for resource in pulumi.resources(environment):
        outputs = resource.get("outputs") or {}
        if resource["type"] == BUCKET_COMPONENT:
            components[outputs["name"]] = bool(outputs.get(ADOPTED))
        elif resource["type"].endswith(_ON_STORE):
            # The store itself said whether the bucket existed, also where `adopt` is not configured.
            created = outputs.get("created")
            on_store[outputs["name"]] = None if created is None else not created
    return components | on_store
