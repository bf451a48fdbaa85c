"""The rules that no single setting can hold: about the target, and about several settings together.

`check` notes every mistake under its path, so that one pass lists them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from infra.config import naming
from infra.config.environment import EnvironmentConfig
from infra.config.identities import ROLES
from infra.config.reader import Reader, nearest
from infra.targets.capabilities import SETTINGS, UNROTATED
from infra.targets.registry import TARGETS
from infra.targets.spec import TargetSpec


def check(read: Reader, config: EnvironmentConfig) -> None:
    """Note what is wrong with the configuration as a whole."""
    spec = TARGETS.get(config.target)
    if spec:
        _check_capabilities(read, spec)
        _check_trust(read, config, spec)
        _check_slots(read, config, spec)
        spec.check(read, config)
    _check_names(read, config, spec or TARGETS["s3-compatible"])
    _check_adoption(read, config)


def _check_capabilities(read: Reader, spec: TargetSpec) -> None:
    """Note the settings that the target cannot honour, and those that it requires."""
    for setting in SETTINGS:
        for path, value in _values(read.values, setting):
            if value is None and setting in spec.required:
                read.note(path, "is required")
            elif value is not None and setting in spec.refused:
                read.note(path, f"not supported by target {spec.name}: {spec.refused[setting]}")


def _values(values: Mapping[str, object], setting: str) -> Iterator[tuple[str, object]]:
    """Yield every path that a setting of the table has in the configuration, with its value there."""
    section, _, key = setting.rpartition(".")
    if section == "buckets":
        buckets = values.get("buckets")
        for role in ROLES:
            bucket = buckets.get(role) if isinstance(buckets, Mapping) else None
            yield f"buckets.{role}.{key}", bucket.get(key) if isinstance(bucket, Mapping) else None
    elif section == "identities":
        identities = values.get("identities")
        for index, identity in enumerate(identities if isinstance(identities, list) else ()):
            yield f"identities[{index}].{key}", identity.get(key) if isinstance(identity, Mapping) else None
    else:
        yield key, values.get(key)


def _check_trust(read: Reader, config: EnvironmentConfig, spec: TargetSpec) -> None:
    """Note a role without a principal in `trust`, and a `trust` without roles."""
    without = [identity.name for identity in config.identities if identity.trust is None]
    if config.credentials == "role" and without:
        read.note("trust", f"is required: no principal could assume the role of {' or '.join(without)}")
    trusting = [identity.name for identity in config.identities if identity.trust is not None]
    if "role" in spec.credentials and config.credentials != "role" and trusting:
        read.note("trust", f"is for roles ({', '.join(trusting)}): set `credentials: role`")


def _check_slots(read: Reader, config: EnvironmentConfig, spec: TargetSpec) -> None:
    """Note slots of access keys that the deployment does not create."""
    for name, slots in config.slots.items():
        if name not in config.names:
            read.note(f"slots.{name}", f"there is no such identity, {nearest(name, config.names)}")
        if why := UNROTATED.get(config.credentials):
            read.note(f"slots.{name}", f"{why}; remove it")
        elif slots.step == "retire" and not spec.deactivates_keys:
            read.note(
                f"slots.{name}.step", f"target {spec.name} cannot deactivate an access key: use start or switch"
            )


def _check_names(read: Reader, config: EnvironmentConfig, spec: TargetSpec) -> None:
    for role in ROLES:
        name = config.bucket(role).name
        if name is not None and (problem := naming.bucket_problem(name, config, spec)):
            read.note(f"buckets.{role}.name", f"{problem} ({name})")
    if config.bucket_in.name and config.bucket_in.name == config.bucket_out.name:
        read.note("buckets.out.name", "must differ from buckets.in.name")
    if problem := naming.environment_problem(config, spec):
        read.note("environment", problem)
    for key, value in config.tags.items():
        if value and spec.tags and (problem := spec.tags.problem(key, value)):
            read.note("tags", problem)


def _check_adoption(read: Reader, config: EnvironmentConfig) -> None:
    if config.adopt and not (config.bucket_in.name and config.bucket_out.name):
        read.note("adopt", "needs buckets.in.name and buckets.out.name, the buckets to take over")
