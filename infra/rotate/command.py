"""`python -m infra rotate`: keys replaced step by step, without a failed request."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import click

from infra import moments
from infra.config import EnvironmentConfig
from infra.env import files, key_note
from infra.rotate import guards, walk
from infra.rotate.used import last_used
from infra.slots import STEPS, Step

_DURATION = re.compile(r"(\d{1,6})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 24 * 3600}


class _Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = _DURATION.fullmatch(str(value))
        if found is None:
            self.fail(f"{value} is no duration such as 30m, 24h or 7d", param, ctx)
        return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


@click.command()
@click.argument("environment", default="local")
@click.argument("identities", nargs=-1)
@click.option("--to", type=click.Choice(STEPS), help="Take every step up to this one.")
@click.option("--abort", is_flag=True, help="Take the last step back.")
@click.option("--status", is_flag=True, help="Show where each identity stands; changes nothing.")
@click.option(
    "--soak",
    type=_Duration(),
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
    """Replace keys step by step, without a failed request.

    Takes the next step of the IDENTITIES, of all if none is named: start (a second key, proven), switch (the env
    files hold it), retire (the old key is switched off), finish (it is deleted). Each step is a change of the
    stack's file and a deployment, so that everybody's `pulumi up` goes on from there; commit the file.
    """
    if [to is not None, abort, status].count(True) > 1:
        raise click.UsageError("say one of --to, --abort and --status")
    if as_json and not status:
        raise click.UsageError("--json goes with --status")
    if status:
        config, names = walk.load(environment, identities)
        _show([_row(config, name) for name in names], as_json=as_json)
        return
    with walk.alone(environment):
        if abort:
            walk.back(environment, identities, click.echo)
        else:
            walk.forward(environment, identities, to, soak, click.echo)
    config, names = walk.load(environment, identities)
    for name in names:
        click.echo(f"{name}: next is {walk.next_step(config, name)}")


def _row(config: EnvironmentConfig, identity: str) -> dict[str, object]:
    """Where an identity stands. No secret, and no id as a whole."""
    slots, main = config.slots_of(identity), files.path(config.environment, identity)
    current, old = guards.held(config, identity), guards.held(config, identity, other=True)
    note = key_note.read(main) if main.is_file() else None
    used = last_used(config, old.access_key_id) if old else None
    return {
        "identity": identity,
        "slot": slots.current,
        "key": current.hint if current else None,
        "made": moments.written(note.made) if note and note.made else None,
        "age_days": note.days if note else None,
        "other_key": old.hint if old else None,
        "other_last_used": moments.written(used) if used else None,
        "step": slots.step,
        "since": moments.written(slots.since) if slots.since else None,
        "next": walk.next_step(config, identity),
    }


def _show(rows: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        made = row["made"] or "nobody knows when"
        click.echo(f"{row['identity']}: key {row['key'] or 'unknown here'} in slot {row['slot']}, made {made}")
        if row["step"]:
            used = f", last used {row['other_last_used']}" if row["other_last_used"] else ""
            other = row["other_key"] or "unknown here"
            click.echo(f"  {row['step']} at {row['since']}; the other key: {other}{used}")
        click.echo(f"  next: {row['next']}")
