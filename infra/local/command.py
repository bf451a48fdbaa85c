"""`python -m infra store`: start, stop and look at the embedded store."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import click

from core.storage._internal import mask
from infra.local import _disk, _state
from infra.local import store as embedded
from infra.local._layout import Layout, local_folder
from infra.local.store import EmbeddedStore

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_STEP = 1000
_NOT_RUNNING = 1  # exit code

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")


@click.group("store")
def store() -> None:
    """The embedded store: an S3 server on this machine, for this user alone."""


@store.command("start")
@as_json
@click.pass_obj
def start(root: Path | None, *, as_json: bool) -> None:
    """Start the store, unless it runs, and say where."""
    running = embedded.find(root)
    if running is None:
        click.echo("starting the store ...", err=True)
        found = embedded.start(root, report=lambda message: click.echo(message, err=True))
    else:
        found = running
    sentence = "the store runs" if running is None else "the store runs already"
    _print(as_json, _described(found), f"{sentence} at {found.endpoint} (process {found.pid})")


@store.command("stop")
@as_json
@click.pass_obj
def stop(root: Path | None, *, as_json: bool) -> None:
    """Stop the store; its data stays."""
    stopped = embedded.stop(root)
    sentence = "the store is stopped; its data stays" if stopped else "the store was not running"
    _print(as_json, {"running": False, "stopped": stopped}, sentence)


@store.command("status")
@as_json
@click.pass_obj
def status(root: Path | None, *, as_json: bool) -> int:
    """Say whether the store runs, where, since when, and how much it holds; exits with 1 when it does not run."""
    layout = Layout(root or local_folder())
    found = embedded.find(layout.root)
    state = _state.read(layout.state)
    facts: dict[str, object] = {"running": False} if found is None else _described(found)
    if found is not None and state is not None:
        facts["uptime_seconds"] = max(0, int(time.time() - state.since))
    if layout.data.exists():
        facts["data_bytes"] = _disk.size(layout.data)
        facts["free_bytes"] = shutil.disk_usage(layout.data).free
    _print(as_json, facts, _sentences(facts))
    return 0 if found is not None else _NOT_RUNNING


def _described(found: EmbeddedStore) -> dict[str, object]:
    return {
        "running": True,
        "endpoint": found.endpoint,
        "pid": found.pid,
        "access_key_id": mask(found.access_key_id),
    }


def _sentences(facts: Mapping[str, object]) -> str:
    lines = ["the store is not running: `python -m infra store start` starts it"]
    if facts["running"]:
        lines = [
            f"the store runs at {facts['endpoint']}",
            f"  process  {facts['pid']}, for {_duration(facts['uptime_seconds'])}",
            f"  key      {facts['access_key_id']}",
        ]
    if "data_bytes" in facts:
        lines.append(f"  data     {_size(facts['data_bytes'])}, {_size(facts['free_bytes'])} free on the disk")
    return "\n".join(lines)


def _duration(seconds: object) -> str:
    minutes, rest = divmod(int(str(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d" * bool(days), f"{hours} h" * bool(hours), f"{minutes} min" * bool(minutes), f"{rest} s"]
    return " ".join([part for part in parts if part][:2])


def _size(count: object) -> str:
    amount = float(str(count))
    for unit in _UNITS[:-1]:
        if amount < _STEP:
            return f"{amount:.3g} {unit}"
        amount /= _STEP
    return f"{amount:.1f} {_UNITS[-1]}"


def _print(as_json: bool, facts: Mapping[str, object], sentences: str) -> None:  # noqa: FBT001  # click's flag
    click.echo(json.dumps(facts) if as_json else sentences)
