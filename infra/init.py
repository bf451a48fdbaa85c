"""`python -m infra init`: buckets, identities and env files on a store, without Pulumi. Idempotent.

What a one-shot `minio-init` container did, over the same functions and the same configuration as the Pulumi
program. A later `pulumi up` adopts what it made, keys included.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import click

from infra import config as configuration
from infra import plan
from infra.config import EnvironmentConfig
from infra.connection import given_keys
from infra.env import files, placing
from infra.env.key_note import KeyNote
from infra.identities import ROLES, Identity
from infra.slots import KeyPlace, Slot, Slots
from infra.stores import buckets
from infra.stores.keys import Credentials, Place, credentials, ensure_key
from infra.stores.store import Keys

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
    name, slots = made.name(identity), made.config.slots_of(identity.name)
    maker.ensure_identity(made.store, name, made.policy(identity))
    texts: dict[Slot, str] = {}
    beside = None
    for place in slots.places():
        keys, note = _key(made, maker, identity, place, beside, report)
        beside = keys.access_key_id
        settings = replace(
            made.settings(identity), access_key_id=keys.access_key_id, secret_access_key=keys.secret_access_key
        )
        texts[place.slot] = files.render(settings, made.config.environment, identity.name, note)
    if not slots.rotating:
        _empty_slot(made, maker, identity, slots, report)
    for file, changed in placing.place(made.config.environment, identity.name, slots, texts).items():
        report(f"env file {file.name}", "written" if changed else "unchanged")


def _key(
    made: plan.Plan, maker: Credentials, identity: Identity, place: KeyPlace, beside: str | None, report: Report
) -> tuple[Keys, KeyNote]:
    """The key of a slot: the one that an env file holds, or a new one."""
    held = files.held(files.path(made.config.environment, identity.name), place.slot)
    wanted = Place(active=place.active, beside=beside, disposable=made.config.disposable)
    keys, new = ensure_key(maker, made.store, made.name(identity), held and held.keys, wanted)
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
