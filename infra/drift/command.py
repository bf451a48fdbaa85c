"""`python -m infra drift`: how an environment differs from what its stack says."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra import config as configuration
from infra import plan
from infra.config import EnvironmentConfig
from infra.drift import cloud, known, store
from infra.drift.finding import Finding
from infra.errors import InfraError


@click.command()
@click.argument("environment", default="local")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def drift(environment: str, *, as_json: bool) -> None:
    """Compare an environment with what its stack says, and change nothing.

    Bucket settings, policies, keys and env files as they are; each difference with the command that mends it.
    Exits 1 if there is any.
    """
    config, values = configuration.load(environment), configuration.read_values(environment)
    findings = compare(config, values)
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in findings]))
    elif findings:
        _show(findings)
    if findings:
        number = len(findings)
        raise InfraError(f"{number} difference{'s' if number > 1 else ''} in environment {environment}")
    if not as_json:
        click.echo(f"{environment} is as its stack says")


def compare(config: EnvironmentConfig, values: dict[str, object]) -> list[Finding]:
    """Every difference.

    Raises:
        InfraError: nothing is deployed.
        UsageError: there are no admin keys, or they may not ask.
        UnreachableError: the store, the cloud or Pulumi's backend does not answer.
    """
    if config.in_cloud:
        return cloud.compare(config)
    made = plan.look(config, values)
    there = known.of(made)
    notices = list(made.notices)
    findings = list(store.compare(made, values, there, notices.append))
    if there.stack is None and not store.is_deployed(made, findings):
        raise InfraError(
            f"{config.environment} is not deployed; `{there.repair.deploy}` or `pulumi up -s "
            f"{config.environment}` deploys it"
        )
    for one in notices:
        click.echo(one, err=True)
    return findings


def _show(findings: Sequence[Finding]) -> None:
    console = Console()
    if not console.is_terminal:
        for one in findings:
            click.echo(str(one))
        return
    table = Table(show_lines=True)
    for name in ("what", "wanted", "is", "repair"):
        table.add_column(name, overflow="fold")
    for one in findings:
        what = Text.assemble((one.thing, "bold"), "\n", one.property)
        table.add_row(what, *map(Text, (one.wanted, one.actual, one.repair)))
    console.print(table)
