"""The env files of an identity on a store: against the deployed stack, or without one against the plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from core.storage.settings import Settings
from infra.drift.finding import Finding, Repair
from infra.drift.known import Known
from infra.env import compare as env
from infra.env import files, key_note
from infra.env.stack import Stack
from infra.identities import Identity
from infra.plan import Plan
from infra.slots import Slots
from infra.stores.keys import Credentials, is_accepted

#: What has to be moved away before anything writes it again.
_SOMEBODYS = {"unreadable", "foreign", "edited"}


def compare(
    made: Plan, maker: Credentials, identity: Identity, known: Known, *, broken: bool
) -> Iterator[Finding]:
    """The differences of the env file of an identity, and of that of its other slot.

    Args:
        made: what there shall be.
        maker: how its keys are made.
        identity: whose files.
        known: what is deployed.
        broken: the identity or its keys differ themselves: what follows from that is not told again.
    """
    stack = known.stack or Stack({identity.name: _planned(made, maker, identity)}, None)
    compared = env.compare(made.config.environment, [identity.name], _alone(stack, identity))
    found = list(told(compared, known.repair))
    yield from found
    if found or broken:
        return
    main = files.path(made.config.environment, identity.name)
    yield from _slots(made.config.slots_of(identity.name), main, known.repair)
    keys = files.keys(main)
    if keys and not is_accepted(made.store, keys):
        yield Finding(
            thing=f"env file {files.short(main)}",
            property="key",
            wanted="one that the store takes",
            actual=f"{keys.hint}, which it refuses",
            repair=known.repair.deploy,
        )


def told(compared: Iterable[env.Finding], repair: Repair) -> Iterator[Finding]:
    """What `infra.env.compare` found, in the words of a drift."""
    for one in compared:
        if not one.reasons:
            continue
        command = repair.deploy if one.reasons[0] == "undeployed" else repair.write
        yield Finding(
            thing=f"env file {one.file}",
            property=", ".join(one.variables) or "file",
            wanted="as deployed",
            actual=", ".join(env.WORDS[reason][0] for reason in one.reasons),
            repair=f"move it away, then {command}" if one.reasons[0] in _SOMEBODYS else command,
        )


def _alone(stack: Stack, identity: Identity) -> Stack:
    return replace(stack, settings={name: one for name, one in stack.settings.items() if name == identity.name})


def _planned(made: Plan, maker: Credentials, identity: Identity) -> Settings:
    """The settings that the plan says, with the key in the file: whether that is right is asked of the store."""
    settings = made.settings(identity)
    keys = files.keys(files.path(made.config.environment, identity.name))
    if made.config.credentials == "static":
        keys = maker.create_key(made.store, identity.name)  # the given one: nothing is made
    if keys is None:
        return settings
    return replace(settings, access_key_id=keys.access_key_id, secret_access_key=keys.secret_access_key)


def _slots(slots: Slots, main: Path, repair: Repair) -> Iterator[Finding]:
    """Whether the files hold the keys of the slots that they shall hold."""
    beside = files.slot_file(main, slots.other)
    held = key_note.read(main).slot
    if held != slots.current:
        sides = main, "key", f"that of slot {slots.current}", f"that of slot {held}"
    elif slots.rotating and not beside.exists():
        sides = beside, "file", f"with the key of slot {slots.other}", "missing"
    elif beside.exists() and not slots.rotating:
        sides = beside, "file", "none", "left over"
    else:
        return
    file, name, wanted, actual = sides
    yield Finding(
        thing=f"env file {files.short(file)}", property=name, wanted=wanted, actual=actual, repair=repair.deploy
    )
