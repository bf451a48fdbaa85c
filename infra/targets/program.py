"""The interface between the component resources and the program of a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Protocol, cast

import pulumi

from core.storage.settings import Settings, variables
from infra.config.environment import EnvironmentConfig
from infra.config.identities import Identity, Role
from infra.config.slots import Slot
from infra.errors import UsageError
from infra.targets.options import Options
from infra.targets.registry import TARGETS


@dataclass(frozen=True)
class BucketResources:
    """A bucket, and the resources that it consists of."""

    name: pulumi.Input[str]
    resources: list[pulumi.Resource]


@dataclass(frozen=True)
class Key:
    """An access key, once it is created."""

    id: pulumi.Output[str]
    secret: pulumi.Output[str]
    #: The timestamp of its creation; None if it is unknown.
    created: pulumi.Output[str | None]


@dataclass(frozen=True, kw_only=True)
class LateSettings:
    """Settings that are known only after the update."""

    bucket_in: pulumi.Output[str] | None = None
    bucket_out: pulumi.Output[str] | None = None
    role_arn: pulumi.Output[str] | None = None

    def known(self) -> dict[str, pulumi.Output[str]]:
        """Return the fields of `Settings` that this replaces."""
        return {name: output for name, output in vars(self).items() if output is not None}


@dataclass(frozen=True)
class Access:
    """How one identity reaches the storage."""

    #: What is known before anything is created.
    settings: Settings
    #: What must exist before the access is of any use.
    resources: list[pulumi.Resource]
    late: LateSettings = field(default_factory=LateSettings)
    #: By slot; empty for an identity without access keys of its own.
    keys: Mapping[Slot, Key] = field(default_factory=dict)

    def after(self, buckets: Mapping[Role, BucketResources]) -> Access:
        """Return the same access, which is of use once these buckets exist."""
        resources = [resource for bucket in buckets.values() for resource in bucket.resources]
        return replace(self, resources=[*resources, *self.resources])

    def settings_with(self, slot: Slot) -> pulumi.Output[Settings]:
        """Return the settings with the access key of a slot."""
        return pulumi.Output.all(**self._outputs(slot)).apply(lambda known: replace(self.settings, **known))

    def variables(self, slot: Slot) -> dict[str, pulumi.Input[str]]:
        """Return the variables of the env contract with the access key of a slot, which is a secret output."""
        outputs = self._outputs(slot)
        values: dict[str, pulumi.Input[str]] = dict(self.settings.to_env())
        for name, variable in variables():
            output = outputs.get(name)
            if output is not None:
                values |= dict.fromkeys(variable.names, _secret(output) if variable.group == "keys" else output)
        return values

    def _outputs(self, slot: Slot) -> dict[str, pulumi.Output[str]]:
        key = self.keys.get(slot)
        return self.late.known() | ({"access_key_id": key.id, "secret_access_key": key.secret} if key else {})


def access_to(
    buckets: Mapping[Role, BucketResources],
    config: EnvironmentConfig,
    resources: list[pulumi.Resource],
    keys: Mapping[Slot, Key] | None = None,
    *,
    endpoint_url: str | None = None,
    bucket_owner: str | None = None,
    role_arn: pulumi.Output[str] | None = None,
) -> Access:
    """Return how an identity in a cloud, which consists of `resources`, reaches its buckets.

    The name of a bucket without a configured one is an output if Pulumi generates it.
    """
    names = {role: config.bucket(role).name or bucket.name for role, bucket in buckets.items()}
    known = {role: name for role, name in names.items() if isinstance(name, str)}
    generated = {role: pulumi.Output.from_input(name) for role, name in names.items() if role not in known}
    settings = Settings(
        endpoint_url=endpoint_url,
        region=config.region,
        addressing_style=config.addressing_style,
        bucket_owner=bucket_owner,
        bucket_in=known.get("in"),
        bucket_out=known.get("out"),
    )
    late = LateSettings(bucket_in=generated.get("in"), bucket_out=generated.get("out"), role_arn=role_arn)
    return Access(settings, resources, late, keys or {}).after(buckets)


def _secret(output: pulumi.Output[str]) -> pulumi.Output[str]:
    return pulumi.Output.secret(output)


class TargetProgram(Protocol):
    """Creates the resources of one environment on a target."""

    def __init__(self, config: EnvironmentConfig, options: Options) -> None:
        """Try the credentials of the deployment, and create what all resources need.

        Raises:
            InfraError: the deployment cannot succeed.
        """

    def bucket(self, role: Role, options: Options) -> BucketResources:
        """Create a bucket, or adopt the existing one."""

    def identity(self, identity: Identity, buckets: Mapping[Role, BucketResources], options: Options) -> Access:
        """Create an identity with its access keys, if it has any."""


def load_program(target: str) -> type[TargetProgram]:
    """Import the program of a target, and with it the SDK of its provider.

    Raises:
        UsageError: the SDK is not installed.
    """
    try:
        module = import_module(f"infra.targets.{target.replace('-', '_')}.program")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("pulumi_"):
            raise
        group = TARGETS[target].group
        raise UsageError(
            f"target {target} needs {error.name}: install it with `make .venv/{group}` "
            f"(or `pip install -r requirements/{group}.txt` into the environment that runs Pulumi)"
        ) from error
    return cast("type[TargetProgram]", module.Program)
