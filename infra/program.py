"""The Pulumi program: configuration -> target -> stack outputs -> env files."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pulumi

from core.storage import StorageError
from core.storage.settings import Settings, variables
from infra import config, targets
from infra.env import files, key_note, placing
from infra.env.stack import SLOTS
from infra.errors import InfraError
from infra.slots import Slot, Slots


def main() -> None:
    """Define the environment that is the current stack. A mistake ends it with a sentence, not a traceback."""
    # The engine interrupts the program when an update fails or is cancelled, and has said why by then; Python's
    # own answer would be a traceback through Pulumi's event loop.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        _define(pulumi.get_stack())
    except (InfraError, StorageError) as error:
        raise pulumi.RunError(str(error)) from error


def _define(environment: str) -> None:
    values = config.from_engine(pulumi.runtime.config.CONFIG.get())
    wanted = config.parse(environment, values, str(config.stack_file(environment)))
    files.require_writable(files.path(environment, identity) for identity in wanted.names)
    provided = targets.provision(wanted, values)
    for identity, access in provided.items():
        slots = wanted.slots_of(identity)
        _export(identity, access.settings, _later(access, slots.current))
        if not pulumi.runtime.is_dry_run():
            _write_env_files(environment, identity, access, slots)
    pulumi.export(SLOTS, {name: _slot(access, wanted.slots_of(name)) for name, access in provided.items()})


def _later(access: targets.Access, slot: Slot) -> dict[str, pulumi.Output[str]]:
    """The settings that are known only after the update, with the key of a slot."""
    key = access.keys.get(slot)
    return {**access.later, **({"access_key_id": key.id, "secret_access_key": key.secret} if key else {})}


def _slot(access: targets.Access, slots: Slots) -> dict[str, object]:
    """What the stack says of the key in an identity's env file."""
    key = access.keys.get(slots.current)
    return {"slot": slots.current, "made": key.made} if key else {}


def _write_env_files(environment: str, identity: str, access: targets.Access, slots: Slots) -> None:
    """Write them on every update, also on one that changes nothing: this machine may have none yet.

    The identity's own has the current key; while there is another, a file of the slot's has that.
    """
    texts = {place.slot: _text(environment, identity, access, place.slot) for place in slots.places()}
    ready = pulumi.Output.all(*(resource.urn for resource in access.ready))
    pulumi.Output.all(pulumi.Output.all(**texts), ready).apply(
        lambda found: placing.place(environment, identity, slots, found[0])
    )


def _text(environment: str, identity: str, access: targets.Access, slot: Slot) -> pulumi.Output[str]:
    """The env file with the key of a slot."""

    def text(later: dict[str, Any]) -> str:
        note = key_note.of(slot, later.pop("made"))
        return files.render(replace(access.settings, **later), environment, identity, note)

    key = access.keys.get(slot)
    return pulumi.Output.all(made=key.made if key else None, **_later(access, slot)).apply(text)


def _export(identity: str, settings: Settings, later: Mapping[str, pulumi.Output[str]]) -> None:
    """Every variable of the contract as a stack output: those of `app` by their names, others in a mapping."""
    outputs: dict[str, object] = dict(settings.to_env())
    for name, row in variables():
        if name in later:
            output: Any = later[name]
            secret = row.group == "keys"
            outputs |= dict.fromkeys(row.names, pulumi.Output.secret(output) if secret else output)
    if identity != "app":
        pulumi.export(identity, outputs)
        return
    for name, value in outputs.items():
        pulumi.export(name, value)
