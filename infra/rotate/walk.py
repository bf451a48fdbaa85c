"""Taking steps: each is a change of the stack's file and a deployment, with a check where one is due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from infra import config as configuration
from infra.config import EnvironmentConfig
from infra.env import files
from infra.errors import InfraError, UsageError
from infra.features import TARGETS, UNROTATED
from infra.local._layout import local_folder
from infra.local._lock import exclusive
from infra.local.lifecycle import deploy
from infra.rotate import guards, steps
from infra.rotate.guards import Say
from infra.rotate.stack_file import write_slots
from infra.slots import STEPS, Slots, Step


def load(environment: str, identities: Iterable[str]) -> tuple[EnvironmentConfig, list[str]]:
    """The environment, and the identities whose keys are meant: all, if none is named.

    Raises:
        UsageError: one is unknown, or there are no keys to rotate.
    """
    config = configuration.load(environment)
    if why := UNROTATED.get(config.credentials):
        raise UsageError(f"environment {environment} has `credentials: {config.credentials}`: {why}")
    for name in identities:
        config.require(name)
    return config, list(identities) or list(config.names)


@contextmanager
def alone(environment: str) -> Iterator[None]:
    """Keep every other rotation of this environment on this machine out.

    Raises:
        UsageError: there is one already.
    """
    local_folder().mkdir(mode=0o700, exist_ok=True)
    busy = f"a rotation of {environment} is being worked on already; run this again when it is through"
    with exclusive(local_folder() / f"rotate-{environment}.lock", busy=busy):
        yield


def forward(environment: str, identities: Iterable[str], to: Step | None, soak: timedelta, say: Say) -> None:
    """Take the next step, or every step up to `to`.

    What a run that was killed left undone, here or elsewhere, is done first.

    Raises:
        InfraError: a check failed, the old key is still in use, or a deployment failed; the sentence says where
            the rotation stands.
    """
    config, names = load(environment, identities)
    for file in (files.path(environment, name) for name in names):
        if file.is_file():
            files.require_private(file)
    _catch_up(config, names, say)
    while True:
        step, meant = _next(config, names)
        if to and STEPS.index(step) > STEPS.index(to):
            say(f"{', '.join(meant)}: {to} was done before; next is {step}")
            return
        guards.before(step, config, meant, soak, say)
        now = datetime.now(UTC)
        config = _changed(config, {name: steps.take(config.slots_of(name), step, now) for name in meant}, say)
        if step == "start":
            guards.prove(config, meant)
        say(f"{step}: {', '.join(meant)}: {steps.DONE[step]}")
        if to in {None, step}:
            return


def back(environment: str, identities: Iterable[str], say: Say) -> None:
    """Take the last step back.

    Raises:
        UsageError: there is none to take back.
        InfraError: a key that is switched on again failed the check, or a deployment failed.
    """
    config, names = load(environment, identities)
    meant = [name for name in names if config.slots_of(name).rotating]
    if not meant:
        raise UsageError(f"no rotation of {environment} is under way: there is nothing to take back")
    last = {name: config.slots_of(name).step for name in meant}
    now = datetime.now(UTC)
    config = _changed(config, {name: steps.take_back(config.slots_of(name), now) for name in meant}, say)
    if again := [name for name in meant if last[name] == "retire"]:
        guards.prove_again(config, again)
    for name, step in last.items():
        if step:
            say(f"{step} of {name} is taken back: {steps.UNDONE[step]}")


def next_step(config: EnvironmentConfig, identity: str) -> Step:
    """The step that an identity takes next."""
    return steps.following(config.slots_of(identity), switches_off=TARGETS[config.target].switches_off)


def _next(config: EnvironmentConfig, names: list[str]) -> tuple[Step, list[str]]:
    """The earliest step that is next for any of the identities, and for which of them."""
    upcoming = {name: next_step(config, name) for name in names}
    step = min(upcoming.values(), key=STEPS.index)
    return step, [name for name in names if upcoming[name] == step]


def _catch_up(config: EnvironmentConfig, names: list[str], say: Say) -> None:
    """Deploy what the stack's file says, if the env files here do not show that it was."""
    behind = [name for name in names if not _is_deployed(config, name)]
    if behind:
        say(f"{', '.join(behind)}: the env files are not as the stack's file says; deploying that first")
        _deploy(config, say)


def _is_deployed(config: EnvironmentConfig, identity: str) -> bool:
    slots, main = config.slots_of(identity), files.path(config.environment, identity)
    beside = files.slot_file(main, slots.other)
    current = files.held(main, slots.current)
    if current is None or current.file != main:
        return False
    return files.keys(beside) is not None if slots.rotating else not beside.exists()


def _changed(config: EnvironmentConfig, slots: dict[str, Slots], say: Say) -> EnvironmentConfig:
    """The environment after the stack's file was changed and deployed."""
    write_slots(config.environment, slots)
    changed = configuration.load(config.environment)
    _deploy(changed, say)
    return changed


def _deploy(config: EnvironmentConfig, say: Say) -> None:
    try:
        deploy(config, configuration.read_values(config.environment), say)
    except InfraError as error:
        raise type(error)(
            f"{error}\nThe step is in {configuration.stack_file(config.environment)} and not deployed: run the "
            "same command again to go on, or take it back with --abort"
        ) from error
