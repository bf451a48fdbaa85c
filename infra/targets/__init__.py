"""Targets: what kind of storage an environment stands on. One file a target, named for it.

`provision` is the whole protocol: it creates the environment's resources and says how to reach them. What a
target can do is in `infra.features`. Provider SDKs are imported by the target that needs them, so that each is
an optional extra.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, cast

from infra.errors import UsageError
from infra.features import TARGETS
from infra.slots import Slot

if TYPE_CHECKING:
    import pulumi

    from core.storage.settings import Settings
    from infra.config import EnvironmentConfig


@dataclass(frozen=True)
class Key:
    """An access key, once it is made."""

    id: pulumi.Output[str]
    secret: pulumi.Output[str]
    #: When; None if nobody knows.
    made: pulumi.Output[str | None]


@dataclass(frozen=True)
class Access:
    """How one identity reaches the storage."""

    #: What is known before anything is created.
    settings: Settings
    #: Other fields of the settings, which are known only after the update, such as generated names.
    later: Mapping[str, pulumi.Output[str]]
    #: What must exist before the access is of any use.
    ready: list[pulumi.Resource]
    #: By slot; none where an identity has no keys of its own.
    keys: Mapping[Slot, Key] = field(default_factory=dict)


Provision = Callable[["EnvironmentConfig", Mapping[str, object]], Mapping[str, Access]]


def provision(config: EnvironmentConfig, values: Mapping[str, object]) -> Mapping[str, Access]:
    """Create the resources of an environment.

    Args:
        config: the environment.
        values: its stack configuration under bare names, decrypted, for secrets.

    Returns:
        The access of each identity.

    Raises:
        UsageError: the SDK of the target's provider is not installed.
    """
    try:
        module = import_module(f"infra.targets.{config.target.replace('-', '_')}")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("pulumi_"):
            raise
        extra = TARGETS[config.target].extra
        raise UsageError(
            f"target {config.target} needs {error.name}: install it with `make .venv/{extra}` "
            f"(or `pip install '.[{extra}]'` into the environment that runs Pulumi)"
        ) from error
    return cast("Provision", module.provision)(config, values)
