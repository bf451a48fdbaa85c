"""The names of an environment's buckets, from its configuration and its env files."""

from __future__ import annotations

from collections.abc import Collection

from core.storage.settings import Settings
from infra.config.environment import EnvironmentConfig
from infra.config.identities import ROLES, Role


def bucket_names(config: EnvironmentConfig, settings: Collection[Settings]) -> dict[Role, str]:
    """Return the buckets by role, as configured, or as in the env files if Pulumi chose the names."""
    names: dict[Role, str] = {}
    for role in ROLES:
        in_files = (own.bucket_in if role == "in" else own.bucket_out for own in settings)
        if name := config.bucket(role).name or next(filter(None, in_files), None):
            names[role] = name
    return names
