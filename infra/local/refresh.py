"""Decide whether an update must first refresh the state, which takes longer than this comparison."""

from __future__ import annotations

import json
from pathlib import Path

from infra.env import files
from infra.identity_setup import WOULD_BE
from infra.init import preview
from infra.plan import Plan


def is_needed(planned: Plan, state: Path) -> bool:
    """Return whether the state may differ from what exists on the store.

    It does not differ if the last update is complete, no other program has written the env files since, and the
    store and the env files are as configured.

    Args:
        planned: the plan of the environment, which must be on a store.
        state: the file in which Pulumi keeps the state.

    Raises:
        InfraError: the store does not respond, or refuses.
    """
    if not state.exists():
        return False
    return _is_incomplete(state) or _is_older_than_env_files(state, planned) or _would_change(planned)


def _is_incomplete(state: Path) -> bool:
    """Return whether the last update was interrupted, or the file is not as this version of Pulumi writes it."""
    try:
        latest = json.loads(state.read_text(encoding="utf-8"))["checkpoint"]["latest"]
        return bool(latest.get("pending_operations")) or not latest.get("resources")
    except (ValueError, KeyError, TypeError, AttributeError):
        return True


def _is_older_than_env_files(state: Path, planned: Plan) -> bool:
    env_files = [files.path(planned.config.environment, name) for name in planned.config.names]
    written = state.stat().st_mtime_ns
    return any(file.exists() and file.stat().st_mtime_ns > written for file in env_files)


def _would_change(planned: Plan) -> bool:
    outcomes: list[str] = []
    preview(planned, lambda _subject, outcome: outcomes.append(outcome))
    return any(WOULD_BE in outcome for outcome in outcomes)
