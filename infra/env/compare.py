"""Compare the env files on disk with the deployed stack. Results hold names of variables, never values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from core.storage import StorageConfigError
from core.storage.settings import Settings, read_env_file
from infra.command_name import COMMAND
from infra.config.stack_files import short
from infra.env import files
from infra.env.stack import Stack

#: What writes a file and deploys its identity: of a stack, of an environment that `init` made, and of one whose
#: access key is in no file.
_BY_PULUMI = {
    "write": "`{command} env {environment} --write` writes it",
    "deploy": "`{command} up {environment}` deploys it",
}
_BY_INIT = {
    "write": _BY_PULUMI["write"],
    "deploy": "`{command} init {environment}` deploys it",
}
_WITHOUT_KEY = {
    "write": "`{command} init {environment}` writes it, with a new access key if no file here holds one",
    "deploy": _BY_INIT["deploy"],
}


class _Reason(NamedTuple):
    """Why a file differs, and what to do."""

    problem: str
    next_step: str = "{write}"
    #: Whether the file must be moved away before another one is written.
    must_be_moved: bool = False


_MOVE = "move it away, then {write}"
#: The first reason of a file decides what to do.
_REASONS = {
    "undeployed": _Reason("of an identity that is not deployed", "{deploy}"),
    "missing": _Reason("missing"),
    "unreadable": _Reason("not readable", _MOVE, must_be_moved=True),
    "foreign": _Reason("not written by mpr-storage", _MOVE, must_be_moved=True),
    "edited": _Reason(
        "edited by hand",
        f"put the change into Pulumi.{{environment}}.yaml and deploy, or {_MOVE}",
        must_be_moved=True,
    ),
    "refused": _Reason("not as in the state, whose access key the store refuses", "{deploy}"),
    "unknown": _Reason("with an access key that the state does not have", _MOVE, must_be_moved=True),
    "older": _Reason("older than the last deployment"),
    "rotated": _Reason("with an access key that was replaced"),
    "differs": _Reason("different"),
    "open": _Reason("open to other users of this machine"),
}


@dataclass(frozen=True)
class FileComparison:
    """The result for one env file."""

    environment: str
    identity: str
    file: Path
    #: Keys of `_REASONS`; empty if the file is as deployed.
    reasons: tuple[str, ...] = ()
    #: Names of the variables that differ.
    variables: tuple[str, ...] = ()
    #: What writes the file, and deploys its identity.
    commands: Mapping[str, str] = field(default_factory=lambda: _BY_PULUMI)

    def __str__(self) -> str:
        """Return a sentence with what to do."""
        if not self.reasons:
            return f"{self.file}: as deployed"
        names = f" ({', '.join(self.variables)})" if self.variables else ""
        return f"{self.file}: {self.problem}{names}; {self.next_step}"

    @property
    def problem(self) -> str:
        """Return the reasons in words."""
        return ", ".join(_REASONS[reason].problem for reason in self.reasons)

    @property
    def next_step(self) -> str | None:
        """Return what to do, with the command."""
        if not self.reasons:
            return None
        commands = {
            name: text.format(command=COMMAND, environment=self.environment)
            for name, text in self.commands.items()
        }
        return _REASONS[self.reasons[0]].next_step.format(environment=self.environment, **commands)

    @property
    def must_be_moved(self) -> bool:
        """Return whether the file must be moved away before another one is written."""
        return bool(self.reasons) and _REASONS[self.reasons[0]].must_be_moved

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        return {
            "identity": self.identity,
            "file": str(self.file),
            "differs": bool(self.reasons),
            "reasons": list(self.reasons),
            "variables": list(self.variables),
            "next": self.next_step,
        }


def compare(environment: str, identities: Iterable[str], stack: Stack) -> Iterator[FileComparison]:
    """Compare the env file of each identity that is deployed or in `identities`."""
    for identity in dict.fromkeys([*stack.settings, *identities]):
        yield compare_file(environment, identity, stack)


def compare_file(environment: str, identity: str, stack: Stack) -> FileComparison:
    """Compare the env file of one identity."""
    file, deployed = files.path(environment, identity), stack.settings.get(identity)
    reasons, variables = _differences(file, deployed, stack.updated)
    if (outdated := stack.outdated.get(identity)) and "undeployed" not in reasons:
        reasons = [outdated, *reasons]
    result = FileComparison(environment, identity, short(file), tuple(reasons), tuple(variables))
    if not stack.by_init:
        return result
    has_key = deployed is not None and deployed.access_key_id is not None
    return replace(result, commands=_BY_INIT if has_key and not result.must_be_moved else _WITHOUT_KEY)


def _differences(file: Path, deployed: Settings | None, updated: datetime | None) -> tuple[list[str], list[str]]:
    state = files.state(file)
    if deployed is None:
        return ["undeployed"], []
    if state in {"missing", "unreadable", "foreign"}:
        return [state], []
    reasons: list[str] = ["edited"] if state == "edited" else []
    variables = _differing(file, deployed)
    if variables:
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        reasons += ["older"] * (updated is not None and written < updated)
        reasons += ["rotated"] * ("AWS_ACCESS_KEY_ID" in variables)
        reasons = reasons or ["differs"]
    return reasons + ["open"] * files.is_open(file), variables


def _differing(file: Path, deployed: Settings) -> list[str]:
    """Return the names of variables that differ or that one side lacks; none if the file is not valid."""
    try:
        actual, wanted = read_env_file(file), deployed.to_env()
    except StorageConfigError:
        return []
    return [name for name in dict.fromkeys([*wanted, *actual]) if actual.get(name) != wanted.get(name)]
