"""A group of commands, with a sentence for a misspelt command, and for an output that nothing reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from infra.config.reader import nearest
from infra.errors import InfraError


class Group(click.Group):
    """Refuses an unknown command in the words of the configuration's mistakes, with the nearest one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name, as `click.Group` does."""
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"there is no command {args[0]!r}; {nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; say so if it stopped because nothing reads its output, which click does in silence.

        Raises:
            InfraError: a process such as `head` has ended.
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The end of this process writes what is left of the output.
            sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # until then
            raise InfraError(
                "nothing reads the output any more, so the command stopped: run it again to continue"
            ) from None
