"""Recognise that an update would change nothing, without the seconds that Pulumi needs to say so.

Pulumi is not needed if everything is as the last update left it: the configuration, this program, the state and
the env files on this machine, and the buckets, identities and access keys on the store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from infra import private_file
from infra.config import stack_files
from infra.env import files
from infra.init import preview
from infra.local import own_state
from infra.outcome import Outcome
from infra.plan import Plan

#: What Pulumi runs, and what that imports.
_PROGRAM = ("Pulumi.yaml", "requirements.txt", "__main__.py", "component", "core", "infra")


class LastUpdate:
    """The files from which an environment on a store was last updated, and the files which that update wrote."""

    def __init__(self, planned: Plan) -> None:
        """Read the present content of the configuration and of the program, before the update uses them."""
        self._plan = planned
        self._record = own_state.home() / f"{planned.config.environment}.last-update"
        self._read = _digest([stack_files.path(planned.config.environment), *_program()])

    def is_current(self) -> bool:
        """Return whether another update would change nothing.

        Raises:
            InfraError: the store does not respond, or refuses.
        """
        return self._recorded() == self._contents() and not self._differs_on_store()

    def record(self) -> None:
        """Record that the environment was updated from the files that were read, and what it wrote."""
        own_state.create_home()
        private_file.write(self._record, json.dumps(self._contents()))

    def _recorded(self) -> object:
        try:
            return json.loads(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _contents(self) -> dict[str, str]:
        config = self._plan.config
        state = own_state.state_file(config.environment)
        env_files = [files.all_of(files.path(config.environment, name)) for name in config.names]
        return {"read": self._read, "written": _digest([state, *chain(*env_files)])}

    def _differs_on_store(self) -> bool:
        outcomes: list[Outcome] = []
        preview(self._plan, lambda _subject, outcome: outcomes.append(outcome))
        return any(outcome.is_change for outcome in outcomes)


def _program() -> list[Path]:
    paths = [stack_files.ROOT / name for name in _PROGRAM]
    return [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]


def _digest(paths: Iterable[Path]) -> str:
    """Return one digest of the paths and contents of files; one that does not exist has no content."""
    contents = ((str(path), hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths if path.exists())
    return hashlib.sha256(json.dumps(list(contents)).encode()).hexdigest()
