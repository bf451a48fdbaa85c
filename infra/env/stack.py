"""The deployed stack: the settings of each identity, from the outputs of the Pulumi program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from core.storage import StorageConfigError
from core.storage.settings import Settings
from infra.command_name import COMMAND
from infra.env import key_info
from infra.env.key_info import KeyInfo
from infra.env.outputs import IDENTITIES, KEY_SLOTS
from infra.errors import InfraError, NotDeployedError, UnreachableError
from infra.local import engine
from infra.local.engine import Engine

_NOT_DEPLOYED = f"{{0}} is not deployed; `{COMMAND} up {{0}}` deploys it"


#: `refused`: the store refuses the access key in the state. `unknown`: it accepts the one in the env file, which
#: the state does not have.
Outdated = Literal["refused", "unknown"]


@dataclass(frozen=True)
class Stack:
    """The outputs of the last update, or what else says what is deployed."""

    #: By identity.
    settings: Mapping[str, Settings]
    updated: datetime | None
    #: The primary access key of each identity.
    keys: Mapping[str, KeyInfo] = field(default_factory=dict)
    #: True: `init` deployed it, and this is what the store and the env files say, see `infra.env.deployed`.
    by_init: bool = False
    #: By identity, why the access key in the state must not replace that in the env file, see
    #: `infra.env.deployed.compared_with_store`.
    outdated: Mapping[str, Outdated] = field(default_factory=dict)


def read(environment: str) -> Stack:
    """Return the deployed stack of an environment; changes nothing.

    Raises:
        UnreachableError: Pulumi is not installed, or its backend does not respond.
        NotDeployedError: the environment is not deployed.
    """
    stack = find(require_engine(environment), environment)
    if stack is None:
        raise NotDeployedError(_NOT_DEPLOYED.format(environment))
    return stack


def require_engine(environment: str) -> Engine:
    """Return the Pulumi engine, if it can have a stack; create nothing.

    Raises:
        UnreachableError: Pulumi is not installed.
        NotDeployedError: Pulumi has no backend and no state here.
    """
    if pulumi := engine.find_with_state():
        return pulumi
    if not engine.command():
        raise UnreachableError(
            "the deployed stack cannot be read without Pulumi: https://www.pulumi.com/docs/install/"
        )
    raise NotDeployedError(_NOT_DEPLOYED.format(environment))


def find(pulumi: Engine, environment: str) -> Stack | None:
    """Return the deployed stack, or None if the environment is not deployed."""
    deployed = pulumi.deployed(environment)
    if deployed is None or not deployed.outputs:
        return None
    try:
        settings = {name: Settings.from_env(env) for name, env in _by_identity(deployed.outputs).items()}
    except StorageConfigError as error:
        raise InfraError(
            f"the outputs of stack {environment} are incomplete ({error}); run `{COMMAND} up {environment}` again"
        ) from error
    slots = deployed.outputs.get(KEY_SLOTS) or {}  # none: deployed by an earlier version
    keys = {name: key_info.parse(key["slot"], key.get("made")) for name, key in slots.items() if key}
    return Stack(settings, deployed.updated, keys)


def _by_identity(outputs: Mapping[str, Any]) -> Mapping[str, Mapping[str, str]]:
    """Return the variables of each identity."""
    if IDENTITIES in outputs:
        identities: Mapping[str, Mapping[str, str]] = outputs[IDENTITIES]
        return identities
    # Deployed by an earlier version: `app` flat, each other identity in a mapping of its own.
    app = {name: value for name, value in outputs.items() if isinstance(value, str)}
    others = {name: value for name, value in outputs.items() if isinstance(value, dict) and name != KEY_SLOTS}
    return ({"app": app} if app else {}) | others
