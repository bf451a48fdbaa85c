"""`python -m infra init`: buckets, identities and env files on a store, without Pulumi. Idempotent.

What a one-shot `minio-init` container did, over the same functions and the same configuration as the Pulumi
program. A later `pulumi up` adopts what it made, keys included.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import click

from infra import config as configuration
from infra import plan
from infra.config import EnvironmentConfig
from infra.connection import given_keys
from infra.env import files
from infra.identities import ROLES, Identity
from infra.stores import buckets
from infra.stores.keys import Credentials, credentials, ensure_key

#: What is told as it happens: a thing, and what became of it.
Report = Callable[[str, str], None]


@click.command()
@click.argument("environment", default="local")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def init(environment: str, *, as_json: bool) -> None:
    """Create buckets, identities, keys and env files without Pulumi.

    Changes nothing where everything is as it should be. The admin keys come from MPR_ADMIN_ACCESS_KEY_ID and
    MPR_ADMIN_SECRET_ACCESS_KEY, or from the embedded store itself.
    """
    done: dict[str, str] = {}

    def report(thing: str, outcome: str) -> None:
        done[thing] = outcome
        if not as_json:
            click.echo(f"{thing}: {outcome}")

    initialise(configuration.load(environment), configuration.read_values(environment), report)
    if as_json:
        click.echo(json.dumps(done))


def initialise(config: EnvironmentConfig, values: dict[str, object], report: Report) -> None:
    """Make the environment. Safe to repeat after any interruption.

    Raises:
        InfraError: with the sentence to show; what was made before it stays, and the next run goes on.
    """
    made = plan.make(config, values)
    for notice in made.notices:
        report("notice", notice)
    for role in ROLES:
        bucket = buckets.ensure(made.store, made.buckets[role])
        report(f"bucket {made.buckets[role].name}", _outcome(bucket.created, bucket.changed))
    maker = credentials(config.credentials, given_keys(values))
    for identity in config.identities:
        _identity(made, maker, identity, report)


def _identity(made: plan.Plan, maker: Credentials, identity: Identity, report: Report) -> None:
    name, environment = made.name(identity), made.config.environment
    file = files.path(environment, identity.name)
    maker.ensure_identity(made.store, name, made.policy(identity))
    keys, new = ensure_key(maker, made.store, name, files.keys(file), disposable=made.config.disposable)
    report(f"identity {name}", f"key {keys.hint} created" if new else f"key {keys.hint} in place")
    settings = replace(
        made.settings(identity), access_key_id=keys.access_key_id, secret_access_key=keys.secret_access_key
    )
    written = files.write(file, files.render(settings, environment, identity.name))
    report(f"env file {file.name}", "written" if written else "unchanged")


def _outcome(created: bool, changed: tuple[str, ...]) -> str:  # noqa: FBT001  # two facts of one result
    if created:
        return "created"
    return f"changed {', '.join(changed)}" if changed else "unchanged"
