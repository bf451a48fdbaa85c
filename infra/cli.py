"""The command line `./mpr <command>`, which is `python -m infra <command>`, and the exit code of each error.

Exit codes: 0 done, 1 found a difference or a failed check, 2 wrong usage or configuration, 3 a service
could not be reached, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from core.storage import StorageConfigError, StorageError, StoreUnreachableError
from infra import interruption
from infra.command_group import Group
from infra.command_name import COMMAND
from infra.completion import COMPLETE_VARIABLE
from infra.errors import InfraError, UnreachableError, UsageError

INTERRUPTED = 130  # 128 + SIGINT, as shells report it

#: The module of each command, which is imported only when the command is used.
_COMMANDS = {
    "check": "infra.check.command:check",
    "completion": "infra.completion:completion",
    "copy": "infra.copy.command:copy",
    "deployer": "infra.deployer.command:deployer",
    "down": "infra.local.down:down",
    "drift": "infra.drift.command:drift",
    "env": "infra.env.command:env",
    "init": "infra.init:init",
    "new": "infra.new.command:new",
    "rotate": "infra.rotate.command:rotate",
    "status": "infra.status.command:status",
    "store": "infra.local.store_command:store",
    "up": "infra.local.up:up",
}


class _LazyGroup(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Object storage for media pipelines: the commands that Pulumi does not have."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit with its exit code."""
    _open_closed_streams()
    interruption.handle_termination()
    code = run(arguments)
    interruption.ignore_termination()
    sys.exit(code)


def _open_closed_streams() -> None:
    """Open what a shell has closed, with `<&-` or `>&-`: in Python it is None."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("r+" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115  # until the process ends


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; print the message of an error on stderr."""
    try:
        result = cli.main(arguments, prog_name=COMMAND, complete_var=COMPLETE_VARIABLE, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return UsageError.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; run the same command again to continue", err=True)
        return INTERRUPTED
    except (InfraError, StorageError) as error:
        click.echo(f"error: {error}", err=True)
        return exit_code_of(error)
    except OSError as error:  # such as a full disk; errors of a connection are translated
        click.echo(f"error: {_of_system(error)}", err=True)
        return InfraError.exit_code
    return result if isinstance(result, int) else 0


def _of_system(error: OSError) -> str:
    if isinstance(error, FileNotFoundError) and not error.filename:
        return "the working directory does not exist any more: change to another one, then run the command again"
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; correct that, then run the same command again"


def exit_code_of(error: InfraError | StorageError) -> int:
    """Return the documented exit code of an error."""
    if isinstance(error, InfraError):
        return error.exit_code
    if isinstance(error, StoreUnreachableError):
        return UnreachableError.exit_code
    return UsageError.exit_code if isinstance(error, StorageConfigError) else InfraError.exit_code
