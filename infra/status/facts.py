"""What `status` says of an environment, as values. Holds no secret, and no access key ID but masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from infra import timestamps
from infra.config.identities import Role
from infra.config.stack_files import short
from infra.env import files
from infra.env.compare import FileComparison
from infra.env.key_info import KeyInfo
from infra.errors import InfraError
from infra.stores.contents import Contents

#: What created an environment; `unknown`: that cannot be read.
DeployedBy = Literal["Pulumi", "init", "not deployed", "unknown"]
#: `stays behind`: the environment created it, and its configuration no longer names it.
Origin = Literal["created", "adopted", "stays behind", "missing", "unknown"]
#: `not compared`: this project wrote it, and what is deployed cannot be read.
FileState = Literal[
    "agrees",
    "differs",
    "missing",
    "written by hand",
    "edited by hand",
    "unreadable",
    "not deployed",
    "not compared",
]

#: By reason of a comparison; every other reason is `differs`.
_OF_REASON: Mapping[str, FileState] = {
    "missing": "missing",
    "foreign": "written by hand",
    "edited": "edited by hand",
    "unreadable": "unreadable",
    "undeployed": "not deployed",
}
#: By state of a file that is compared with nothing.
_OF_STATE: Mapping[files.State, FileState] = {
    "missing": "missing",
    "foreign": "written by hand",
    "edited": "edited by hand",
    "unreadable": "unreadable",
    "as written": "not compared",
}


@dataclass(frozen=True, kw_only=True)
class BucketFacts:
    """A bucket."""

    name: str
    #: None: no role is configured for it.
    role: Role | None
    origin: Origin = "unknown"
    #: None: not counted.
    contents: Contents | None = None
    #: What to do about it, or why its contents were not counted.
    note: str | None = None

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        counted = self.contents
        return {
            "name": self.name,
            "role": self.role,
            "origin": self.origin,
            "objects": counted.objects if counted else None,
            "older_versions": counted.older_versions if counted else None,
            "unfinished_uploads": counted.uploads if counted else None,
            "bytes": counted.size if counted else None,
            "note": self.note,
        }


@dataclass(frozen=True, kw_only=True)
class IdentityFacts:
    """An identity, and the access key in its env file."""

    name: str
    #: Masked; None: it has none, or no file here and no stack holds it.
    key: str | None
    info: KeyInfo | None = None
    #: The last step of a rotation under way.
    rotation: str | None = None

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        info = self.info
        return {
            "name": self.name,
            "key": self.key,
            "slot": info.slot if info else None,
            "created": timestamps.to_text(info.created) if info and info.created else None,
            "age_days": info.age_days if info else None,
            "rotation": self.rotation,
        }


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """The env file of an identity."""

    file: Path
    identity: str
    state: FileState
    #: What to do, if there is anything.
    next: str | None = None

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        return asdict(self) | {"file": str(self.file)}


def of_comparison(comparison: FileComparison) -> FileFacts:
    """Return the state of an env file that was compared with what is deployed."""
    reason = next(iter(comparison.reasons), None)
    return FileFacts(
        file=comparison.file,
        identity=comparison.identity,
        state=_OF_REASON.get(reason, "differs") if reason else "agrees",
        next=comparison.next_step,
    )


def on_disk(environment: str, identity: str) -> FileFacts:
    """Return the state of an env file that is compared with nothing."""
    file = files.path(environment, identity)
    return FileFacts(file=short(file), identity=identity, state=_OF_STATE[files.state(file)])


@dataclass(frozen=True, kw_only=True)
class EnvironmentFacts:
    """An environment. What could not be read is empty or unknown, and `problems` says why."""

    environment: str
    target: str | None = None
    #: A URL, or ``embedded``; None in a cloud.
    endpoint: str | None = None
    deployed_by: DeployedBy = "unknown"
    deployed_at: datetime | None = None
    buckets: tuple[BucketFacts, ...] = ()
    identities: tuple[IdentityFacts, ...] = ()
    env_files: tuple[FileFacts, ...] = ()
    #: None: not compared, because all environments are shown.
    drift: Literal["none", "differs", "unknown"] | None = None
    drift_reason: str | None = None
    #: Sentences about what was not compared, or is not known.
    notices: tuple[str, ...] = ()
    problems: tuple[InfraError, ...] = field(default=(), compare=False)

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        return {
            "environment": self.environment,
            "target": self.target,
            "endpoint": self.endpoint,
            "deployed_by": self.deployed_by,
            "deployed_at": timestamps.to_text(self.deployed_at) if self.deployed_at else None,
            "buckets": [bucket.as_dict() for bucket in self.buckets],
            "identities": [identity.as_dict() for identity in self.identities],
            "env_files": [file.as_dict() for file in self.env_files],
            "drift": self.drift,
            "drift_reason": self.drift_reason,
            "notices": list(self.notices),
            "problems": [" ".join(str(problem).split()) for problem in self.problems],
        }
