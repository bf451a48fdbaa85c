"""The names of buckets and identities, and what they may be."""

from __future__ import annotations

import re

from core.storage._internal import bucket_name_problem
from infra.config.environment import EnvironmentConfig
from infra.config.identities import ROLES, Role
from infra.targets.spec import TargetSpec

_BUCKET_LENGTH = 63


def bucket(environment: str, role: Role) -> str:
    """Return the name of a bucket that has none configured; where names are global, a random suffix follows."""
    return f"mpr-{_lower(environment)}-{role}"


def identity(environment: str, name: str, *, lower_case: bool = False) -> str:
    """Return the name of an identity, on a target that may serve several environments."""
    return f"mpr-{_lower(environment) if lower_case else environment}-{name}"


def bucket_problem(name: str, config: EnvironmentConfig, spec: TargetSpec) -> str | None:
    """Return why the target refuses a bucket of this name, or None."""
    # Certificates matter only where the name is part of the host; rules about new buckets, not to existing ones.
    lifted = {config.addressing_style, "adopt" if config.adopt else None}
    return bucket_name_problem(name) or spec.bucket_name_problem(name, lifted)


def environment_problem(config: EnvironmentConfig, spec: TargetSpec) -> str | None:
    """Return why names made from that of the environment would be too long for the target, or None."""
    names = [identity(config.environment, name, lower_case=spec.lower_case) for name in config.names]
    excess = [len(name) - (spec.identity_length or len(name)) for name in names]
    generated = [bucket(config.environment, role) for role in ROLES if not config.bucket(role).name]
    excess += [len(name) + spec.random_suffix - _BUCKET_LENGTH for name in generated]
    worst = max(excess, default=0)
    return f"is too long for the names of identities and buckets by {worst} characters" if worst > 0 else None


def _lower(environment: str) -> str:
    return re.sub("[^a-z0-9]+", "-", environment.lower()).strip("-")
