"""`python -m infra env`: env files in the formats of other tools, compared with the stack, and written from it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from core.storage._internal import endpoint_problem
from core.storage.settings import Settings, read_env_file
from infra import config as configuration
from infra import private_file
from infra.config_reader import nearest
from infra.env import compare, files, formats, stack
from infra.env.subject import Subject
from infra.errors import InfraError, UsageError

_APP = "app"


class _Format(click.Choice[str]):
    """A name of the table; a misspelt one gets the nearest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            self.fail(f"there is no format {value!r}; {nearest(str(value), list(self.choices))}", param, ctx)
        return str(value)


@click.command()
@click.argument("environment", default="local")
@click.option("--format", "name", type=_Format(list(formats.FORMATS)), help="Print the env file in this format.")
@click.option("--identity", help=f"With --format: whose file.  [default: {_APP}]")
@click.option(
    "--endpoint", metavar="URL", help="With --format: where the store is as seen from the file's reader."
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="With --format: write this file, mode 0600, not stdout."
)
@click.option(
    "--check", is_flag=True, help="Compare the env files with the deployed stack; exits 1 if they differ."
)
@click.option("--write", is_flag=True, help="Write the env files of all identities from the deployed stack.")
@click.option("--json", "as_json", is_flag=True, help="With --check or --write: print JSON.")
def env(  # noqa: PLR0913  # one for each option
    environment: str,
    *,
    name: str | None,
    identity: str | None,
    endpoint: str | None,
    output: Path | None,
    check: bool,
    write: bool,
    as_json: bool,
) -> None:
    """Convert, compare and write env files.

    --format converts the env file on disk, or if there is none what the deployed stack says, into what another
    tool reads. github-actions hides the keys in the log and adds the variables to the file that GITHUB_ENV
    names. Secrets are never printed on a terminal, and --check shows names of variables alone.
    """
    if [bool(name), check, write].count(True) != 1:
        raise click.UsageError("say one of --format, --check and --write")
    if name is None and (identity or endpoint or output):
        raise click.UsageError("--identity, --endpoint and --output go with --format")
    if name is not None and as_json:
        raise click.UsageError("--json goes with --check and --write; the format is called so: --format json")
    config = configuration.load(environment)
    if check:
        _check(config, as_json=as_json)
    elif write:
        _write(environment, as_json=as_json)
    else:
        _convert(name or "", _seen_at(endpoint, _subject(config, identity or _APP)), output)


def _check(config: configuration.EnvironmentConfig, *, as_json: bool) -> None:
    findings = list(compare.compare(config.environment, config.names, stack.read(config.environment)))
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in findings]))
    else:
        for one in findings:
            click.echo(str(one))
    if differing := sum(bool(one.reasons) for one in findings):
        raise InfraError(f"{differing} of {len(findings)} env files differ from the deployed stack")


def _write(environment: str, *, as_json: bool) -> None:
    deployed = stack.read(environment)
    texts = {
        files.path(environment, name): files.render(settings, environment, name, deployed.keys.get(name))
        for name, settings in deployed.settings.items()
    }
    files.require_writable(texts)
    done = {}
    for file, text in texts.items():
        done[file.name] = "written" if files.write(file, text) else "unchanged"
        if not as_json:
            click.echo(f"env file {file.name}: {done[file.name]}")
    if as_json:
        click.echo(json.dumps(done))


def _subject(config: configuration.EnvironmentConfig, identity: str) -> Subject:
    """The settings of an identity: from its env file if there is one, else from the deployed stack."""
    config.require(identity)
    file = files.path(config.environment, identity)
    if file.exists():
        files.require_private(file)
        return Subject(config.environment, identity, Settings.from_env(read_env_file(file)))
    try:
        deployed = stack.read(config.environment).settings
    except InfraError as error:
        raise type(error)(f"{files.short(file)} is missing, and {error}") from error
    if identity not in deployed:
        raise InfraError(
            f"identity {identity} is not deployed yet; `pulumi up -s {config.environment}` deploys it"
        )
    return Subject(config.environment, identity, deployed[identity])


def _seen_at(endpoint: str | None, subject: Subject) -> Subject:
    """The same, for a reader that reaches the store at another address, such as a Service in its cluster."""
    if endpoint is None:
        return subject
    if subject.settings.endpoint_url is None:
        raise UsageError(
            f"environment {subject.environment} is on AWS, which has no endpoint: leave --endpoint out"
        )
    if problem := endpoint_problem(endpoint):
        raise UsageError(f"--endpoint {problem}, got {endpoint}")
    return replace(subject, settings=replace(subject.settings, endpoint_url=endpoint.removesuffix("/")))


def _convert(name: str, subject: Subject, output: Path | None) -> None:
    text = formats.render(name, subject)
    if name == formats.GITHUB_ACTIONS:
        _hand_to_github(text, subject, output)
    elif output is None:
        _require_no_terminal(subject)
        click.echo(text, nl=False)
    else:
        _save(output, text)


def _hand_to_github(text: str, subject: Subject, output: Path | None) -> None:
    """Hide the keys in the log, then add the variables to the environment of the steps that follow."""
    file = os.environ.get("GITHUB_ENV")
    if output is not None:
        raise UsageError("github-actions writes to the file that GITHUB_ENV names: leave --output out")
    if not file:
        raise UsageError("GITHUB_ENV is not set: the format github-actions is for a step of a GitHub job")
    _require_no_terminal(subject)
    click.echo(formats.masks(subject.settings), nl=False)
    sys.stdout.flush()
    try:
        with Path(file).open("a", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {file}, which GITHUB_ENV names: {error.strerror}") from error


def _require_no_terminal(subject: Subject) -> None:
    if subject.has_keys and sys.stdout.isatty():
        raise UsageError("this would show a secret on the terminal: use --output FILE, or a pipe")


def _save(output: Path, text: str) -> None:
    # A link would be replaced, and with it /dev/stdout; a device or a pipe too.
    if output.is_symlink() or (output.exists() and not output.is_file()):
        raise UsageError(f"{output} is no plain file: name one, or leave --output out to use a pipe")
    try:
        private_file.write(output, text)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from error
