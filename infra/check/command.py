"""`python -m infra check`: print the access check, a table of what each identity may and may not do."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from infra import output_file
from infra.check.page import page
from infra.check.runner import Finding, run
from infra.check.table import must_be, summary, table
from infra.command_name import COMMAND
from infra.config.environment import EnvironmentConfig
from infra.config.load import load_environment
from infra.env import files, key_info
from infra.environment_argument import ENVIRONMENT
from infra.errors import InfraError


@click.command()
@click.argument("environment", default="local", type=ENVIRONMENT)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the table to this file too, as HTML.",
)
def check(environment: str, *, as_json: bool, html: Path | None) -> None:
    """Check that each identity has exactly its permissions.

    Tries with the env file of each identity what it must be able to do and what it must not, below a prefix whose
    objects are deleted afterwards. In a cloud, a bucket with versions keeps theirs until its lifecycle rule
    deletes them. On a store, a later check deletes the bucket that a killed one left. Exits 1 if the store
    allows or denies anything else.
    """
    config = load_environment(environment)
    if html:
        output_file.require_writable("--html", html)
    check_access(config, as_json=as_json, html=html)


def check_access(config: EnvironmentConfig, *, as_json: bool = False, html: Path | None = None) -> None:
    """Run every probe and print the results; with `html`, write them to that file too.

    Raises:
        InfraError: an identity has other permissions than it must have.
    """
    findings = list(run(config))
    _warn_of_old_keys(config)
    failed = [finding for finding in findings if finding.failed]
    if as_json:
        click.echo(json.dumps([finding.as_dict() for finding in findings]))
    else:
        Console().print(table(config.environment, config.names, findings))
    if html:
        content = page(config.environment, config.names, findings, datetime.now(UTC))
        output_file.write("--html", html, content)
    if failed:
        raise InfraError(f"{summary(findings)}: {described(failed)}")
    if not as_json:
        click.echo(summary(findings))


def described(findings: Iterable[Finding]) -> str:
    """Return what the findings are and must be, for messages."""
    return "; ".join(
        f"{finding.identity}, {finding.where}: {finding.probe} is {finding.result}, must be {must_be(finding)}"
        for finding in findings
    )


def _warn_of_old_keys(config: EnvironmentConfig) -> None:
    """Name the keys that are older than maxKeyAgeDays; those of a disposable environment never are."""
    if config.disposable:
        return
    for name in config.names:
        days = key_info.read(files.path(config.environment, name)).age_days
        if days is not None and days > config.max_key_age_days:
            click.echo(
                f"warning: the key of {name} is {days} days old, more than the {config.max_key_age_days} of "
                f"maxKeyAgeDays: `{COMMAND} rotate {config.environment} {name}`",
                err=True,
            )
