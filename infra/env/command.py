"""`python -m infra env`: convert env files to other formats, compare them with what is deployed, write them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from core.storage._internal import endpoint_problem
from infra import output_file
from infra.command_name import COMMAND
from infra.config.environment import EnvironmentConfig
from infra.config.load import load_environment
from infra.config.reader import shown
from infra.config.stack_files import short
from infra.env import compare, deployed, files, formats, stack
from infra.env.identity_settings import IdentitySettings
from infra.env.stack import Outdated
from infra.environment_argument import ENVIRONMENT, IDENTITY
from infra.errors import InfraError, UsageError
from infra.local.environment_lock import environment_lock
from infra.targets.registry import TARGETS

_INIT_WRITES = f"`{COMMAND} init {{}}` writes it without Pulumi, with a new access key"
#: Why `--write` does not write the access key in the state.
_OUTDATED: Mapping[Outdated, str] = {
    "refused": (
        "the env file of {0} was not written: the store refuses the access key in the state; "
        f"`{COMMAND} up {{1}}` takes the one in the env file, or a new one"
    ),
    "unknown": (
        "the env file of {0} was not written: its access key works, and the state has another one. To use the "
        "one in the state, move the file away, then run this again"
    ),
}


@click.command()
@click.argument("environment", default="local", type=ENVIRONMENT)
@click.option(
    "--format", "name", type=click.Choice(list(formats.FORMATS)), help="Print the env file in this format."
)
@click.option(
    "--identity", type=IDENTITY, help="With --format: the identity whose env file is converted.  [default: app]"
)
@click.option(
    "--endpoint", metavar="URL", help="With --format: the store's address for the program that reads the output."
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="With --format: write this file, mode 0600, not stdout."
)
@click.option("--check", is_flag=True, help="Compare the env files with what is deployed; exits 1 if they differ.")
@click.option("--write", is_flag=True, help="Write the env files of all identities from what is deployed.")
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

    --format converts the env file on disk, or if there is none the outputs of the deployed stack, for another
    tool. github-actions hides the keys in the log and adds the variables to the file that GITHUB_ENV
    names. Secrets are never printed on a terminal, and --check prints only names of variables.

    What is deployed is what the stack says. For an environment that `init` deployed, --check asks the store, and
    --write writes files again whose access key is still in an env file here.
    """
    if [bool(name), check, write].count(True) != 1:
        raise click.UsageError("use exactly one of --format, --check and --write")
    if name is None and (identity or endpoint or output):
        raise click.UsageError("--identity, --endpoint and --output need --format")
    if name is not None and as_json:
        raise click.UsageError("--json needs --check or --write; to print an env file as JSON, use --format json")
    config = load_environment(environment)
    if check:
        _check(config, as_json=as_json)
    elif write:
        with environment_lock(config, "env --write"):
            # Again: a rotation may have changed it meanwhile.
            _write(load_environment(environment), as_json=as_json)
    else:
        _convert(
            name or "",
            _with_endpoint(endpoint, _settings(config, "app" if identity is None else identity)),
            output,
        )


def _check(config: EnvironmentConfig, *, as_json: bool) -> None:
    for file in (files.path(config.environment, identity) for identity in config.names):
        if file.is_file():
            files.require_private(file)
    comparisons = list(compare.compare(config.environment, config.names, deployed.read(config)))
    if as_json:
        click.echo(json.dumps([comparison.as_dict() for comparison in comparisons]))
    else:
        click.echo("\n".join(map(str, comparisons)))
    if differing := sum(bool(comparison.reasons) for comparison in comparisons):
        raise InfraError(f"{differing} of {len(comparisons)} env files differ from what is deployed")


def _write(config: EnvironmentConfig, *, as_json: bool) -> None:
    environment, state = config.environment, deployed.read(config)
    without_key = [name for name, known in state.settings.items() if state.by_init and not known.access_key_id]
    texts = {
        files.path(environment, name): files.render(known, environment, name, state.keys.get(name))
        for name, known in state.settings.items()
        if name not in {*without_key, *state.outdated}
    }
    files.require_writable(texts)
    outcomes = {}
    for file, text in texts.items():
        outcomes[file.name] = "written" if files.write(file, text) else "unchanged"
        if not as_json:
            click.echo(f"env file {file.name}: {outcomes[file.name]}")
    if as_json:
        click.echo(json.dumps(outcomes))
    if state.outdated:
        sentences = (_OUTDATED[reason].format(name, environment) for name, reason in state.outdated.items())
        raise InfraError("\n".join(sentences))
    if without_key:
        raise InfraError(
            f"the env file of {', '.join(without_key)} was not written: no file here holds an access key that the "
            "store accepts, and a store does not show a secret access key again; "
            f"`{COMMAND} init {environment}` makes a new one"
        )


def _settings(config: EnvironmentConfig, identity: str) -> IdentitySettings:
    """Return the settings of an identity, from its env file if there is one, else from the deployed stack."""
    config.require(identity)
    file = files.path(config.environment, identity)
    if file.exists():
        return IdentitySettings(config.environment, identity, files.load(file, config.environment))
    try:
        settings = stack.read(config.environment).settings
    except InfraError as error:
        suggestion = "" if TARGETS[config.target].is_cloud else f"; {_INIT_WRITES.format(config.environment)}"
        error.args = (f"{short(file)} is missing, and {error}{suggestion}",)
        raise
    if identity not in settings:
        raise InfraError(
            f"identity {identity} is not deployed yet; `{COMMAND} up {config.environment}` deploys it"
        )
    return IdentitySettings(config.environment, identity, settings[identity])


def _with_endpoint(endpoint: str | None, identity: IdentitySettings) -> IdentitySettings:
    """Return the settings with another endpoint, such as a Service for programs in its cluster."""
    if endpoint is None:
        return identity
    if identity.settings.endpoint_url is None:
        raise UsageError(f"environment {identity.environment} is on AWS, which has no endpoint: remove --endpoint")
    if problem := endpoint_problem(endpoint):
        raise UsageError(f"--endpoint {problem}, got {shown(endpoint)}")
    return replace(identity, settings=replace(identity.settings, endpoint_url=endpoint.removesuffix("/")))


def _convert(name: str, identity: IdentitySettings, output: Path | None) -> None:
    text = formats.render(name, identity)
    if name == formats.GITHUB_ACTIONS:
        _append_for_github(text, identity, output)
    elif output is None:
        _require_no_terminal(identity)
        click.echo(text, nl=False)
    else:
        output_file.write("--output", output, text)


def _append_for_github(text: str, identity: IdentitySettings, output: Path | None) -> None:
    """Mask the credentials in the log, then add the variables to the environment of the next steps."""
    file = os.environ.get("GITHUB_ENV")
    if output is not None:
        raise UsageError("github-actions writes to the file in GITHUB_ENV: remove --output")
    if not file:
        raise UsageError("GITHUB_ENV is not set: use the format github-actions in a step of a GitHub Actions job")
    _require_no_terminal(identity)
    click.echo(formats.masks(identity.settings), nl=False)
    sys.stdout.flush()
    try:
        start = _line_end(Path(file))
        with Path(file).open("a", encoding="utf-8") as opened:
            opened.write(start + text)
    except OSError as error:
        raise UsageError(f"cannot write {file}, which GITHUB_ENV names: {error.strerror}") from error


def _line_end(file: Path) -> str:
    """Return what ends the last line of a regular file: another program may have written it without one."""
    content = file.read_bytes() if file.is_file() else b""
    return "" if content.endswith(b"\n") or not content else "\n"


def _require_no_terminal(identity: IdentitySettings) -> None:
    if identity.has_access_key and sys.stdout.isatty():
        raise UsageError("this would show a secret on the terminal: use --output FILE, or a pipe")
