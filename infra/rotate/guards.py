"""What must hold before a step of a rotation: the new key is proven, the old one is out of use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from infra import config as configuration
from infra import moments
from infra.check.command import told
from infra.check.runner import run
from infra.config import EnvironmentConfig
from infra.env import files
from infra.errors import InfraError
from infra.rotate.used import last_used
from infra.slots import Step
from infra.stores.store import Keys

#: Told of what happens, a sentence each.
Say = Callable[[str], None]


def held(config: EnvironmentConfig, identity: str, *, other: bool = False) -> Keys | None:
    """The key in an identity's env file, or in that of its other slot."""
    slots = config.slots_of(identity)
    found = files.held(files.path(config.environment, identity), slots.other if other else slots.current)
    return found and found.keys


def before(step: Step, config: EnvironmentConfig, names: list[str], soak: timedelta, say: Say) -> None:
    """What must hold before a step."""
    if step == "switch":
        prove(config, names)
    for name in names:
        old = held(config, name, other=True)
        used = last_used(config, old.access_key_id) if old and step in {"retire", "finish"} else None
        if step == "retire" and used and used > (config.slots_of(name).since or used):
            moment = moments.written(used)
            say(f"{name}: the old key was used after the switch, at {moment}: somebody still has it")
        if step == "finish":
            _require_unused(config, name, used, soak)


def prove(config: EnvironmentConfig, names: list[str]) -> None:
    """Try the new key, before the env file holds it.

    Raises:
        InfraError: it may not do what it must, or may do what it must not.
    """
    then = (
        ", so nothing was switched: the env file holds the old one. Mend that and run this again, or take it back "
        "with --abort"
    )
    _try_other_slot(config, names, "the new key", then)


def prove_again(config: EnvironmentConfig, names: list[str]) -> None:
    """Try the old key, after it was switched on again.

    Raises:
        InfraError: it may not do what it must, or may do what it must not.
    """
    then = "; run this without --abort to switch it off, then mend that"
    _try_other_slot(config, names, "the old key, which is switched on again,", then)


def _try_other_slot(config: EnvironmentConfig, names: list[str], key: str, then: str) -> None:
    """Try the key in the other slot, by the access check; `then` ends the sentence if it fails."""
    beside = {
        name: files.slot_file(files.path(config.environment, name), config.slots_of(name).other) for name in names
    }
    try:
        findings = list(run(config, configuration.read_values(config.environment), beside))
    except InfraError as error:
        raise type(error)(f"{key} could not be proven ({error}){then}") from error
    if surprises := [one for one in findings if one.surprise]:
        raise InfraError(f"{key} failed the access check ({'; '.join(map(told, surprises))}){then}")


def _require_unused(config: EnvironmentConfig, name: str, used: datetime | None, soak: timedelta) -> None:
    """Refuse to delete the old key of an identity while it may be in use.

    Raises:
        InfraError: it was used lately, or if nobody can tell, the last step was taken lately.
    """
    now = datetime.now(UTC)
    if used and now - used < soak:
        raise InfraError(
            f"the old key of {name} was used at {moments.written(used)}: find out what still has it, and finish "
            f"when it was not used for {_hours(soak)}, or at once with `--soak 0`"
        )
    since = config.slots_of(name).since
    if not used and since and now - since < soak:
        raise InfraError(
            f"the old key of {name} may still be in use: finish from {moments.written(since + soak)} on, "
            f"{_hours(soak)} after the last step, or at once with `--soak 0`"
        )


def _hours(soak: timedelta) -> str:
    return f"{soak.total_seconds() / 3600:g} hours"
