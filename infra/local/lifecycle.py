"""`python -m infra up`: an environment from nothing to proven storage. `infra.local.down` is the way back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from infra import config as configuration
from infra import plan
from infra.check.command import prove
from infra.config import EMBEDDED, EnvironmentConfig
from infra.env import files
from infra.errors import UsageError
from infra.init import initialise
from infra.local import engine, store
from infra.local._layout import local_folder
from infra.local._lock import exclusive
from infra.local.engine import Engine


@click.command()
@click.argument("environment", default="local")
def up(environment: str) -> None:
    """Start the store if it is embedded, create everything, write the env files and prove the access.

    Deploys with the Pulumi engine, which is installed under .local/ if need be; without a network, with
    `init`, whose work a later `pulumi up` adopts. Safe to interrupt and to repeat: the next run goes on.
    """
    config, values = configuration.load(environment), configuration.read_values(environment)
    with one_at_a_time():
        if config.endpoint == EMBEDDED:
            running = store.start(report=_say)
            _say(f"the store runs at {running.endpoint}")
        found = _deploy(config, values, _say)
    prove(config, values)
    _say(_next_steps(config, found))


def deploy(config: EnvironmentConfig, values: dict[str, object], say: Callable[[str], None]) -> None:
    """Bring the environment to what its configuration says, with the engine or without.

    Raises:
        InfraError: with the sentence to show.
    """
    with one_at_a_time():
        _deploy(config, values, say)


def _deploy(config: EnvironmentConfig, values: dict[str, object], say: Callable[[str], None]) -> Engine | None:
    if not config.in_cloud:
        plan.make(config, values)
    found = engine.find() or _install()
    require_engine(found, config)
    if found:
        say(f"deploying {config.environment} with Pulumi")
        found.up(config.environment)
    else:
        say("Pulumi is not to be had here, so `python -m infra init` does it; a later `pulumi up` adopts it")
        initialise(config, values, lambda thing, outcome: say(f"{thing}: {outcome}"))
    return found


def _install() -> Engine | None:
    _say("Pulumi is not on PATH; trying to install it under .local/ (60 s at most)")
    return engine.install()


def require_engine(found: Engine | None, config: EnvironmentConfig) -> None:
    """Refuse a cloud target without an engine: no other way leads there.

    Raises:
        UsageError: with where Pulumi is to be found.
    """
    if found is None and config.in_cloud:
        raise UsageError(
            f"target {config.target} needs Pulumi, which could not be installed here: see "
            "https://www.pulumi.com/docs/install/"
        )


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the lock of `up` and `down`, after waiting for the process that holds it."""
    local_folder().mkdir(mode=0o700, exist_ok=True)
    with exclusive(local_folder() / "up.lock"):
        yield


def _next_steps(config: EnvironmentConfig, found: Engine | None) -> str:
    file = files.path(config.environment, config.names[0]).relative_to(configuration.ROOT)
    example = "from core.storage import BUCKET_IN; print(BUCKET_IN)"
    lines = [f"ready: S3_ENV_FILE={file} .venv/bin/python -c '{example}'"]
    if found and found.own_state:
        lines += ["to run pulumi yourself:", *(f"  export {line}" for line in engine.exports())]
    return "\n".join(lines)


def _say(sentence: str) -> None:
    click.echo(sentence, file=sys.stdout)
    sys.stdout.flush()
