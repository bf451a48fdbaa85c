"""`python -m infra drift`: compare an environment with its stack."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra import plan
from infra.config.environment import EnvironmentConfig
from infra.config.load import load_environment
from infra.drift import cloud, deployment, store
from infra.drift.difference import Difference
from infra.environment_argument import ENVIRONMENT
from infra.errors import InfraError
from infra.targets.registry import TARGETS


@click.command()
@click.argument("environment", default="local", type=ENVIRONMENT)
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def drift(environment: str, *, as_json: bool) -> None:
    """Compare an environment with its configuration. Changes nothing.

    Compares bucket settings, policies, access keys and env files, and shows each difference with the command that
    repairs it. Exits 1 if there is any.
    """
    differences = compare(load_environment(environment))
    if as_json:
        click.echo(json.dumps([difference._asdict() for difference in differences]))
    elif differences:
        _show(differences)
    if differences:
        number = len(differences)
        raise InfraError(f"{number} difference{'s' if number > 1 else ''} in environment {environment}")
    if not as_json:
        click.echo(f"{environment} has no drift")


def compare(config: EnvironmentConfig) -> list[Difference]:
    """Return every difference.

    Raises:
        InfraError: nothing is deployed.
        UsageError: the admin key is missing or lacks a permission.
        UnreachableError: the store, the cloud or Pulumi's backend does not respond, or Pulumi is not installed.
    """
    if TARGETS[config.target].is_cloud:
        return cloud.compare(config)
    planned = plan.for_comparison(config)
    deployed = deployment.find(planned)
    notices = list(planned.notices)
    differences = list(store.compare(planned, deployed, notices.append))
    if deployed.stack is None and not store.is_deployed(planned, differences):
        raise InfraError(
            f"{config.environment} is not deployed; `{deployed.repair.deploy}` or `pulumi up -s "
            f"{config.environment}` deploys it"
        )
    for notice in notices:
        click.echo(notice, err=True)
    return differences


def _show(differences: Sequence[Difference]) -> None:
    console = Console()
    if not console.is_terminal:
        click.echo("\n".join(map(str, differences)))
        return
    table = Table(show_lines=True)
    for name in ("what", "wanted", "is", "repair"):
        table.add_column(name, overflow="fold")
    for difference in differences:
        what = Text.assemble((difference.thing, "bold"), "\n", difference.property)
        table.add_row(what, *map(Text, (difference.wanted, difference.actual, difference.repair)))
    console.print(table)
