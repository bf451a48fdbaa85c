"""`python -m infra down`: stop the embedded store and keep everything; with `--delete`, delete an environment."""

from __future__ import annotations

import sys

import click

from infra import config as configuration
from infra import plan
from infra.config import EMBEDDED, EnvironmentConfig
from infra.connection import connect, given_keys
from infra.env import files
from infra.errors import UsageError
from infra.local import deletion, engine, store
from infra.local.deletion import Deletion
from infra.local.engine import Engine
from infra.local.lifecycle import one_at_a_time, require_engine
from infra.plan import Plan
from infra.stores import buckets
from infra.stores.keys import Credentials, credentials

Values = dict[str, object]


@click.command()
@click.argument("environment", default="local")
@click.option(
    "--delete", is_flag=True, help="Delete the buckets that the environment created, keys and env files."
)
@click.option("--yes", is_flag=True, help="With --delete: do not ask. For scripts.")
def down(environment: str, *, delete: bool, yes: bool) -> int:
    """Stop the embedded store. Buckets, keys and env files stay, and `up` goes on with them.

    With --delete, say how many objects and bytes will be deleted, ask, and delete them: only in an environment
    that is `disposable: true`, and only buckets that it created. A bucket that existed before stays.
    """
    if yes and not delete:
        raise click.UsageError("--yes answers the question of --delete, and has no meaning without it")
    config = configuration.load(environment)
    if not delete:
        with one_at_a_time():
            _stop(config)
        return 0
    _require_consent(config, yes=yes)
    with one_at_a_time():
        return _delete(config, configuration.read_values(environment), yes=yes)


def _stop(config: EnvironmentConfig) -> None:
    if config.endpoint != EMBEDDED:
        click.echo(
            f"{config.environment} is not on the embedded store, so there is nothing to stop; nothing was deleted"
        )
    elif store.stop():
        click.echo("the store is stopped; buckets, keys and env files stay, and `up` goes on with them")
    else:
        click.echo("the store was not running; buckets, keys and env files stay")


def _require_consent(config: EnvironmentConfig, *, yes: bool) -> None:
    """Refuse what must not be deleted, or cannot be asked about.

    Raises:
        UsageError: the environment is not disposable, or there is no terminal to ask on.
    """
    name = config.environment
    if not config.disposable:
        raise UsageError(
            f"{name} is not disposable, so nothing was deleted. If everything in its buckets may go, set "
            f"`mpr-storage:disposable: true` in {files.short(configuration.stack_file(name))}, deploy once, and "
            "run this again"
        )
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask on, so nothing was deleted; in a script, "
            f"`python -m infra down --delete --yes {name}` deletes without asking"
        )


def _delete(config: EnvironmentConfig, values: Values, *, yes: bool) -> int:
    """Delete the environment once the user agrees; return the exit code."""
    found = engine.find()
    require_engine(found, config)
    if config.endpoint != EMBEDDED:
        return _ask_and_delete(config, values, found, yes=yes)
    was_running = store.find() is not None
    store.start(report=click.echo)
    deleted = False
    try:
        code = _ask_and_delete(config, values, found, yes=yes)
        deleted = code == 0
    finally:
        if not deleted and not was_running:
            store.stop()  # started only to count
    if deleted:
        _remove_store(config, values)
    return code


def _ask_and_delete(config: EnvironmentConfig, values: Values, found: Engine | None, *, yes: bool) -> int:
    made = None if config.in_cloud else plan.look(config, values)
    planned = deletion.look(config, made, found)
    for sentence in deletion.sentences(config, planned):
        click.echo(sentence)
    if not yes and not _is_confirmed():
        click.echo("nothing was deleted")
        return UsageError.exit_code
    if found:
        found.destroy(config.environment)
    if made:
        _delete_rest(made, planned, credentials(config.credentials, given_keys(values)))
    for name in config.names:
        files.remove(files.path(config.environment, name))
    click.echo(f"{config.environment} is deleted")
    return 0


def _is_confirmed() -> bool:
    try:
        return click.confirm("delete all of this?")
    except click.Abort:
        click.echo("\nnothing was deleted")
        raise


def _delete_rest(made: Plan, planned: Deletion, maker: Credentials) -> None:
    """Delete what `init` made, and what Pulumi's state did not hold."""
    for identity in made.config.identities:
        maker.delete_identity(made.store, made.name(identity))
    for bucket in planned.deleted:
        buckets.delete(made.store, bucket, with_content=True)


def _remove_store(config: EnvironmentConfig, values: Values) -> None:
    """Stop the embedded store; remove its folder too if no bucket is left in it."""
    left = [bucket["Name"] for bucket in connect(EMBEDDED, config.region, values).s3.list_buckets()["Buckets"]]
    if left:
        store.stop()
        click.echo(f"the store is stopped; it keeps {', '.join(left)}")
    else:
        store.remove()
        click.echo("the store held no other bucket and is removed")
