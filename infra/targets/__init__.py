"""Targets: what kind of storage an environment stands on. One file a target, named for it.

`provision` is the whole protocol: it creates the environment's resources and says how to reach them.
Provider SDKs are imported by the target that needs them, so that each is an optional extra.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pulumi

    from core.storage.settings import Settings
    from infra.config import EnvironmentConfig


@dataclass(frozen=True)
class Access:
    """How one identity reaches the storage."""

    #: All but the keys: known before anything is created.
    settings: Settings
    #: The keys, which exist only after the update; None where the identity needs none.
    access_key_id: pulumi.Output[str] | None
    secret_access_key: pulumi.Output[str] | None
    #: What must exist before the access is of any use.
    ready: list[pulumi.Resource]


Provision = Callable[["EnvironmentConfig", Mapping[str, object]], Mapping[str, Access]]


def provision(config: EnvironmentConfig, values: Mapping[str, object]) -> Mapping[str, Access]:
    """Create the resources of an environment.

    Args:
        config: the environment.
        values: its stack configuration under bare names, decrypted, for secrets.

    Returns:
        The access of each identity.
    """
    module = import_module(f"infra.targets.{config.target.replace('-', '_')}")
    return cast("Provision", module.provision)(config, values)
