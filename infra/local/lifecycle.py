"""`python -m infra up`: deploy an environment and check its access. The reverse is `infra.local.down`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import click

from infra import plan
from infra.check.command import check_access
from infra.config import stack_files
from infra.config.environment import EMBEDDED, EnvironmentConfig
from infra.config.load import load_environment
from infra.env import files
from infra.errors import UsageError
from infra.init import initialise
from infra.local import engine, store
from infra.local.engine import Engine
from infra.local.folder import local_folder
from infra.local.lock import exclusive
from infra.targets.registry import TARGETS


@click.command()
@click.argument("environment", default="local")
def up(environment: str) -> None:
    """Start the store if it is embedded, create all resources, write the env files and check the access.

    Deploys with the Pulumi engine, which is installed under .local/ if necessary; without a network, with `init`,
    and a later `pulumi up` adopts the result. If it was interrupted, run it again.
    """
    config = load_environment(environment)
    with one_at_a_time():
        if config.endpoint == EMBEDDED:
            click.echo(f"the store runs at {store.start(report=click.echo).endpoint}")
        pulumi = _deploy(config, click.echo)
    check_access(config)
    click.echo(_next_steps(config, pulumi))


def deploy(config: EnvironmentConfig, report: Callable[[str], None]) -> None:
    """Deploy the environment, with the Pulumi engine or without.

    Raises:
        InfraError: the deployment failed.
    """
    with one_at_a_time():
        _deploy(config, report)


def _deploy(config: EnvironmentConfig, report: Callable[[str], None]) -> Engine | None:
    if not TARGETS[config.target].is_cloud:
        plan.make(config)
    pulumi = engine.find()
    if pulumi is None:
        report("Pulumi is not on PATH; installing it under .local/ (60 s at most)")
        pulumi = engine.install()
    require_engine(pulumi, config)
    if pulumi:
        report(f"deploying {config.environment} with Pulumi")
        pulumi.up(config.environment)
    else:
        report(
            "Pulumi could not be installed (no network); deploying with `python -m infra init` instead, "
            "which a later `pulumi up` adopts"
        )
        initialise(config, lambda subject, outcome: report(f"{subject}: {outcome}"))
    return pulumi


def require_engine(pulumi: Engine | None, config: EnvironmentConfig) -> None:
    """Refuse a cloud target without the engine.

    Raises:
        UsageError: there is no engine.
    """
    if pulumi is None and TARGETS[config.target].is_cloud:
        raise UsageError(
            f"target {config.target} needs Pulumi, which could not be installed here: see "
            "https://www.pulumi.com/docs/install/"
        )


def one_at_a_time() -> AbstractContextManager[None]:
    """Lock `up` and `down`; wait for a process that holds the lock."""
    return exclusive(local_folder() / "up.lock")


def _next_steps(config: EnvironmentConfig, pulumi: Engine | None) -> str:
    file = files.path(config.environment, config.names[0]).relative_to(stack_files.ROOT)
    example = "from core.storage import BUCKET_IN; print(BUCKET_IN)"
    lines = [f"ready: S3_ENV_FILE={file} .venv/bin/python -c '{example}'"]
    if pulumi and pulumi.own_state:
        lines += ["to run pulumi yourself:", *(f"  export {line}" for line in engine.exports())]
    return "\n".join(lines)
