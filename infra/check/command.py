"""`python -m infra check`: the table of what each identity may and may not do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table

from infra import config as configuration
from infra.check.runner import Finding, run
from infra.config import EnvironmentConfig
from infra.env import files, key_note
from infra.errors import InfraError


@click.command()
@click.argument("environment", default="local")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(environment: str, *, as_json: bool) -> None:
    """Prove what each identity may and may not do.

    Tries, with the env file of each identity, what it must be able to do and what it must not, under a probe
    prefix that is cleaned up. Exits 1 if the store answers anything but what it must.
    """
    prove(configuration.load(environment), configuration.read_values(environment), as_json=as_json)


def prove(config: EnvironmentConfig, values: dict[str, object], *, as_json: bool = False) -> None:
    """Run every probe and print what came of it.

    Raises:
        InfraError: the store allowed or denied what it must not.
    """
    findings = list(run(config, values))
    _warn_of_old_keys(config)
    surprises = [one for one in findings if one.surprise]
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in findings]))
    else:
        Console().print(table(config, findings))
    if surprises:
        raise InfraError(
            f"{len(surprises)} of {len(findings)} access checks failed: " + "; ".join(map(told, surprises))
        )
    if not as_json:
        click.echo(f"{len(findings)} access checks passed: every identity has exactly the expected permissions")


def _warn_of_old_keys(config: EnvironmentConfig) -> None:
    """Name the keys that have been in use for longer than the environment wants; a disposable one has no such."""
    if config.disposable:
        return
    for name in config.names:
        days = key_note.read(files.path(config.environment, name)).days
        if days is not None and days > config.max_key_age_days:
            click.echo(
                f"warning: the key of {name} is {days} days old, more than the {config.max_key_age_days} of "
                f"maxKeyAgeDays: `python -m infra rotate {config.environment} {name}`",
                err=True,
            )


def table(config: EnvironmentConfig, findings: Sequence[Finding]) -> Table:
    """A row for each probe, a column for each identity."""
    result = Table(title=f"Access of environment {config.environment}", title_justify="left")
    result.add_column("where")
    result.add_column("probe")
    for name in config.names:
        result.add_column(name)
    for where, probe in dict.fromkeys((one.where, one.probe) for one in findings):
        result.add_row(where, probe, *_cells(config, findings, where, probe))
    return result


def _cells(config: EnvironmentConfig, findings: Iterable[Finding], where: str, probe: str) -> Iterable[str]:
    row = {one.identity: one for one in findings if (one.where, one.probe) == (where, probe)}
    return [_cell(row[name]) if name in row else "" for name in config.names]


def _cell(finding: Finding) -> str:
    word = finding.error or ("allowed" if finding.allowed else "denied")
    if finding.surprise:
        return f"[bold red]{word} (!)[/]"
    return f"[green]{word}[/]" if finding.allowed else f"[dim]{word}[/]"


def told(finding: Finding) -> str:
    """What surprised, in words."""
    got = finding.error or ("allowed" if finding.allowed else "denied")
    must = "allowed" if finding.expected else "denied"
    return f"{finding.identity}, {finding.where}: {finding.probe} is {got}, must be {must}"
