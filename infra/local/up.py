"""`python -m infra up`: deploy an environment and check its access. The reverse is `infra.local.down`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from infra import leftover, plan
from infra.check.command import check_access
from infra.command_name import COMMAND
from infra.config import stack_files
from infra.config.environment import EMBEDDED, EnvironmentConfig
from infra.config.load import load_environment
from infra.env import files
from infra.environment_argument import ENVIRONMENT
from infra.errors import UsageError
from infra.init import initialise
from infra.local import engine, own_state, store
from infra.local.engine import Engine
from infra.local.environment_lock import environment_lock
from infra.local.last_update import LastUpdate
from infra.plan import Plan
from infra.targets.registry import TARGETS


@click.command()
@click.argument("environment", default="local", type=ENVIRONMENT)
def up(environment: str) -> None:
    """Start the store if it is embedded, create all resources, write the env files and check the access.

    Deploys with the Pulumi engine, which is installed under .local/ if necessary; without a network, with `init`,
    and a later `pulumi up` adopts the result. If it was interrupted, run it again.
    """
    config = load_environment(environment)
    with environment_lock(config, "up"):
        config = load_environment(environment)  # again: a rotation may have changed it meanwhile
        if config.endpoint == EMBEDDED:
            click.echo(f"the store runs at {store.start(report=click.echo).endpoint}")
        pulumi = deploy(config, click.echo)
    check_access(config)
    click.echo(_next_steps(config, pulumi))


def deploy(config: EnvironmentConfig, report: Callable[[str], None]) -> Engine | None:
    """Deploy the environment, which the caller has locked; return the Pulumi engine if it deployed with that.

    Raises:
        InfraError: the deployment failed.
    """
    planned, pulumi = prepare(config, report)
    if pulumi:
        _update(pulumi, config, planned, report)
    else:
        report(
            f"Pulumi could not be installed; deploying with `{COMMAND} init` instead, "
            "which a later `pulumi up` adopts"
        )
        initialise(config, lambda subject, outcome: report(f"{subject}: {outcome.text}"))
    return pulumi


def prepare(config: EnvironmentConfig, report: Callable[[str], None]) -> tuple[Plan | None, Engine | None]:
    """Do all checks that are possible before anything is changed; install the Pulumi engine if necessary.

    Return the plan of an environment on a store, and the engine if there is one.

    Raises:
        InfraError: the environment cannot be deployed.
    """
    files.require_writable(files.to_write(config))
    planned = None if TARGETS[config.target].is_cloud else plan.for_update(config)
    pulumi = engine.find() or engine.install(report)
    require_engine(pulumi, config)
    return planned, pulumi


def _update(
    pulumi: Engine, config: EnvironmentConfig, planned: Plan | None, report: Callable[[str], None]
) -> None:
    """Run Pulumi, unless this is a store whose state only this machine has, and nothing has changed."""
    last = LastUpdate(planned) if planned and pulumi.own_state else None
    if last and last.is_current():
        report(f"{config.environment} is up to date: nothing has changed since Pulumi deployed it")
    else:
        report(f"deploying {config.environment} with Pulumi")
        pulumi.up(config.environment)
        if last:
            last.record()
    if planned:
        leftover.report_all(planned, report)


def require_engine(pulumi: Engine | None, config: EnvironmentConfig) -> None:
    """Refuse a cloud target without the engine.

    Raises:
        UsageError: there is no engine.
    """
    if pulumi is None and TARGETS[config.target].is_cloud:
        raise UsageError(
            f"target {config.target} needs Pulumi, which is not installed here: see "
            "https://www.pulumi.com/docs/install/"
        )


def _next_steps(config: EnvironmentConfig, pulumi: Engine | None) -> str:
    file = files.path(config.environment, config.names[0]).relative_to(stack_files.ROOT)
    example = "from core.storage import BUCKET_IN; print(BUCKET_IN)"
    where = "" if Path.cwd() == stack_files.ROOT else f" (in {stack_files.ROOT})"
    lines = [f"ready{where}: S3_ENV_FILE={file} .venv/bin/python -c '{example}'"]
    if pulumi and pulumi.own_state:
        commands = own_state.by_hand(config.environment)
        lines += [f"to run pulumi yourself{where}:", *(f"  {line}" for line in commands)]
    return "\n".join(lines)
