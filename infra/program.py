"""The Pulumi program: configuration -> component resources -> stack outputs -> env files."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping

import pulumi

from core.storage import StorageError
from infra.components import Identity, Storage
from infra.config import stack_files
from infra.config.load import from_engine
from infra.config.slots import Slot
from infra.env import files, key_info
from infra.env.outputs import IDENTITIES, KEY_SLOTS
from infra.errors import InfraError
from infra.targets.registry import TARGETS


def main(lock: Callable[[str], None] = lambda _environment: None) -> None:
    """Define the environment that is the current stack. A mistake ends it with a sentence, not a traceback.

    Args:
        lock: called with the name of the environment before an update, and not before a preview.
    """
    # The engine interrupts the program when an update fails or is cancelled, and has said why by then; Python's
    # own response would be a traceback through Pulumi's event loop.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if not pulumi.runtime.is_dry_run():
            lock(pulumi.get_stack())
        _define(pulumi.get_stack())
    except (InfraError, StorageError) as error:
        raise pulumi.RunError(str(error)) from error


def _define(environment: str) -> None:
    config = from_engine(environment, pulumi.runtime.config.CONFIG.get())
    files.require_writable(files.to_write(config))
    storage = Storage(environment, config)
    for name, identity in storage.members.items():
        _export(name, identity.outputs)
        if not pulumi.runtime.is_dry_run():
            _write_env_files(environment, name, identity)
        if TARGETS[config.target].is_cloud:
            _remove_with_keys(environment, name, identity)
    pulumi.export(IDENTITIES, {name: identity.outputs for name, identity in storage.members.items()})
    pulumi.export(KEY_SLOTS, {name: _key_output(identity) for name, identity in storage.members.items()})


def _export(name: str, variables: Mapping[str, pulumi.Input[str]]) -> None:
    """Export the variables of an identity in the former shape: those of `app` flat, others in a mapping."""
    if name != "app":
        pulumi.export(name, variables)
        return
    for variable, value in variables.items():
        pulumi.export(variable, value)


def _key_output(identity: Identity) -> dict[str, object]:
    """Return what the stack says of the access key in an identity's env file."""
    slot = identity.slots.current
    key = identity.access.keys.get(slot)
    return {"slot": slot, "made": key.created} if key else {}


def _write_env_files(environment: str, name: str, identity: Identity) -> None:
    """Write them on every update, also on one that changes nothing: this machine may have none yet.

    The identity's own file has the primary access key; during a rotation, a file of the slot has the other.
    """
    access, slots = identity.access, identity.slots
    texts = {slot_key.slot: _text(environment, name, identity, slot_key.slot) for slot_key in slots.access_keys()}
    ready = pulumi.Output.all(*(resource.urn for resource in access.resources))
    pulumi.Output.all(pulumi.Output.all(**texts), ready).apply(
        lambda known: files.write_all(environment, name, slots, known[0])
    )


def _remove_with_keys(environment: str, name: str, identity: Identity) -> None:
    """Have `pulumi destroy` remove each env file with its access key, or with the role that it names."""
    from infra.resources.env_file import EnvFile  # noqa: PLC0415  # only clouds need it

    access = identity.access
    file = files.path(environment, name).relative_to(stack_files.ENVIRONMENTS.parent)
    credentials = {slot: key.id for slot, key in access.keys.items()}
    if access.late.role_arn is not None:
        credentials[identity.slots.current] = access.late.role_arn
    for slot, credential in credentials.items():
        options = pulumi.ResourceOptions(parent=identity, depends_on=access.resources)
        EnvFile(f"mpr-{environment}-{name}-{slot}-env-file", file, credential, options)


def _text(environment: str, name: str, identity: Identity, slot: Slot) -> pulumi.Output[str]:
    """Return the env file with the access key of a slot."""
    key = identity.access.keys.get(slot)
    return pulumi.Output.all(identity.access.settings_with(slot), key.created if key else None).apply(
        lambda known: files.render(known[0], environment, name, key_info.parse(slot, known[1]))
    )
