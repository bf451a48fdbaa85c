"""What is known of target `s3-compatible`. What a kind of store can do is in `infra.stores.kinds`."""

from __future__ import annotations

from infra.config.environment import EMBEDDED, EnvironmentConfig
from infra.config.reader import Reader
from infra.stores.access_key import EXTERNAL
from infra.targets.spec import TargetSpec

_LOCATION = "a store has one location; remove it"
_ROLES = "only roles are assumed; use target aws with `credentials: role`"
_ON_THE_STORE = "set it up on the store itself"


def _check(read: Reader, config: EnvironmentConfig) -> None:
    """Note the wrong kind of credentials for the only store whose kind is known before it responds."""
    if config.endpoint == EMBEDDED and config.credentials == "minio":
        read.note("credentials", "minio has no effect on the embedded store, which is SeaweedFS: remove it")


SPEC = TargetSpec(
    name="s3-compatible",
    credentials=("iam", "minio", EXTERNAL),
    region="us-east-1",
    required=("endpoint", "buckets.name"),
    check=_check,
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
