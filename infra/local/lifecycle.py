"""`python -m infra up` and `down`: an environment from nothing to proven storage, and back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from infra import config as configuration
from infra import plan
from infra.check.command import prove
from infra.config import EMBEDDED, EnvironmentConfig
from infra.connection import given_keys
from infra.env import files
from infra.errors import UsageError
from infra.init import initialise
from infra.local import engine, store
from infra.local._layout import local_folder
from infra.local._lock import exclusive
from infra.local.engine import Engine
from infra.stores import buckets
from infra.stores.keys import credentials


@click.command()
@click.argument("environment", default="local")
def up(environment: str) -> None:
    """Start the store if it is embedded, create everything, write the env files and prove the access.

    Deploys with the Pulumi engine, which is installed under .local/ if need be; without a network, with
    `init`, whose work a later `pulumi up` adopts. Safe to interrupt and to repeat: the next run goes on.
    """
    config, values = configuration.load(environment), configuration.read_values(environment)
    with _one_at_a_time():
        if config.endpoint == EMBEDDED:
            running = store.start(report=_say)
            _say(f"the store runs at {running.endpoint}")
        found = _deploy(config, values, _say)
    prove(config, values)
    _say(_next_steps(config, found))


@click.command()
@click.argument("environment", default="local")
def down(environment: str) -> None:
    """Stop the store; first delete everything, env files too, if the environment is disposable."""
    config, values = configuration.load(environment), configuration.read_values(environment)
    with _one_at_a_time():
        if config.disposable:
            _remove(config, values)
        elif config.endpoint == EMBEDDED:
            store.stop()
            _say("the store is stopped; its data stays")
        else:
            _say(f"{environment} is not disposable, so nothing was deleted; `pulumi destroy` is how to delete it")


def deploy(config: EnvironmentConfig, values: dict[str, object], say: Callable[[str], None]) -> None:
    """Bring the environment to what its configuration says, with the engine or without.

    Raises:
        InfraError: with the sentence to show.
    """
    with _one_at_a_time():
        _deploy(config, values, say)


def _deploy(config: EnvironmentConfig, values: dict[str, object], say: Callable[[str], None]) -> Engine | None:
    if not config.in_cloud:
        plan.make(config, values)
    found = engine.find() or _install()
    _require(found, config)
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


def _require(found: Engine | None, config: EnvironmentConfig) -> None:
    if found is None and config.in_cloud:
        raise UsageError(
            f"target {config.target} needs Pulumi, which could not be installed here: see "
            "https://www.pulumi.com/docs/install/"
        )


def _remove(config: EnvironmentConfig, values: dict[str, object]) -> None:
    """Delete the environment, whether Pulumi made it, or `init`, or both; then the store, if it is empty."""
    embedded = config.endpoint == EMBEDDED
    if embedded:
        store.start(report=_say)
    found = engine.find()
    _require(found, config)
    if found:
        found.destroy(config.environment)
    others = [] if config.in_cloud else _delete(config, values)
    for name in config.names:
        files.remove(files.path(config.environment, name))
    _say(f"{config.environment} is removed: buckets, keys and env files")
    if embedded and others:
        store.stop()
        _say(f"the store is stopped; it keeps {', '.join(others)}")
    elif embedded:
        store.remove()


def _delete(config: EnvironmentConfig, values: dict[str, object]) -> list[str]:
    """Delete what the configuration names, if it is still there; the buckets that the store has besides."""
    made = plan.make(config, values)
    maker = credentials(config.credentials, given_keys(values))
    for identity in config.identities:
        maker.delete_identity(made.store, made.name(identity))
    for bucket in made.buckets.values():
        buckets.delete(made.store, bucket.name or "", with_content=True)
    return [one.get("Name", "") for one in made.store.s3.list_buckets()["Buckets"]]


@contextmanager
def _one_at_a_time() -> Iterator[None]:
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
