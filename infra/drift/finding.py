"""One difference, and the commands that mend it. No secret is ever in one."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A property of a thing that is not as the stack says."""

    #: Such as ``bucket studio-in``, ``identity mpr-studio-app`` or ``env file studio.env``.
    thing: str
    property: str
    wanted: str
    actual: str
    #: The command, or what to do by hand where none does it.
    repair: str

    def __str__(self) -> str:
        """A sentence that says what to do."""
        return f"{self.thing}: {self.property}: wanted {self.wanted}, is {self.actual}; repair: {self.repair}"

    def as_dict(self) -> dict[str, str]:
        """For ``--json``."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Repair:
    """The commands that mend an environment."""

    #: Brings buckets, identities and keys to what the stack says.
    deploy: str
    #: Writes the env files.
    write: str


def by_engine(environment: str, *, own_state: bool) -> Repair:
    """With a deployed stack. The state under .local/ is used by `python -m infra up`."""
    deploy = f"python -m infra up {environment}" if own_state else f"pulumi up -s {environment} --refresh"
    return Repair(deploy=deploy, write=f"python -m infra env {environment} --write")


def without_engine(environment: str) -> Repair:
    """Where no engine deployed it."""
    command = f"python -m infra init {environment}"
    return Repair(deploy=command, write=command)
