"""`python -m infra init`: buckets, identities and env files on a store, without Pulumi. Idempotent.

It uses the same functions and the same configuration as the Pulumi program. A later `pulumi up` adopts what it
created, access keys included.

On a store where access keys can be chosen (MinIO), an identity without an env file gets the externally managed
access key that is configured for it. So a Job without a disk of its own gives the store the access keys that the
applications read from their Secrets.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress

import click

from infra import leftover, plan
from infra.config import naming, stack_files, stack_yaml
from infra.config.environment import EnvironmentConfig
from infra.config.identities import ROLES
from infra.config.load import load_environment, read
from infra.env import files
from infra.environment_argument import ENVIRONMENT
from infra.errors import InfraError, UnreachableError
from infra.identity_setup import WOULD_BE, IdentityPreview, IdentitySetup
from infra.local.environment_lock import environment_lock
from infra.outcome import Outcome, Report
from infra.plan import Plan
from infra.stores import buckets
from infra.stores.buckets import Ensured

_FORMER = (
    "is no longer configured, but its access key still works: delete the user {user} at the store and then its "
    "env file, or update the environment with Pulumi"
)
_PAUSE = 1.0  # seconds between two attempts


@click.command()
@click.argument("environment", default="local", type=ENVIRONMENT)
@click.option(
    "--endpoint", metavar="URL", help="The URL of the store from this machine; presigned URLs use it as well."
)
@click.option(
    "--wait", type=click.IntRange(0, 600), default=0, metavar="SECONDS", help="Wait for the store to respond."
)
@click.option("--check", is_flag=True, help="Run the access check at the end.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def init(environment: str, *, endpoint: str | None, wait: int, check: bool, dry_run: bool, as_json: bool) -> None:
    """Create buckets, identities, access keys and env files without Pulumi.

    Changes only what differs from the configuration; --dry-run shows what that is. The admin keys come from
    MPR_ADMIN_ACCESS_KEY_ID and MPR_ADMIN_SECRET_ACCESS_KEY, or from the embedded store itself. On MinIO, an
    identity without an env file gets the key in MPR_<IDENTITY>_ACCESS_KEY_ID and MPR_<IDENTITY>_SECRET_ACCESS_KEY,
    if they are set.
    """
    if check and as_json:
        raise click.UsageError("--json cannot be used with --check: run `check --json` after it")
    if check and dry_run:
        raise click.UsageError("--check writes objects, and --dry-run changes nothing: use one of them")
    config = _configured(environment, endpoint)
    outcomes: dict[str, str] = {}

    def report(subject: str, outcome: Outcome) -> None:
        outcomes[subject] = f"{outcomes[subject]}; {outcome.text}" if subject in outcomes else outcome.text
        if not as_json:
            click.echo(f"{subject}: {outcome.text}")

    if dry_run:
        initialise(config, report, wait=wait, dry_run=True)
    else:
        with environment_lock(config, "init"):
            config = _configured(environment, endpoint)  # again: a rotation may have changed it meanwhile
            initialise(config, report, wait=wait)
    if as_json:
        click.echo(json.dumps(outcomes))
    if check:
        from infra.check.command import check_access  # noqa: PLC0415  # tables, which the rest need not load

        check_access(config)


def _configured(environment: str, endpoint: str | None) -> EnvironmentConfig:
    if endpoint is None:
        return load_environment(environment)
    reader = stack_yaml.read(environment)
    # This machine need not reach the endpoint of browsers.
    others = {name: value for name, value in reader.values.items() if name != "publicEndpoint"}
    reader.values = others | {"endpoint": endpoint}
    return read(environment, reader, f"{stack_files.path(environment)} with --endpoint")


def initialise(config: EnvironmentConfig, report: Report, *, wait: int = 0, dry_run: bool = False) -> None:
    """Create the environment, or change what differs. Can be repeated after any interruption.

    Args:
        config: the environment.
        report: called with each outcome.
        wait: seconds within which the store must respond.
        dry_run: change nothing; report what would be changed.

    Raises:
        InfraError: something failed; what was created before that stays, and a second call continues.
    """
    files.require_writable(files.to_write(config))
    planned = _plan(config, wait)
    for notice in planned.notices:
        report("notice", Outcome(notice))
    if dry_run:
        preview(planned, report)
    else:
        _create(planned, report)
    for name in files.former(config):
        report(f"identity {name}", Outcome(_FORMER.format(user=naming.identity(config.environment, name))))
    with suppress(InfraError):  # everything is created by now
        for bucket, sentence in leftover.sentences(planned):
            report(f"bucket {bucket}", Outcome(sentence))


def preview(planned: Plan, report: Report) -> None:
    """Report what would be created or changed, and what is unchanged; change nothing.

    Raises:
        InfraError: the store does not respond, or refuses.
    """
    for role in ROLES:
        wanted = planned.buckets[role]
        report(f"bucket {wanted.name}", _outcome(buckets.preview(planned.store, wanted), WOULD_BE))
    for identity in planned.config.identities:
        IdentityPreview(planned, identity, report).run()


def _create(planned: Plan, report: Report) -> None:
    for role in ROLES:
        wanted = planned.buckets[role]
        report(
            f"bucket {wanted.name}", _outcome(buckets.ensure(planned.store, wanted, planned.config.environment))
        )
    for identity in planned.config.identities:
        IdentitySetup(planned, identity, report).run()


def _plan(config: EnvironmentConfig, wait: int) -> Plan:
    """Return the plan once the store responds. Any other error, such as a wrong access key, is raised at once."""
    deadline = time.monotonic() + wait
    is_waiting = False
    while True:
        try:
            return plan.for_update(config)
        except UnreachableError:
            if time.monotonic() >= deadline:
                raise
        if not is_waiting:
            click.echo(f"waiting for the store at {config.endpoint} ({wait} s at most)", err=True)
            is_waiting = True
        time.sleep(_PAUSE)


def _outcome(ensured: Ensured, would_be: str = "") -> Outcome:
    if ensured.created:
        return Outcome(f"{would_be}created", is_change=True)
    names = ", ".join(ensured.changed)
    if not names:
        return Outcome("unchanged")
    return Outcome(f"{would_be}changed: {names}" if would_be else f"changed {names}", is_change=True)
