"""What is known of target `s3-compatible`. What a kind of store can do is in `infra.stores.kinds`."""

from __future__ import annotations

from infra.stores.access_key import EXTERNAL
from infra.targets.spec import TargetSpec

_LOCATION = "a store has one location; remove it"
_ROLES = "only roles are assumed; use target aws with `credentials: role`"
_ON_THE_STORE = "set it up on the store itself"

SPEC = TargetSpec(
    name="s3-compatible",
    credentials=("iam", "minio", EXTERNAL),
    region="us-east-1",
    required=("endpoint", "buckets.name"),
    refused={
        "location": _LOCATION,
        "jurisdiction": _LOCATION,
        "project": "only gcp has projects; remove it",
        "account": "only r2 names its account; remove it",
        "trust": _ROLES,
        "identities.trust": _ROLES,
        "permissionsBoundary": _ON_THE_STORE,
        "tags": _ON_THE_STORE,
        "encryption": _ON_THE_STORE,
        "adoptIdentities": "identities are adopted by their names without it; remove it",
        "buckets.softDeleteDays": "use `versioning` with `noncurrentDays`",
    },
)
