"""`python -m infra down`: stop the embedded store and keep everything; with `--delete`, delete an environment."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from infra import leftover, plan
from infra.command_name import COMMAND
from infra.config import naming, stack_files
from infra.config.environment import EMBEDDED, EnvironmentConfig
from infra.config.load import load_environment
from infra.config.stack_files import short
from infra.connection import connect
from infra.env import files
from infra.environment_argument import ENVIRONMENT
from infra.errors import UsageError
from infra.local import deletion, engine, own_state, store
from infra.local.deletion import Deletion
from infra.local.engine import Engine
from infra.local.environment_lock import environment_lock
from infra.local.up import require_engine
from infra.plan import Plan
from infra.stores import buckets
from infra.stores.contents import Contents
from infra.stores.keys import identity_manager
from infra.stores.store import explained
from infra.targets.registry import TARGETS


@click.command()
@click.argument("environment", default="local", type=ENVIRONMENT)
@click.option(
    "--delete",
    is_flag=True,
    help="Delete the buckets that the environment created, access keys and env files.",
)
@click.option(
    "--keep-buckets", is_flag=True, help="With --delete: keep all buckets with their objects, delete the rest."
)
@click.option("--yes", is_flag=True, help="With --delete: do not ask for confirmation. For scripts.")
def down(environment: str, *, delete: bool, keep_buckets: bool, yes: bool) -> int:
    """Stop the embedded store. Buckets, access keys and env files stay, and `up` starts it again with them.

    With --delete, print how many objects and bytes will be deleted, ask for confirmation, and delete them: only in
    an environment that is `disposable: true`, and only buckets that it created. An adopted bucket stays.

    With --delete --keep-buckets, end any environment: delete its identities, access keys, env files and Pulumi
    stack, and leave the buckets with their objects.
    """
    if keep_buckets and not delete:
        raise click.UsageError("--keep-buckets needs --delete: without it, `down` deletes nothing")
    if yes and not delete:
        raise click.UsageError(
            "--yes confirms --delete and has no effect without it: add --delete, or leave --yes out"
        )
    config = load_environment(environment)
    if delete:
        _require_consent(config, keep_buckets=keep_buckets, yes=yes)
    with environment_lock(config, "down", stops_store=True):
        config = load_environment(environment)  # again: it may have been changed meanwhile
        if delete:
            _require_consent(config, keep_buckets=keep_buckets, yes=yes)
            return _delete(config, keep_buckets=keep_buckets, yes=yes)
        _stop(config)
    return 0


def _stop(config: EnvironmentConfig) -> None:
    leftover.report_of(config, click.echo)
    if config.endpoint != EMBEDDED:
        click.echo(
            f"{config.environment} is not on the embedded store, so there is nothing to stop; nothing was deleted"
        )
    elif store.stop():
        click.echo("the store is stopped; buckets, keys and env files stay, and `up` starts it again with them")
    else:
        click.echo("the store was not running; buckets, keys and env files stay")


def _require_consent(config: EnvironmentConfig, *, keep_buckets: bool, yes: bool) -> None:
    """Refuse what must not be deleted, or cannot be asked about.

    Raises:
        UsageError: the environment is not disposable, or there is no terminal to ask on.
    """
    name = config.environment
    if not config.disposable and not keep_buckets:
        raise UsageError(
            f"{name} is not disposable, so nothing was deleted. To delete its identities, access keys and env "
            f"files and keep the buckets, run `{COMMAND} down --delete --keep-buckets {name}`. If all "
            "objects in them may be deleted, set `mpr-storage:disposable: true` in "
            f"{stack_files.path(name)}, deploy once, and run this again"
        )
    if not yes and not sys.stdin.isatty():
        options = "--delete --keep-buckets --yes" if keep_buckets else "--delete --yes"
        raise UsageError(
            "there is no terminal to ask on, so nothing was deleted; in a script, "
            f"`{COMMAND} down {options} {name}` deletes without asking"
        )


def _delete(config: EnvironmentConfig, *, keep_buckets: bool, yes: bool) -> int:
    """Delete the environment if the user agrees; return the exit code."""
    pulumi = engine.find()
    require_engine(pulumi, config)
    if config.endpoint != EMBEDDED:
        return _ask_and_delete(config, pulumi, keep_buckets=keep_buckets, yes=yes)
    was_running = store.find() is not None
    store.start(report=click.echo)
    code = None
    try:
        code = _ask_and_delete(config, pulumi, keep_buckets=keep_buckets, yes=yes)
    finally:
        if code != 0 and not was_running:
            store.stop()  # it was started only to count
    if code == 0:
        _remove_store(config, is_used=was_running)
    return code


def _ask_and_delete(config: EnvironmentConfig, pulumi: Engine | None, *, keep_buckets: bool, yes: bool) -> int:
    on_store = None if TARGETS[config.target].is_cloud else plan.for_comparison(config)
    planned = deletion.plan_for(config, on_store, pulumi, keep_buckets=keep_buckets)
    _require_unshared(config, planned.deleted)
    _require_empty(config, planned.deleted)
    names = [*config.names, *(files.former(config) if on_store else ())]
    for sentence in deletion.sentences(config, planned, names, keep_buckets=keep_buckets):
        click.echo(sentence)
    if not yes and not _is_confirmed():
        click.echo("nothing was deleted")
        return UsageError.exit_code
    _delete_resources(config, pulumi, on_store, planned, names, keep_buckets=keep_buckets)
    click.echo(f"{config.environment} is deleted")
    if pulumi is None and own_state.state_file(config.environment).exists():
        click.echo(
            f"its Pulumi state stays in {own_state.home()}: with Pulumi on PATH, run "
            f"`{COMMAND} down --delete {config.environment}` again"
        )
    if planned.kept and on_store is None:
        click.echo(
            "to use the buckets that stay again, write their names into `mpr-storage:buckets`, set "
            "`mpr-storage:adopt: true`, and deploy"
        )
    return 0


def _delete_resources(
    config: EnvironmentConfig,
    pulumi: Engine | None,
    on_store: Plan | None,
    planned: Deletion,
    names: list[str],
    *,
    keep_buckets: bool,
) -> None:
    if pulumi and keep_buckets:
        pulumi.delete_identities(config.environment)
    elif pulumi:
        pulumi.destroy(config.environment)
    if on_store:  # what `init` created, and what is missing in Pulumi's state
        manager = identity_manager(config.credentials, config.secrets.external())
        for name in names:
            manager.delete_identity(on_store.store, naming.identity(config.environment, name))
        for bucket in planned.deleted:
            buckets.delete(on_store.store, bucket, with_content=True)
    for name in names:
        _remove_env_files(files.path(config.environment, name))


def _require_unshared(config: EnvironmentConfig, deleted: Iterable[str]) -> None:
    """Refuse to delete a bucket that another environment uses.

    Raises:
        UsageError: another file in environments/ names one.
    """
    others = leftover.configured_by_others(config)
    for bucket in deleted:
        if environment := others.get(bucket):
            raise UsageError(
                f"environment {environment} uses bucket {bucket} too, so nothing was deleted: to keep the "
                f"buckets, run `{COMMAND} down --delete --keep-buckets {config.environment}`"
            )


def _require_empty(config: EnvironmentConfig, deleted: Mapping[str, Contents | None]) -> None:
    """Refuse to begin a deletion that fails, on a target that deletes only empty buckets.

    Raises:
        UsageError: a bucket holds objects.
    """
    if TARGETS[config.target].deletes_objects:
        return
    held = [f"{bucket} ({counted})" for bucket, counted in deleted.items() if counted and counted.objects]
    if held:
        raise UsageError(
            f"target {config.target} deletes only empty buckets, so nothing was deleted: delete the objects in "
            f"{', '.join(held)}, then run this again"
        )


def _remove_env_files(main: Path) -> None:
    for file in files.all_of(main):
        if not files.remove(file) and file.exists():
            click.echo(f"{short(file)} is not as mpr-storage wrote it, and stays")


def _is_confirmed() -> bool:
    try:
        return click.confirm("delete all of this?")
    except click.Abort:
        click.echo("\nnothing was deleted")
        raise


def _remove_store(config: EnvironmentConfig, *, is_used: bool) -> None:
    """Remove the embedded store if it has no other bucket. Otherwise stop it, unless it is in use."""
    admin = connect(EMBEDDED, config.region, config.secrets)
    with explained(admin, "listing the other buckets"):
        others = [bucket["Name"] for bucket in admin.s3.list_buckets()["Buckets"]]
    if others and is_used:
        click.echo(f"the store continues to run, with {', '.join(others)}; `{COMMAND} down` stops it")
    elif others:
        store.stop()
        click.echo(f"the store is stopped; it keeps {', '.join(others)}")
    else:
        store.remove()
        click.echo("the store has no other bucket and is removed")
