"""`python -m infra rotate`: replace access keys step by step, without a failed request."""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager
from datetime import timedelta

import click

from infra import timestamps
from infra.config.environment import EnvironmentConfig
from infra.config.slots import STEPS, Step
from infra.env import files, key_info
from infra.environment_argument import ENVIRONMENT, IDENTITY
from infra.errors import UsageError
from infra.local.environment_lock import environment_lock
from infra.local.folder import local_folder
from infra.local.lock import locked
from infra.rotate import guards, rotation

_DURATION = re.compile(r"(\d{1,6})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 24 * 3600}


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text} is not a duration such as 30m, 24h or 7d")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


@click.command()
@click.argument("environment", default="local", type=ENVIRONMENT)
@click.argument("identities", nargs=-1, type=IDENTITY)
@click.option("--to", type=click.Choice(STEPS), help="Take every step up to this one.")
@click.option("--abort", is_flag=True, help="Undo the last step.")
@click.option("--status", is_flag=True, help="Show the state of each identity's rotation; changes nothing.")
@click.option(
    "--soak",
    type=_duration,
    metavar="DURATION",
    default="24h",
    show_default=True,
    help="For how long the old key must not have been used before it is deleted.",
)
@click.option("--json", "as_json", is_flag=True, help="With --status: print JSON.")
def rotate(
    environment: str,
    identities: tuple[str, ...],
    *,
    to: Step | None,
    abort: bool,
    status: bool,
    soak: timedelta,
    as_json: bool,
) -> None:
    """Replace access keys step by step, without a failed request.

    Takes the next step of the IDENTITIES, or of all: start (create a second key and check it), switch (write it
    to the env files), retire (deactivate the old key), finish (delete it). Each step changes the stack's file and
    deploys it. Commit the file: then every `pulumi up` keeps the state of the rotation.
    """
    if [to is not None, abort, status].count(True) > 1:
        raise click.UsageError("use exactly one of --to, --abort and --status")
    if as_json and not status:
        raise click.UsageError("--json needs --status")
    if status:
        config, names = rotation.load(environment, identities)
        _show([_status(config, name) for name in names], as_json=as_json)
        return
    config, _ = rotation.load(environment, identities)
    with _only_rotation(environment), environment_lock(config, "rotate"):
        if abort:
            rotation.undo_step(environment, identities, click.echo)
        else:
            rotation.take_steps(environment, identities, to, soak, click.echo)
    config, names = rotation.load(environment, identities)
    for name in names:
        click.echo(f"{name}: next is {rotation.next_step(config, name)}")


def _only_rotation(environment: str) -> AbstractContextManager[object]:
    """Refuse a second rotation of an environment: after the first one, it would take a further step."""

    def refuse() -> None:
        raise UsageError(f"another rotation of {environment} is running; run this command again when it has ended")

    return locked(local_folder() / f"rotate-{environment}.lock", blocked=refuse)


def _status(config: EnvironmentConfig, identity: str) -> dict[str, object]:
    """Return the state of an identity's rotation, with masked access key IDs."""
    slots, main = config.slots_of(identity), files.path(config.environment, identity)
    primary, secondary = (files.access_key_in(main, slot) for slot in (slots.current, slots.other))
    info = key_info.read(main) if main.is_file() else None
    used = guards.last_used(config, secondary.access_key) if secondary else None
    return {
        "identity": identity,
        "slot": slots.current,
        "key": primary.access_key.masked if primary else None,
        "made": timestamps.to_text(info.created) if info and info.created else None,
        "age_days": info.age_days if info else None,
        "other_key": secondary.access_key.masked if secondary else None,
        "other_last_used": timestamps.to_text(used) if used else None,
        "step": slots.step,
        "since": timestamps.to_text(slots.since) if slots.since else None,
        "next": rotation.next_step(config, identity),
    }


def _show(rows: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        created = f"created {row['made']}" if row["made"] else "creation time unknown"
        click.echo(f"{row['identity']}: key {row['key'] or 'not in an env file'} in slot {row['slot']}, {created}")
        if row["step"]:
            used = f", last used {row['other_last_used']}" if row["other_last_used"] else ""
            other = row["other_key"] or "not in an env file"
            click.echo(f"  {row['step']} at {row['since']}; the other key: {other}{used}")
        click.echo(f"  next: {row['next']}")
