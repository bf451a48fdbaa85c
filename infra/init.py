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
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from core.storage._internal import mask
from infra import leftover, plan
from infra.config import stack_files, stack_yaml
from infra.config.environment import EnvironmentConfig
from infra.config.identities import ROLES, Identity
from infra.config.load import load_environment, read
from infra.config.slots import Slot, SlotKey
from infra.env import files
from infra.env.key_info import KeyInfo
from infra.environment_argument import ENVIRONMENT
from infra.errors import InfraError, UnreachableError
from infra.local.environment_lock import environment_lock
from infra.plan import Plan
from infra.stores import buckets, minio
from infra.stores.access_key import Keys
from infra.stores.buckets import Ensured
from infra.stores.keys import KeyChange, SlotState, apply_key, identity_manager, preview_identity, preview_key
from infra.stores.store import Store

#: Called with a subject, such as "bucket media-in", and its outcome.
Report = Callable[[str, str], None]

#: By kind of credentials, creates an access key with a chosen ID and secret, and returns whether it existed. Other
#: stores generate them.
_PLACE_KEY: Mapping[str, Callable[[Store, str, Keys], bool]] = {"minio": minio.place_key}
_IS_PLACED: Mapping[str, Callable[[Store, str, Keys], bool]] = {"minio": minio.is_placed}
_WOULD_BE = "would be "
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

    def report(subject: str, outcome: str) -> None:
        outcomes[subject] = f"{outcomes[subject]}; {outcome}" if subject in outcomes else outcome
        if not as_json:
            click.echo(f"{subject}: {outcome}")

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
    if not endpoint:
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
    planned = _plan(config, wait)
    for notice in planned.notices:
        report("notice", notice)
    for role in ROLES:
        wanted = planned.buckets[role]
        ensured = (
            buckets.preview(planned.store, wanted)
            if dry_run
            else buckets.ensure(planned.store, wanted, config.environment)
        )
        report(f"bucket {wanted.name}", _outcome(ensured, dry_run=dry_run))
    for identity in config.identities:
        _IdentitySetup(planned, identity, report, dry_run=dry_run).run()
    with suppress(InfraError):  # everything is created by now
        for bucket, sentence in leftover.sentences(planned):
            report(f"bucket {bucket}", sentence)


def _plan(config: EnvironmentConfig, wait: int) -> Plan:
    """Return the plan once the store responds. Any other error, such as a wrong access key, is raised at once."""
    deadline = time.monotonic() + wait
    is_waiting = False
    while True:
        try:
            return plan.make(config)
        except UnreachableError:
            if time.monotonic() >= deadline:
                raise
        if not is_waiting:
            click.echo(f"waiting for the store at {config.endpoint} ({wait} s at most)", err=True)
            is_waiting = True
        time.sleep(_PAUSE)


def _outcome(ensured: Ensured, *, dry_run: bool = False) -> str:
    if ensured.created:
        return _WOULD_BE + "created" if dry_run else "created"
    names = ", ".join(ensured.changed)
    if not names:
        return "unchanged"
    return f"{_WOULD_BE}changed: {names}" if dry_run else f"changed {names}"


class _IdentitySetup:
    """Creates one identity with its access keys and env files, or with `dry_run` reports what it would do."""

    def __init__(self, planned: Plan, identity: Identity, report: Report, *, dry_run: bool) -> None:
        self.plan, self.identity, self.report, self.dry_run = planned, identity, report, dry_run
        self.store, self.config = planned.store, planned.config
        self.name, self.slots = planned.name(identity), planned.config.slots_of(identity.name)
        self.env_file = files.path(self.config.environment, identity.name)
        external = self.config.secrets.external()
        self.manager = identity_manager(self.config.credentials, external)
        self.external = external.get(identity.name)
        self.is_managed_here = self.config.credentials != "static"
        self.would_be = _WOULD_BE if dry_run else ""

    def run(self) -> None:
        """Create what is missing, and report it."""
        self._ensure_identity()
        chosen, other_key_id = self._chosen_key(), None
        texts: dict[Slot, str | None] = {}
        for slot_key in self.slots.access_keys():
            if chosen and not slot_key.primary:
                continue  # the secondary access key is externally managed as well
            key, info = self._key(slot_key, other_key_id, chosen)
            other_key_id = key.access_key_id if key else None
            texts[slot_key.slot] = self._env_file_text(key, info) if key else None
        if not self.slots.rotating:
            self._delete_secondary_key()
        for file, changed in self._write(texts).items():
            self.report(f"env file {file.name}", f"{self.would_be}written" if changed else "unchanged")

    def _ensure_identity(self) -> None:
        policy, change = self.plan.policy(self.identity), None
        if self.is_managed_here:
            change = preview_identity(self.manager, self.store, self.name, policy)
        if not self.dry_run:
            self.manager.ensure_identity(self.store, self.name, policy)
        if change:
            *subject, verb = change.split()
            self.report(f"identity {self.name}", " ".join([*subject, f"{self.would_be}{verb}"]))

    def _env_file_text(self, key: Keys, info: KeyInfo) -> str:
        settings = self.plan.settings(self.identity)
        settings = replace(settings, access_key_id=key.access_key_id, secret_access_key=key.secret_access_key)
        return files.render(settings, self.config.environment, self.identity.name, info)

    def _write(self, texts: Mapping[Slot, str | None]) -> dict[Path, bool]:
        """Write the env files, unless this is a dry run; return by file whether its content changes.

        In a dry run, the text with an access key that does not exist yet is None.
        """
        environment, known = self.config.environment, {slot: text for slot, text in texts.items() if text}
        if not self.dry_run:
            return files.write_all(environment, self.identity.name, self.slots, known)
        by_file = files.by_file(self.env_file, self.slots, dict.fromkeys(texts, "") | known)
        return {file: files.would_change(file, text) for file, text in by_file.items()}

    def _chosen_key(self) -> Keys | None:
        """Return the externally managed access key, which the store then has, unless an env file has another."""
        place_key = _PLACE_KEY.get(self.config.credentials)
        if self.external is None or place_key is None or self.env_file.exists():
            return None
        if self.dry_run:
            is_new = not _IS_PLACED[self.config.credentials](self.store, self.name, self.external)
        else:
            is_new = place_key(self.store, self.name, self.external)
        if is_new:
            self._report_key(self.external, f"{self.would_be}set as configured")
        return self.external

    def _key(
        self, slot_key: SlotKey, other_key_id: str | None, chosen: Keys | None
    ) -> tuple[Keys | None, KeyInfo]:
        """Return the access key for a slot: the one in an env file, the chosen one, or a new one.

        In a dry run, a new one is None.
        """
        stored = files.access_key_in(self.env_file, slot_key.slot)
        wanted = SlotState(active=slot_key.active, other_key_id=other_key_id, disposable=self.config.disposable)
        known = stored.access_key if stored else chosen
        of_slot = self.manager, self.store, self.name, known, wanted
        is_chosen = self.dry_run and known is not None and known == chosen  # the store would have it by now
        planned = KeyChange("unchanged") if is_chosen else preview_key(*of_slot)
        is_new = planned.change == "created"
        key = None if is_new else known
        if not self.dry_run:
            key, is_new = apply_key(*of_slot, planned)
        self._report_deleted(planned)
        change = "created" if is_new else planned.change
        if change == "unchanged":
            self._report_key(key, "unchanged" if slot_key.active else "inactive")
        else:
            self._report_key(key, f"{self.would_be}{change}")
        if is_new and self.is_managed_here:
            return key, KeyInfo(slot_key.slot, datetime.now(UTC))
        return key, KeyInfo(slot_key.slot, stored.info.created if stored else None)

    def _report_deleted(self, planned: KeyChange) -> None:
        if self.is_managed_here:
            for key_id in planned.deleted:
                self.report(f"identity {self.name}", f"key {mask(key_id)} {self.would_be}deleted")

    def _delete_secondary_key(self) -> None:
        """Delete the access key of the slot that is not in use, if an env file has one."""
        if stored := files.access_key_in(self.env_file, self.slots.other):
            if not self.dry_run:
                self.manager.delete_key(self.store, self.name, stored.access_key.access_key_id)
            self._report_key(stored.access_key, f"{self.would_be}deleted")

    def _report_key(self, key: Keys | None, outcome: str) -> None:
        self.report(f"identity {self.name}", " ".join(["key", *([key.masked] if key else []), outcome]))
