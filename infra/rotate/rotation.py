"""Take and undo steps: each changes the stack's file and deploys it, with an access check where it needs one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from infra.config import stack_files
from infra.config.environment import EnvironmentConfig
from infra.config.load import load_environment
from infra.config.slots import STEPS, Slots, Step
from infra.env import files
from infra.errors import InfraError, UsageError
from infra.local.up import deploy, prepare
from infra.rotate import guards, steps
from infra.rotate.guards import Say
from infra.rotate.stack_file import write_slots
from infra.targets.capabilities import UNROTATED
from infra.targets.registry import TARGETS


def load(environment: str, identities: Iterable[str]) -> tuple[EnvironmentConfig, list[str]]:
    """Return the environment and the names of the identities to rotate: `identities`, or all.

    Raises:
        UsageError: an identity is unknown, or has no access key that can be rotated.
    """
    config = load_environment(environment)
    if why := UNROTATED.get(config.credentials):
        raise UsageError(f"environment {environment} has `credentials: {config.credentials}`: {why}")
    for name in identities:
        config.require(name)
    return config, list(dict.fromkeys(identities)) or list(config.names)


def take_steps(environment: str, identities: Iterable[str], to: Step | None, soak: timedelta, say: Say) -> None:
    """Take the next step, or every step up to `to`, after a step that was configured and not deployed.

    Raises:
        InfraError: a check failed, the old access key is still in use, or a deployment failed; the message says
            which state the rotation is in.
    """
    config, names = load(environment, identities)
    for file in (files.path(environment, name) for name in names):
        if file.is_file():
            files.require_private(file)
    files.require_writable(file for name in names for file in files.all_of(files.path(environment, name)))
    if behind := [name for name in names if not _is_deployed(config, name)]:
        say(f"{', '.join(behind)}: the env files do not match the stack's file; deploying that first")
        _deploy(config, say)
    while True:
        step, due = _next(config, names)
        if to and STEPS.index(step) > STEPS.index(to):
            say(f"{', '.join(due)}: nothing is left to do up to {to}; the next step is {step}")
            return
        guards.check_before(step, config, due, soak, say)
        now = datetime.now(UTC)
        config = _change(config, {name: steps.take(config.slots_of(name), step, now) for name in due}, say)
        if step == "start":
            guards.check_secondary_keys(config, due, new=True)
        say(f"{step}: {', '.join(due)}: {steps.DONE[step]}")
        if to in {None, step}:
            return


def undo_step(environment: str, identities: Iterable[str], say: Say) -> None:
    """Undo the last step.

    Raises:
        UsageError: no rotation is under way.
        InfraError: an access key that was activated again failed the check, or a deployment failed.
    """
    config, names = load(environment, identities)
    last = {name: step for name in names if (step := config.slots_of(name).step)}
    if not last:
        raise UsageError(f"no rotation of {environment} is in progress: there is nothing to undo")
    now = datetime.now(UTC)
    config = _change(config, {name: steps.undo(config.slots_of(name), now) for name in last}, say)
    if reactivated := [name for name, step in last.items() if step == "retire"]:
        guards.check_secondary_keys(config, reactivated, new=False)
    for name, step in last.items():
        say(f"{step} of {name} is undone: {steps.UNDONE[step]}")


def next_step(config: EnvironmentConfig, identity: str) -> Step:
    """Return the next step of an identity."""
    return steps.following(config.slots_of(identity), deactivates=TARGETS[config.target].deactivates_keys)


def _next(config: EnvironmentConfig, names: list[str]) -> tuple[Step, list[str]]:
    """Return the earliest of the identities' next steps, and the identities that it is due for."""
    upcoming = {name: next_step(config, name) for name in names}
    step = min(upcoming.values(), key=STEPS.index)
    return step, [name for name in names if upcoming[name] == step]


def _is_deployed(config: EnvironmentConfig, identity: str) -> bool:
    """Return whether the env files hold the access keys of the slots that the stack's file says."""
    slots, main = config.slots_of(identity), files.path(config.environment, identity)
    primary, secondary = files.access_key_in(main, slots.current), files.slot_file(main, slots.other)
    if primary is None or primary.file != main:
        return False
    return files.access_key(secondary) is not None if slots.rotating else not secondary.exists()


def _change(config: EnvironmentConfig, slots: dict[str, Slots], say: Say) -> EnvironmentConfig:
    """Write the slots to the stack's file, deploy, and return the changed environment."""
    prepare(config, say)  # what fails here leaves the file as it is
    write_slots(config.environment, slots)
    changed = load_environment(config.environment)
    _deploy(changed, say)
    return changed


def _deploy(config: EnvironmentConfig, say: Say) -> None:
    try:
        deploy(config, say)
    except InfraError as error:
        undo = ", or undo the last step with --abort" if any(slots.step for slots in config.slots.values()) else ""
        file = stack_files.path(config.environment)
        error.args = (f"{error}\n{file} is not deployed: run the same command again to continue{undo}",)
        raise
