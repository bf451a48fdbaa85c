"""The deployed stack: the settings of each identity, as the Pulumi program exported them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from core.storage import StorageConfigError
from core.storage.settings import Settings
from infra.env import key_note
from infra.env.key_note import KeyNote
from infra.errors import InfraError, UnreachableError
from infra.local import engine
from infra.local.engine import Engine

#: The output that says which key is in which env file. No identity can be called so.
SLOTS = "keySlots"


@dataclass(frozen=True)
class Stack:
    """What the last update of an environment left."""

    #: By identity.
    settings: Mapping[str, Settings]
    updated: datetime | None
    #: The key of each identity.
    keys: Mapping[str, KeyNote] = field(default_factory=dict)


def read(environment: str) -> Stack:
    """The deployed stack of an environment. Starts no update and changes nothing.

    Raises:
        UnreachableError: there is no Pulumi engine, or its backend does not answer.
        InfraError: nothing is deployed.
    """
    found = engine.find()
    if found is None:
        raise UnreachableError(
            "the deployed stack cannot be read without Pulumi: https://www.pulumi.com/docs/install/"
        )
    stack = deployed(found, environment)
    if stack is None:
        raise InfraError(f"{environment} is not deployed; `pulumi up -s {environment}` deploys it")
    return stack


def deployed(found: Engine, environment: str) -> Stack | None:
    """The same by this engine; None when nothing is deployed."""
    left = found.deployed(environment)
    if left is None or not left.outputs:
        return None
    try:
        settings = {name: Settings.from_env(variables) for name, variables in _by_identity(left.outputs).items()}
    except StorageConfigError as error:
        raise InfraError(
            f"the outputs of stack {environment} are incomplete ({error}); run `pulumi up -s {environment}` again"
        ) from error
    return Stack(settings, left.updated, _keys(left.outputs.get(SLOTS)))


def _by_identity(outputs: Mapping[str, object]) -> dict[str, dict[str, str]]:
    """The outputs as `infra.program` exports them: `app` flat, each other identity in a mapping of its own."""
    app = {name: value for name, value in outputs.items() if isinstance(value, str)}
    others = {name: value for name, value in outputs.items() if isinstance(value, dict) and name != SLOTS}
    return ({"app": app} if app else {}) | others


def _keys(found: object) -> dict[str, KeyNote]:
    if not isinstance(found, dict):
        return {}  # deployed by an earlier version
    return {name: key_note.of(one.get("slot"), one.get("made")) for name, one in found.items() if one}
