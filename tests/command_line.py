"""Reads the arguments of a command of `infra`, and does not run it."""

from __future__ import annotations

import click

from infra.cli import cli


def read_arguments(words: list[str]) -> None:
    """Raise what the command line raises for these words.

    Each context has its parent: click keeps the help option that a command has in its first context, and
    only the outer group names `-h`.
    """
    command: click.Command = cli
    context = click.Context(cli, **cli.context_settings)
    while isinstance(command, click.Group):
        name, *words = words
        inner = command.get_command(context, name)
        assert inner, f"there is no command {name}"
        command = inner
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=name, parent=context)
    command.make_context(name, words, parent=context)
