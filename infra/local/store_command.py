"""`python -m infra store`: start, stop and inspect the embedded store."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from infra.command_group import Group
from infra.command_name import COMMAND
from infra.local import store as embedded
from infra.local.folder import StoreFolder
from infra.local.store import EmbeddedStore

_NOT_RUNNING = 1  # exit code
_BLOCK = 512  # bytes: the unit of st_blocks

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("store", cls=Group)
def store() -> None:
    """The embedded store: an S3 server on this machine, for this user only."""


@store.command("start")
@as_json
@click.pass_obj
def start(root: Path | None, *, as_json: bool) -> None:
    """Start the store, unless it runs, and print its endpoint."""
    sentence = "the store runs already"
    running = embedded.find(root)
    if running is None:
        click.echo("starting the store ...", err=True)
        running = embedded.start(root, report=lambda message: click.echo(message, err=True))
        sentence = "the store runs"
    _print(as_json, _facts(running), f"{sentence} at {running.endpoint} (process {running.pid})")


@store.command("console")
@as_json
@click.pass_obj
def console(root: Path | None, *, as_json: bool) -> None:
    """Start the store with SeaweedFS' administration page, and print its URL and the file of its password.

    The page can read, change and delete every bucket, object and access key. A store that runs without it is
    restarted. To turn it off: `store stop`, and `store start`.
    """
    found = embedded.start_console(root, report=lambda message: click.echo(message, err=True))
    facts = {"url": found.url, "user": found.user, "password_file": str(found.password_file)}
    sentences = (
        f"the console runs at {found.url} and can read and delete everything in the store\n"
        f"  user      {found.user}\n"
        f"  password  in the file {found.password_file}\n"
        f"to turn it off: {COMMAND} store stop && {COMMAND} store start"
    )
    _print(as_json, facts, sentences)


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
    """Print whether the store runs, its endpoint, uptime and size; exit with 1 if it does not run."""
    folder = StoreFolder(root)
    running, server = embedded.find(root), folder.server()
    facts: dict[str, Any] = {"running": False}
    if running and server:
        facts = {**_facts(running), "uptime_seconds": max(0, int(time.time() - server.since))}
        if console := embedded.find_console(root):
            facts["console"] = console.url
    if folder.data.exists():
        facts["data_bytes"] = _disk_usage(folder.data)
        facts["free_bytes"] = shutil.disk_usage(folder.data).free
    _print(as_json, facts, _sentences(facts))
    return 0 if running else _NOT_RUNNING


def _facts(running: EmbeddedStore) -> dict[str, Any]:
    return {
        "running": True,
        "endpoint": running.endpoint,
        "pid": running.pid,
        "access_key_id": running.admin.masked,
    }


def _sentences(facts: Mapping[str, Any]) -> str:
    from rich.filesize import decimal  # noqa: PLC0415  # the other commands need no sizes

    lines = [f"the store is not running: `{COMMAND} store start` starts it"]
    if facts["running"]:
        lines = [
            f"the store runs at {facts['endpoint']}",
            f"  process  {facts['pid']}, for {timedelta(seconds=facts['uptime_seconds'])}",
            f"  key      {facts['access_key_id']}",
        ]
    if "console" in facts:
        lines.append(f"  console  {facts['console']}")
    if "data_bytes" in facts:
        lines.append(f"  data     {decimal(facts['data_bytes'])}, {decimal(facts['free_bytes'])} free on the disk")
    return "\n".join(lines)


def _disk_usage(folder: Path) -> int:
    """Return the bytes that the files below `folder` occupy on the disk."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # deleted since it was listed
                total += Path(parent, name).lstat().st_blocks * _BLOCK
    return total


def _print(as_json: bool, facts: Mapping[str, Any], sentences: str) -> None:  # noqa: FBT001  # click's flag
    click.echo(json.dumps(facts) if as_json else sentences)
