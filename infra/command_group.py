"""A group of commands that suggests the nearest command for a misspelt one."""

from __future__ import annotations

import click

from infra.config.reader import nearest


class Group(click.Group):
    """Refuse an unknown command in the words of the configuration's mistakes."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name, as `click.Group` does."""
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"there is no command {args[0]!r}; {nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)
