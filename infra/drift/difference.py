"""A difference between the deployed resources and the stack, with the command that repairs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from infra.command_name import COMMAND
from infra.local.engine import Engine

#: Values of `Difference.wanted` and `Difference.actual`.
PRESENT, ABSENT, MISSING = "present", "absent", "missing"


class Difference(NamedTuple):
    """A property that differs from the stack. Holds no secret, and no access key ID but masked."""

    #: Such as ``bucket studio-in``, ``identity mpr-studio-app`` or ``env file studio.env``.
    thing: str
    property: str
    wanted: str
    actual: str
    #: The command, or what to do by hand if there is none.
    repair: str

    def __str__(self) -> str:
        """Return a sentence with what to do."""
        return f"{self.thing}: {self.property}: wanted {self.wanted}, is {self.actual}; repair: {self.repair}"


class Change(NamedTuple):
    """A property of a thing that differs from the stack."""

    property: str
    wanted: str
    actual: str
    #: What to do by hand, if no deployment repairs it.
    by_hand: str | None = None


def differences_of(thing: str, changes: Iterable[Change], deploy: str) -> Iterator[Difference]:
    """Yield the changes of a thing as differences, which the command `deploy` repairs."""
    for name, wanted, actual, by_hand in changes:
        yield Difference(thing, name, wanted, actual, by_hand or deploy)


class Repair(NamedTuple):
    """The commands that repair an environment."""

    #: Updates buckets, identities and access keys.
    deploy: str
    #: Writes the env files.
    write: str


def repair_of(environment: str, pulumi: Engine | None) -> Repair:
    """Return the commands for an environment that this engine deployed, or `init`."""
    if pulumi is None:
        return Repair(f"{COMMAND} init {environment}", f"{COMMAND} init {environment}")
    deploy = f"{COMMAND} up {environment}" if pulumi.own_state else f"pulumi up -s {environment} --refresh"
    return Repair(deploy, f"{COMMAND} env {environment} --write")
