"""`python -m infra init`: buckets, identities and env files on a store, without Pulumi. Idempotent.

What a one-shot `minio-init` container did, over the same functions and the same configuration as the Pulumi
program. A later `pulumi up` adopts what it made, keys included.

Where the store lets keys be chosen (MinIO), an identity without an env file gets the key that was given for it, so
that a job without a disk of its own makes the store agree with the Secrets that its applications read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import click

from infra import config as configuration
from infra import plan
from infra.config import EnvironmentConfig
from infra.connection import given_keys
from infra.env import files, placing
from infra.env.key_note import KeyNote
from infra.errors import UnreachableError
from infra.identities import ROLES, Identity
from infra.slots import KeyPlace, Slot, Slots
from infra.stores import buckets, minio
from infra.stores.keys import Credentials, Place, credentials, ensure_key
from infra.stores.store import Keys, Store

#: What is told as it happens: a thing, and what became of it.
Report = Callable[[str, str], None]

#: Credentials whose keys can be chosen beforehand, and what puts one in place.
_CHOOSERS: Mapping[str, Callable[[Store, str, Keys], bool]] = {"minio": minio.place_key}
_LONGEST_WAIT = 600  # seconds; what takes longer is not starting
_PAUSE = 1.0  # seconds between two tries


@click.command()
@click.argument("environment", default="local")
@click.option(
    "--endpoint", metavar="URL", help="Where the store is as seen from here; presigned URLs are for here as well."
)
@click.option(
    "--wait",
    type=click.IntRange(0, _LONGEST_WAIT),
    default=0,
    metavar="SECONDS",
    help="Wait this long for a store that does not answer yet.",
)
@click.option("--check", is_flag=True, help="Prove at the end what each identity may and may not do.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def init(environment: str, *, endpoint: str | None, wait: int, check: bool, as_json: bool) -> None:
    """Create buckets, identities, keys and env files without Pulumi.

    Changes nothing where everything is as it should be. The admin keys come from MPR_ADMIN_ACCESS_KEY_ID and
    MPR_ADMIN_SECRET_ACCESS_KEY, or from the embedded store itself. On MinIO, an identity that has no env file gets
    the key in MPR_<IDENTITY>_ACCESS_KEY_ID and MPR_<IDENTITY>_SECRET_ACCESS_KEY, if they are set.
    """
    if check and as_json:
        raise click.UsageError("--json goes without --check: run `check --json` after it")
    config, values = _configured(environment, endpoint)
    done: dict[str, str] = {}

    def report(thing: str, outcome: str) -> None:
        done[thing] = f"{done[thing]}; {outcome}" if thing in done else outcome
        if not as_json:
            click.echo(f"{thing}: {outcome}")

    initialise(config, values, report, wait=wait)
    if as_json:
        click.echo(json.dumps(done))
    if check:
        from infra.check.command import prove  # noqa: PLC0415  # tables, which the rest need not load

        prove(config, values)


def _configured(environment: str, endpoint: str | None) -> tuple[EnvironmentConfig, dict[str, object]]:
    values = configuration.read_values(environment)
    source = str(configuration.stack_file(environment))
    if endpoint:
        values["endpoint"] = endpoint
        values.pop("publicEndpoint", None)  # what browsers reach need not be reached from here
        source += " with --endpoint"
    return configuration.parse(environment, values, source), values


def initialise(config: EnvironmentConfig, values: dict[str, object], report: Report, *, wait: int = 0) -> None:
    """Make the environment. Safe to repeat after any interruption.

    Args:
        config: the environment.
        values: its stack configuration under bare names.
        report: what hears of everything that is done.
        wait: seconds for which the store may not answer yet.

    Raises:
        InfraError: with the sentence to show; what was made before it stays, and the next run goes on.
    """
    made = _plan(config, values, wait)
    for notice in made.notices:
        report("notice", notice)
    for role in ROLES:
        bucket = buckets.ensure(made.store, made.buckets[role], config.environment)
        report(f"bucket {made.buckets[role].name}", _outcome(bucket.created, bucket.changed))
    given = given_keys(values)
    maker = credentials(config.credentials, given)
    for identity in config.identities:
        _identity(made, maker, identity, given.get(identity.name), report)


def _plan(config: EnvironmentConfig, values: dict[str, object], wait: int) -> plan.Plan:
    """The plan, once the store answers. Only that is waited for: a wrong key does not get better."""
    deadline = time.monotonic() + wait
    told = False
    while True:
        try:
            return plan.make(config, values)
        except UnreachableError:
            if time.monotonic() >= deadline:
                raise
        if not told:
            click.echo(f"waiting for the store at {config.endpoint} ({wait} s at most)", err=True)
            told = True
        time.sleep(_PAUSE)


def _identity(made: plan.Plan, maker: Credentials, identity: Identity, given: Keys | None, report: Report) -> None:
    name, slots = made.name(identity), made.config.slots_of(identity.name)
    maker.ensure_identity(made.store, name, made.policy(identity))
    chosen = _chosen(made, identity, given, report)
    texts: dict[Slot, str] = {}
    beside = None
    for place in slots.places():
        if chosen and not place.current:
            continue  # that key is with whoever chose this one
        keys, note = _key(made, maker, identity, place, beside, chosen, report)
        beside = keys.access_key_id
        settings = replace(
            made.settings(identity), access_key_id=keys.access_key_id, secret_access_key=keys.secret_access_key
        )
        texts[place.slot] = files.render(settings, made.config.environment, identity.name, note)
    if not slots.rotating:
        _empty_slot(made, maker, identity, slots, report)
    for file, changed in placing.place(made.config.environment, identity.name, slots, texts).items():
        report(f"env file {file.name}", "written" if changed else "unchanged")


def _chosen(made: plan.Plan, identity: Identity, given: Keys | None, report: Report) -> Keys | None:
    """The given key, put in place; None where there is none, the store takes none, or an env file has one."""
    place_key = _CHOOSERS.get(made.config.credentials)
    if given is None or place_key is None or files.path(made.config.environment, identity.name).exists():
        return None
    if place_key(made.store, made.name(identity), given):
        report(f"identity {made.name(identity)}", f"given key {given.hint} put in place")
    return given


def _key(
    made: plan.Plan,
    maker: Credentials,
    identity: Identity,
    place: KeyPlace,
    beside: str | None,
    chosen: Keys | None,
    report: Report,
) -> tuple[Keys, KeyNote]:
    """The key of a slot: the chosen one, the one that an env file holds, or a new one."""
    held = files.held(files.path(made.config.environment, identity.name), place.slot)
    wanted = Place(active=place.active, beside=beside, disposable=made.config.disposable)
    keys, new = ensure_key(maker, made.store, made.name(identity), held.keys if held else chosen, wanted)
    made_now = new and made.config.credentials != "static"
    note = KeyNote(place.slot, datetime.now(UTC) if made_now else held.note.made if held else None)
    state = "created" if new else "in place" if place.active else "switched off"
    report(f"identity {made.name(identity)}", f"key {keys.hint} {state}")
    return keys, note


def _empty_slot(made: plan.Plan, maker: Credentials, identity: Identity, slots: Slots, report: Report) -> None:
    """Delete the key that an env file still holds for the slot that shall be empty."""
    held = files.held(files.path(made.config.environment, identity.name), slots.other)
    if held:
        maker.delete_key(made.store, made.name(identity), held.keys.access_key_id)
        report(f"identity {made.name(identity)}", f"key {held.keys.hint} deleted")


def _outcome(created: bool, changed: tuple[str, ...]) -> str:  # noqa: FBT001  # two facts of one result
    if created:
        return "created"
    return f"changed {', '.join(changed)}" if changed else "unchanged"
