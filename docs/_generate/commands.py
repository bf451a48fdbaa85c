"""The reference of the commands: what each prints for `--help`, and the targets of the Makefile."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from core.storage import __main__ as library
from docs._generate.table import table
from infra.cli import cli
from infra.command_name import COMMAND

#: Columns that a help text may take.
_WIDTH = 100
_MAKEFILE = Path(__file__).parents[2] / "Makefile"
_TARGET = re.compile(r"^([a-z0-9-]+):.*?## (.*)$", re.MULTILINE)


def _commands(group: click.Group, parent: click.Context) -> Iterator[click.Context]:
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        if command is not None:
            context = click.Context(command, info_name=name, parent=parent)
            yield context
            if isinstance(command, click.Group):
                yield from _commands(command, context)


def _help(context: click.Context) -> str:
    name = context.command_path.removeprefix(f"{COMMAND} ")
    return "\n".join([f"### {name}", "", "```text", context.get_help(), "```"])


def _of_infra() -> str:
    context = click.Context(cli, info_name=COMMAND, terminal_width=_WIDTH, **cli.context_settings)
    return "\n\n".join(_help(inner) for inner in _commands(cli, context))


def _of_library() -> str:
    printed = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(_WIDTH)
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            library.main(["check", "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    return f"```text\n{printed.getvalue().strip()}\n```"


def _of_make() -> str:
    return table(("command", "what it does"), ((f"`make {name}`", text) for name, text in _targets()))


def _targets() -> list[tuple[str, str]]:
    return sorted(_TARGET.findall(_MAKEFILE.read_text(encoding="utf-8")))


REGIONS: dict[str, Callable[[], str]] = {
    "infra": _of_infra,
    "core.storage": _of_library,
    "make": _of_make,
}
