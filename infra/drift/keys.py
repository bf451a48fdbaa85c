"""The keys of an identity on a store, slot by slot, and those that no slot knows."""

from __future__ import annotations

from collections.abc import Iterator

from core.storage._internal import mask
from infra.drift.finding import Finding
from infra.drift.known import Known
from infra.identities import Identity
from infra.plan import Plan
from infra.slots import SLOTS, KeyPlace
from infra.stores.keys import Credentials

GONE = "gone from the store"
#: What a key is called that no slot knows: a door that somebody opened by hand.
STRAY = "key in no slot"

#: By how keys are made: how somebody deletes one that nobody knows.
_BY_HAND = {
    "iam": "find out who has it, then `aws iam delete-access-key --user-name {name}`",
    "minio": "find out who has it, then `mc admin accesskey rm`",
}


def compare(made: Plan, maker: Credentials, identity: Identity, known: Known) -> Iterator[Finding]:
    """Keys that are gone, switched on or off against what the stack says, left over, or made by hand."""
    if made.config.credentials == "static":
        return  # made elsewhere
    name = made.name(identity)
    there = maker.key_ids(made.store, name)
    places = {place.slot: place for place in made.config.slots_of(identity.name).places()}
    ours = {slot: key for (owner, slot), key in known.keys.items() if owner == identity.name}
    for slot in SLOTS:
        sides = _slot(made, maker, name, places.get(slot), ours.get(slot), there, deployed=known.stack is not None)
        if sides:
            yield Finding(
                thing=f"identity {name}",
                property=f"key in slot {slot}",
                wanted=sides[0],
                actual=sides[1],
                repair=known.repair.deploy,
            )
    strays = set(there) - set(ours.values())
    if known.stack is None and len(strays) <= len(set(places) - set(ours)):
        return  # those of slots whose env files are missing here, as it seems
    for stray in sorted(strays):
        switched = _switched(maker.is_active(made.store, name, stray))
        yield Finding(
            thing=f"identity {name}",
            property=STRAY,
            wanted="none",
            actual=f"{mask(stray)}, {switched}, which nothing here knows",
            repair=_BY_HAND[made.config.credentials].format(name=name),
        )


def _slot(  # what there shall be and what there is
    made: Plan,
    maker: Credentials,
    name: str,
    place: KeyPlace | None,
    key: str | None,
    there: list[str],
    *,
    deployed: bool,
) -> tuple[str, str] | None:
    """What a slot shall hold and what it holds, if they differ."""
    if key is None:
        # Without a stack, only env files tell which key is whose: a missing one is found there.
        return ("a key", "not deployed yet") if place and deployed else None
    if place is None:
        return ("none", f"{mask(key)}, left over") if key in there else None
    if key not in there:
        return mask(key), GONE
    active = maker.is_active(made.store, name, key)
    if active == place.active:
        return None
    return f"{mask(key)} {_switched(place.active)}", _switched(active)


def _switched(active: bool) -> str:  # noqa: FBT001  # a value to be told
    return "on" if active else "off"
