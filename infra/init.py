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
from dataclasses import replace
from datetime import UTC, datetime

import click

from infra import plan
from infra.config import stack_files, stack_yaml
from infra.config.environment import EnvironmentConfig
from infra.config.identities import ROLES, Identity
from infra.config.load import load_environment, read
from infra.config.slots import KeyPlace, Slot
from infra.env import files
from infra.env.key_info import KeyInfo
from infra.errors import UnreachableError
from infra.plan import Plan
from infra.stores import buckets, minio
from infra.stores.access_key import Keys
from infra.stores.buckets import Ensured
from infra.stores.keys import SlotState, ensure_key, identity_manager
from infra.stores.store import Store

#: Called with a subject, such as "bucket media-in", and its outcome.
Report = Callable[[str, str], None]

#: By kind of credentials, creates an access key with a chosen ID and secret. Other stores generate them.
_PLACE_KEY: Mapping[str, Callable[[Store, str, Keys], bool]] = {"minio": minio.place_key}
_PAUSE = 1.0  # seconds between two attempts


@click.command()
@click.argument("environment", default="local")
@click.option(
    "--endpoint", metavar="URL", help="The URL of the store from this machine; presigned URLs use it as well."
)
@click.option(
    "--wait", type=click.IntRange(0, 600), default=0, metavar="SECONDS", help="Wait for the store to respond."
)
@click.option("--check", is_flag=True, help="Check at the end what each identity may and may not do.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def init(environment: str, *, endpoint: str | None, wait: int, check: bool, as_json: bool) -> None:
    """Create buckets, identities, keys and env files without Pulumi.

    Changes only what differs from the configuration. The admin keys come from MPR_ADMIN_ACCESS_KEY_ID and
    MPR_ADMIN_SECRET_ACCESS_KEY, or from the embedded store itself. On MinIO, an identity that has no env file gets
    the key in MPR_<IDENTITY>_ACCESS_KEY_ID and MPR_<IDENTITY>_SECRET_ACCESS_KEY, if they are set.
    """
    if check and as_json:
        raise click.UsageError("--json cannot be used with --check: run `check --json` after it")
    config = _configured(environment, endpoint)
    outcomes: dict[str, str] = {}

    def report(subject: str, outcome: str) -> None:
        outcomes[subject] = f"{outcomes[subject]}; {outcome}" if subject in outcomes else outcome
        if not as_json:
            click.echo(f"{subject}: {outcome}")

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


def initialise(config: EnvironmentConfig, report: Report, *, wait: int = 0) -> None:
    """Create the environment, or change what differs. Can be repeated after any interruption.

    Args:
        config: the environment.
        report: called with each outcome.
        wait: seconds within which the store must respond.

    Raises:
        InfraError: something failed; what was created before that stays, and a second call continues.
    """
    planned = _plan(config, wait)
    for notice in planned.notices:
        report("notice", notice)
    for role in ROLES:
        ensured = buckets.ensure(planned.store, planned.buckets[role], config.environment)
        report(f"bucket {planned.buckets[role].name}", _outcome(ensured))
    for identity in config.identities:
        _IdentitySetup(planned, identity, report).run()


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


def _outcome(ensured: Ensured) -> str:
    if ensured.created:
        return "created"
    return f"changed {', '.join(ensured.changed)}" if ensured.changed else "unchanged"


class _IdentitySetup:
    """Creates one identity with its access keys and env files."""

    def __init__(self, planned: Plan, identity: Identity, report: Report) -> None:
        self.plan, self.identity, self.report = planned, identity, report
        self.store, self.config = planned.store, planned.config
        self.name, self.slots = planned.name(identity), planned.config.slots_of(identity.name)
        self.env_file = files.path(self.config.environment, identity.name)
        external = self.config.secrets.external()
        self.manager = identity_manager(self.config.credentials, external)
        self.external = external.get(identity.name)

    def run(self) -> None:
        """Create what is missing, and report it."""
        self.manager.ensure_identity(self.store, self.name, self.plan.policy(self.identity))
        chosen, other_key_id = self._chosen_key(), None
        texts: dict[Slot, str] = {}
        for place in self.slots.places():
            if chosen and not place.current:
                continue  # the secondary access key is externally managed as well
            key, info = self._key(place, other_key_id, chosen)
            other_key_id = key.access_key_id
            texts[place.slot] = self._env_file_text(key, info)
        if not self.slots.rotating:
            self._delete_secondary_key()
        written = files.write_all(self.config.environment, self.identity.name, self.slots, texts)
        for file, changed in written.items():
            self.report(f"env file {file.name}", "written" if changed else "unchanged")

    def _env_file_text(self, key: Keys, info: KeyInfo) -> str:
        settings = self.plan.settings(self.identity)
        settings = replace(settings, access_key_id=key.access_key_id, secret_access_key=key.secret_access_key)
        return files.render(settings, self.config.environment, self.identity.name, info)

    def _chosen_key(self) -> Keys | None:
        """Return the externally managed access key, which the store then has, unless an env file has another."""
        place_key = _PLACE_KEY.get(self.config.credentials)
        if self.external is None or place_key is None or self.env_file.exists():
            return None
        if place_key(self.store, self.name, self.external):
            self._report_key(self.external, "set as configured")
        return self.external

    def _key(self, place: KeyPlace, other_key_id: str | None, chosen: Keys | None) -> tuple[Keys, KeyInfo]:
        """Return the access key for a slot: the one in an env file, the chosen one, or a new one."""
        stored = files.access_key_in(self.env_file, place.slot)
        wanted = SlotState(active=place.active, other_key_id=other_key_id, disposable=self.config.disposable)
        known = stored.access_key if stored else chosen
        key, is_new = ensure_key(self.manager, self.store, self.name, known, wanted)
        self._report_key(key, "created" if is_new else "unchanged" if place.active else "inactive")
        if is_new and self.config.credentials != "static":
            return key, KeyInfo(place.slot, datetime.now(UTC))
        return key, KeyInfo(place.slot, stored.info.created if stored else None)

    def _delete_secondary_key(self) -> None:
        """Delete the access key of the slot that is not in use, if an env file has one."""
        if stored := files.access_key_in(self.env_file, self.slots.other):
            self.manager.delete_key(self.store, self.name, stored.access_key.access_key_id)
            self._report_key(stored.access_key, "deleted")

    def _report_key(self, key: Keys, outcome: str) -> None:
        self.report(f"identity {self.name}", f"key {key.masked} {outcome}")
