"""The names of an environment's buckets, without the store and the state of the stack."""

from __future__ import annotations

from collections.abc import Collection

from core.storage.settings import Settings
from infra.config.environment import EnvironmentConfig
from infra.config.identities import ROLES, Role


def bucket_names(config: EnvironmentConfig, settings: Collection[Settings]) -> dict[Role, str]:
    """Return the buckets by role, as configured, or as in the env files if Pulumi chose the names."""
    found: dict[Role, str] = {}
    for role in ROLES:
        in_files = (one.bucket_in if role == "in" else one.bucket_out for one in settings)
        if name := config.bucket(role).name or next(filter(None, in_files), None):
            found[role] = name
    return found
