"""`./mpr new`: write the stack file of a new environment, and print what to do next."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from infra import temporary_file
from infra.command_name import COMMAND
from infra.config import stack_files, stack_yaml
from infra.config.definitions import CONFIGURATION
from infra.config.load import read
from infra.config.reader import Reader
from infra.environment_argument import ENVIRONMENT
from infra.errors import UsageError
from infra.new.templates import TEMPLATES, VALUES, Instruction, Template

Function = Callable[..., Any]

_SHARED = 0o666  # less the umask: the file is committed


def _value_options(function: Function) -> Function:
    """Add an option for each setting that a template may leave to the user."""
    for name in reversed(VALUES):
        targets = ", ".join(template.name for template in TEMPLATES.values() if name in template.values)
        described = f"{CONFIGURATION.keys[name].description} With --target {targets}."
        function = click.option(f"--{name}", metavar="TEXT", help=described)(function)
    return function


@click.command()
@click.argument("environment", type=ENVIRONMENT, shell_complete=lambda *_: [])  # the known ones are taken
@click.option("--target", required=True, type=click.Choice(list(TEMPLATES)), help="The store or the cloud.")
@_value_options
def new(environment: str, target: str, **options: str | None) -> None:
    """Write environments/Pulumi.ENVIRONMENT.yaml, and print what to do next.

    On a terminal, it prompts for the required values that no option gives, such as the region on AWS. It never
    replaces a file.
    """
    template = TEMPLATES[target]
    file = stack_files.path(environment)
    if environment in stack_files.names():
        raise _exists(file)
    given = {name: value for name, value in options.items() if value is not None}
    text = template.render(environment, given | _ask(template, given))
    read(environment, stack_yaml.parse(text, str(file)), str(file))  # refuses what every command would refuse
    _write(file, text)
    click.echo(f"{file} is written. Change it as you like, then:")
    click.echo(_next_steps(environment, template.steps(given)))


def _exists(file: Path) -> UsageError:
    return UsageError(f"{file} exists already, and was not changed: choose another name, or edit the file")


def _ask(template: Template, given: Mapping[str, str]) -> dict[str, str]:
    """Prompt for the values that have no option and no default; return what the user enters.

    Raises:
        click.UsageError: there is no terminal to ask on, or an option is of another target.
    """
    options = ", ".join(f"--{name}" for name in template.values)
    for name in given:
        if name not in template.values:
            raise click.UsageError(f"--{name} is not an option of --target {template.name}, which has {options}")
    missing = [name for name in template.values if name not in {*given, *template.defaults}]
    if missing and not sys.stdin.isatty():
        described = "; ".join(f"--{name}: {_description(name)}" for name in missing)
        raise click.UsageError(f"--target {template.name} needs {described}")
    return {name: click.prompt(_description(name), value_proc=partial(_valid, name)) for name in missing}


def _description(name: str) -> str:
    return CONFIGURATION.keys[name].description.removesuffix(".")


def _valid(name: str, text: str) -> str:
    """Return the value that the user entered; `click.prompt` prompts again after a usage error."""
    reader = Reader({})
    CONFIGURATION.keys[name].read(reader, name, text)
    if reader.problems:
        raise click.UsageError(reader.problems[0])
    return text


def _write(file: Path, text: str) -> None:
    """Write the file atomically, by a link, which never replaces a file.

    Raises:
        UsageError: the file exists, or the folder cannot be written.
    """
    try:
        file.parent.mkdir(exist_ok=True)
        with temporary_file.written(file, text, mode=_SHARED) as temporary:
            os.link(temporary, file)
    except FileExistsError:
        raise _exists(file) from None
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}; nothing was changed") from error


def _next_steps(environment: str, first: Iterable[Instruction]) -> str:
    steps = [
        *first,
        (f"{COMMAND} up {environment}", "create the stack and all resources, and check the access"),
        (f"pulumi stack init {environment} && pulumi up -s {environment}", "the same with your own Pulumi"),
    ]
    width = max(len(command) for command, _ in steps)
    return "\n".join(f"  {command.ljust(width)}  # {comment}" for command, comment in steps)
