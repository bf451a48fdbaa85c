"""The types of the arguments that name an environment or one of its identities, with their shell completion."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from infra.config import stack_files
from infra.errors import InfraError, UsageError


class _EnvironmentName(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4 alone
    """The name of an environment, or the path of its stack file."""

    name = "environment"

    def convert(self, value: str, _param: click.Parameter | None, _ctx: click.Context | None) -> str:
        is_path = os.sep in value or value.endswith((".yaml", ".yml"))
        return _environment_of(value) if is_path else value

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        if os.sep in incomplete:
            return [CompletionItem(incomplete, type="file")]
        with suppress(OSError):  # the command itself says what is wrong with the folder
            return [CompletionItem(name) for name in stack_files.names() if name.startswith(incomplete)]
        return []


class _IdentityName(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4 alone
    """The name of an identity of the environment that the argument before it names."""

    name = "identity"

    def shell_complete(self, ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from infra.config.load import load_environment  # noqa: PLC0415  # only a completion reads it

        # Click parses no argument before an option that has no value yet, and leaves them in `args`.
        environment = ctx.args[0] if ctx.args else str(ctx.params["environment"])
        try:
            names = load_environment(ENVIRONMENT.convert(environment, None, None)).names
        except (InfraError, OSError):  # the command itself says what is wrong
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _environment_of(path: str) -> str:
    """Return the name of the environment whose stack file this is.

    Raises:
        UsageError: it is not one, or it is in another folder.
    """
    file, folder = Path(path), stack_files.ENVIRONMENTS
    environment = stack_files.environment_in(file.name)
    if environment is None:
        raise UsageError(
            f"{path} is not an environment: write a name, such as local, or the path of a stack file, such as "
            f"{stack_files.path('local')}"
        )
    # A file name alone is that of environments/, unless there is such a file in the current folder.
    is_elsewhere = file.parent.resolve() != folder.resolve()
    if is_elsewhere and (os.sep in path or file.exists()):
        raise UsageError(
            f"{path} is not in {folder}, where the environments of this project are: move it there, or write "
            f"{environment} if you mean {stack_files.path(environment)}"
        )
    return environment


ENVIRONMENT = _EnvironmentName()
IDENTITY = _IdentityName()
