"""How the env files on disk differ from the deployed stack. Findings hold names of variables, never values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.storage import StorageConfigError
from core.storage.settings import Settings, read_env_file
from infra.env import files
from infra.env.stack import Stack

_WRITE = "`python -m infra env {environment} --write` writes it"
_MOVE = "move it away, then `python -m infra env {environment} --write` writes it"

#: What can be wrong with a file: the word for machines, the words for people, and what to do. The first that
#: is found decides what to do.
WORDS = {
    "undeployed": ("its identity is not deployed", "`pulumi up -s {environment}` deploys it"),
    "missing": ("is missing", _WRITE),
    "unreadable": ("cannot be read", _MOVE),
    "foreign": ("was not made by mpr-storage", _MOVE),
    "edited": (
        "was edited by hand",
        "put the change into Pulumi.{environment}.yaml and deploy, or " + _MOVE,
    ),
    "older": ("is older than the last deployment", _WRITE),
    "rotated": ("holds keys that were replaced", _WRITE),
    "differs": ("differs", _WRITE),
}


@dataclass(frozen=True)
class Finding:
    """How one env file stands to the stack."""

    environment: str
    identity: str
    file: Path
    #: Words of the table above; none: the file is as deployed.
    reasons: tuple[str, ...] = ()
    #: Names of the variables that differ.
    variables: tuple[str, ...] = ()

    def __str__(self) -> str:
        """A sentence that says what to do."""
        if not self.reasons:
            return f"{self.file}: as deployed"
        what = ", ".join(WORDS[one][0] for one in self.reasons)
        names = f" ({', '.join(self.variables)})" if self.variables else ""
        return f"{self.file}: {what}{names}; {self.next_step}"

    @property
    def next_step(self) -> str | None:
        """What to do about it."""
        return WORDS[self.reasons[0]][1].format(environment=self.environment) if self.reasons else None

    def as_dict(self) -> dict[str, object]:
        """The finding for machines."""
        return {
            "identity": self.identity,
            "file": str(self.file),
            "differs": bool(self.reasons),
            "reasons": list(self.reasons),
            "variables": list(self.variables),
            "next": self.next_step,
        }


def compare(environment: str, identities: Iterable[str], stack: Stack) -> Iterator[Finding]:
    """Compare the env file of each identity: those that are deployed, and those of `identities` besides."""
    for identity in dict.fromkeys([*stack.settings, *identities]):
        file = files.path(environment, identity)
        reasons, variables = _differences(file, stack.settings.get(identity), stack.updated)
        yield Finding(environment, identity, files.short(file), tuple(reasons), tuple(variables))


def _differences(file: Path, deployed: Settings | None, updated: datetime | None) -> tuple[list[str], list[str]]:
    if deployed is None:
        return ["undeployed"], []
    if not file.exists():
        return ["missing"], []
    try:
        as_written = files.is_as_written(file)
    except OSError:
        return ["unreadable"], []
    if as_written is None:
        return ["foreign"], []
    reasons = [] if as_written else ["edited"]
    variables = _differing(file, deployed)
    if variables:
        reasons += ["older"] * (updated is not None and _written(file) < updated)
        reasons += ["rotated"] * ("AWS_ACCESS_KEY_ID" in variables)
    return reasons or ["differs"] * bool(variables), variables


def _differing(file: Path, deployed: Settings) -> list[str]:
    """The names whose values differ, or which only one side has; none when the file makes no sense."""
    try:
        there, wanted = read_env_file(file), deployed.to_env()
    except StorageConfigError:
        return []
    return [name for name in dict.fromkeys([*wanted, *there]) if there.get(name) != wanted.get(name)]


def _written(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)
