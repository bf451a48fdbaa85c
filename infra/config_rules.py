"""What settings that are fine by themselves must not be on a target, or beside each other.

`check` notes every mistake under its path, so that one pass finds them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from infra import names
from infra.config_reader import Reader, nearest
from infra.features import FEATURES, REQUIRED, TARGETS, UNROTATED, refused
from infra.identities import ROLES, Identity
from infra.policies import length, partition_of, policy

if TYPE_CHECKING:
    from infra.config import EnvironmentConfig

#: Characters that the inline policies of one user or role may have
#: (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
_POLICY_LENGTH = {"user": 2048, "role": 10240}
#: https://developers.cloudflare.com/r2/reference/data-location/
_R2_LOCATIONS = ("apac", "eeur", "enam", "oc", "weur", "wnam")


def check(read: Reader, config: EnvironmentConfig) -> None:
    """Note what is wrong with the configuration as a whole."""
    if config.target in TARGETS:
        _honour(read, config.target)
        _roles(read, config)
        _slots(read, config)
    _names(read, config)
    _adoption(read, config)
    if config.target == "aws":
        _partition(read, config)
        _policy_length(read, config)
    if config.target == "r2" and config.location and config.location.lower() not in _R2_LOCATIONS:
        found, known = config.location, ", ".join(_R2_LOCATIONS)
        read.note("location", f"must be one of {known}, got {found}; what is guaranteed is `jurisdiction`")


def _honour(read: Reader, target: str) -> None:
    """Note the settings that this target cannot honour, and those that it cannot do without."""
    alternatives = refused(target)
    for setting, cells in FEATURES.items():
        there = list(_at(read.values, setting))
        if setting in alternatives:
            for path in (path for path, value in there if value is not None):
                read.note(path, f"not supported by target {target}: {alternatives[setting]}")
        elif cells[target] == REQUIRED:
            for path in (path for path, value in there if value is None):
                read.note(path, "is required")


def _at(values: Mapping[str, object], setting: str) -> Iterator[tuple[str, object]]:
    """Every place that a setting of the table has in the configuration, with its value there."""
    section, _, key = setting.rpartition(".")
    if section == "buckets":
        buckets = values.get("buckets")
        for role in ROLES:
            bucket = buckets.get(role) if isinstance(buckets, Mapping) else None
            yield f"buckets.{role}.{key}", bucket.get(key) if isinstance(bucket, Mapping) else None
    elif section == "identities":
        identities = values.get("identities")
        for index, one in enumerate(identities if isinstance(identities, list) else ()):
            yield f"identities[{index}].{key}", one.get(key) if isinstance(one, Mapping) else None
    else:
        yield key, values.get(key)


def _roles(read: Reader, config: EnvironmentConfig) -> None:
    """Roles need somebody who may assume them, and nothing else does."""
    open_to_nobody = [one.name for one in config.identities if one.trust is None]
    if config.credentials == "role" and open_to_nobody:
        read.note("trust", f"is required: nobody may assume the role of {' or '.join(open_to_nobody)}")
    trusting = [one.name for one in config.identities if one.trust is not None]
    if "role" in TARGETS[config.target].credentials and config.credentials != "role" and trusting:
        read.note("trust", f"is for roles ({', '.join(trusting)}): set `credentials: role`")


def _slots(read: Reader, config: EnvironmentConfig) -> None:
    """Only keys that the deployment makes have slots."""
    for name, slots in config.slots.items():
        if name not in config.names:
            read.note(f"slots.{name}", f"there is no such identity, {nearest(name, config.names)}")
        if why := UNROTATED.get(config.credentials):
            read.note(f"slots.{name}", f"{why}; remove it")
        elif slots.step == "retire" and not TARGETS[config.target].switches_off:
            read.note(f"slots.{name}.step", f"target {config.target} cannot switch a key off: start or switch")


def _names(read: Reader, config: EnvironmentConfig) -> None:
    style, adopt = config.addressing_style, config.adopt
    for role in ROLES:
        name = config.bucket(role).name
        if name is not None and (
            problem := names.bucket_problem(name, config.target, addressing_style=style, adopt=adopt)
        ):
            read.note(f"buckets.{role}.name", f"{problem} ({name})")
    if config.bucket_in.name and config.bucket_in.name == config.bucket_out.name:
        read.note("buckets.out.name", "must differ from buckets.in.name")
    unnamed = [role for role in ROLES if not config.bucket(role).name]
    if problem := names.environment_problem(config.environment, config.names, unnamed, config.target):
        read.note("environment", problem)
    for key, value in config.tags.items():
        if value and (problem := names.tag_problem(key, value, config.target)):
            read.note("tags", problem)


def _adoption(read: Reader, config: EnvironmentConfig) -> None:
    if config.adopt and config.disposable:
        read.note("adopt", "excludes disposable: a bucket that was there before is never deleted")
    if config.adopt and not (config.bucket_in.name and config.bucket_out.name):
        read.note("adopt", "needs buckets.in.name and buckets.out.name, the buckets to take over")


def _partition(read: Reader, config: EnvironmentConfig) -> None:
    """Nothing reaches from one partition of AWS into another, and no key from one region into another."""
    here = partition_of(config.region)
    trusted = [arn for one in config.identities if one.trust for arn in one.trust.principals]
    arns = [("trust", one) for one in dict.fromkeys(trusted)]
    arns += [("permissionsBoundary", config.permissions_boundary or ""), ("encryption", config.encryption)]
    for path, arn in arns:
        start, _, rest = arn.partition(":")
        partition, _, rest = rest.partition(":")
        if start != "arn":
            continue
        region = rest.split(":")[1]
        if partition != here:
            read.note(path, f"must be in partition {here}, which region {config.region} belongs to, got {arn}")
        elif region not in {"", config.region}:
            read.note(path, f"must be in region {config.region}, as the buckets are, got {arn}")


def _policy_length(read: Reader, config: EnvironmentConfig) -> None:
    limit = _POLICY_LENGTH.get(config.credentials, 0)
    for one in config.identities:
        found = length(_longest_policy(config, one))
        if found > limit:
            instead = "" if config.credentials == "role" else " (or set `credentials: role`, which takes more)"
            read.note(
                "identities",
                f"the prefixes of {one.name} make a policy of {found} characters, and AWS takes {limit}: name "
                f"fewer or shorter ones{instead}",
            )


def _longest_policy(config: EnvironmentConfig, identity: Identity) -> dict[str, object]:
    """The policy of an identity, with names of their full length where they will be generated."""
    partition, region = partition_of(config.region), config.region
    generated = f"arn:{partition}:kms:{region}:{'0' * 12}:key/{'0' * 36}"
    key = {"aes256": None, "kms": generated}.get(config.encryption, config.encryption)
    buckets = {
        role: config.bucket(role).name or names.placeholder(config.environment, role, config.target)
        for role in ROLES
    }
    return policy(identity, buckets, partition=partition, encryption_key=key)
