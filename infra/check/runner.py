"""Running the probes for every identity of an environment, and what came of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.error import URLError

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004  # botocore's

from core.storage import StorageConfigError
from core.storage.settings import Settings, read_env_file
from infra.check import probes
from infra.check.probes import Probe, Subject
from infra.check.role import with_keys
from infra.check.settle import wait_until_known
from infra.config import EnvironmentConfig
from infra.connection import connect, given_keys
from infra.env import files
from infra.errors import InfraError, UnreachableError, UsageError
from infra.identities import ROLES, Identity, Role
from infra.stores import buckets
from infra.stores.empty import delete_everything
from infra.stores.store import WRONG_KEY, Store, code_of, explained


@dataclass(frozen=True)
class Finding:
    """One probe of one identity."""

    identity: str
    #: The bucket's role, ``other bucket``, or ``store``.
    where: str
    probe: str
    expected: bool
    #: None: neither yes nor no; `error` says what happened.
    allowed: bool | None
    error: str = ""

    @property
    def surprise(self) -> bool:
        """Whether the store did not answer as it must."""
        return self.allowed is not self.expected

    def as_dict(self) -> dict[str, object]:
        """For ``--json``."""
        return asdict(self) | {"surprise": self.surprise}


def run(
    config: EnvironmentConfig, values: Mapping[str, object], beside: Mapping[str, Path] | None = None
) -> Iterator[Finding]:
    """Try everything with the env file of each identity; findings come as they are made.

    Args:
        config: the environment.
        values: its stack configuration under bare names.
        beside: other env files to try, by identity, instead of those of all.

    Raises:
        UsageError: an env file is missing, or its keys are not accepted.
        UnreachableError: the store does not answer.
    """
    of_each = beside or {name: files.path(config.environment, name) for name in config.names}
    tried = [one for one in config.identities if one.name in of_each]
    settings = {name: with_keys(_settings(config, file), name) for name, file in of_each.items()}
    admin = _admin_store(config, values)
    with _foreign_bucket(admin) as foreign:
        for identity in tried:
            found = settings[identity.name]
            with _explained(identity.name, found):
                wait_until_known(config.target, identity, found)
                yield from _of_identity(identity, found, _buckets(config, settings.values()), foreign, admin)


def _of_identity(
    identity: Identity, settings: Settings, buckets: Mapping[Role, str], foreign: str | None, admin: Store | None
) -> Iterator[Finding]:
    known = frozenset(buckets.values())
    for role, bucket in buckets.items():
        rights, prefixes = identity.rights.get(role, frozenset()), identity.prefixes.get(role, ())
        for prefix in prefixes or ("",):
            subject = Subject(settings, bucket, known, prefix)
            yield from _try(identity, f"{role} {prefix}".strip(), probes.ON_EACH_BUCKET, subject, admin, rights)
        if prefixes:
            beside = Subject(settings, bucket, known, probes.beside())
            yield from _try(identity, f"{role} elsewhere", probes.BESIDE_PREFIXES, beside, admin)
    if foreign:
        subject = Subject(settings, foreign, known)
        yield from _try(identity, "other bucket", probes.OUT_OF_REACH, subject, admin)
    anywhere = next(iter(buckets.values()))
    yield from _try(identity, "store", probes.ON_THE_STORE, Subject(settings, anywhere, known), admin)


def _buckets(config: EnvironmentConfig, settings: Iterable[Settings]) -> dict[Role, str]:
    """The buckets by role: as configured, or where Pulumi chose the name, as the env files say."""
    found: dict[Role, str] = {}
    for role in ROLES:
        there = (one.bucket_in if role == "in" else one.bucket_out for one in settings)
        if name := config.bucket(role).name or next(filter(None, there), None):
            found[role] = name
    return found


def _try(
    identity: Identity,
    where: str,
    rows: tuple[Probe, ...],
    subject: Subject,
    admin: Store | None,
    rights: frozenset[str] = frozenset(),
) -> Iterator[Finding]:
    try:
        for probe in rows:
            allowed, error = _attempt(probe, subject)
            yield Finding(identity.name, where, probe.name, probe.right in rights, allowed, error)
    finally:
        _clean_up(subject, admin, may_delete="write" in rights)


def _clean_up(subject: Subject, admin: Store | None, *, may_delete: bool) -> None:
    """Remove what the probes left, also what they should not have been able to make.

    The administrator can remove versions and buckets; without one, the identity removes what it may.
    """
    if admin is not None:
        delete_everything(admin.s3, subject.bucket, subject.key)
        buckets.delete(admin, subject.new_bucket, with_content=True)
    elif may_delete:
        probes.clean_up(subject)


def _attempt(probe: Probe, subject: Subject) -> tuple[bool | None, str]:
    try:
        return probes.attempt(probe, subject), ""
    except ClientError as error:
        code = code_of(error)
        if code in _REFUSED:
            raise
        return None, code


def _settings(config: EnvironmentConfig, file: Path) -> Settings:
    if not file.exists():
        raise UsageError(f"{file.name} is missing; make it with `make up` or `pulumi up -s {config.environment}`")
    try:
        found = Settings.from_env(read_env_file(file))
    except StorageConfigError as error:
        raise UsageError(f"{file.name} cannot be used: {error}") from error
    files.require_private(file)
    return found


@contextmanager
def _foreign_bucket(admin: Store | None) -> Iterator[str | None]:
    """A bucket that no identity has a right on, for as long as the check runs; None without admin keys."""
    if admin is None:
        yield None
        return
    name = f"mpr-probe-{secrets.token_hex(8)}"
    with explained(admin, "making a bucket that nobody may touch"):
        admin.s3.create_bucket(Bucket=name)
    try:
        yield name
    finally:
        buckets.delete(admin, name, with_content=True)


def _admin_store(config: EnvironmentConfig, values: Mapping[str, object]) -> Store | None:
    """The store with its administrator's keys, if they are at hand: whoever checks need not be one."""
    if config.endpoint is None:
        return None  # a cloud, where the deployment's own credentials are of another kind
    try:
        store = connect(config.endpoint, config.region, values)
    except UsageError:
        return None
    return None if store.admin in given_keys(values).values() else store


@contextmanager
def _explained(identity: str, settings: Settings) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        raise InfraError(_REFUSED.get(code, "{identity}: {code}").format(identity=identity, code=code)) from error
    except (ConnectionError, HTTPClientError, URLError) as error:
        raise UnreachableError(
            f"{identity}: no useful answer from {settings.endpoint_url or 'AWS'} ({error})"
        ) from error


_WRONG_KEY = "the key in the env file of {identity} is not accepted ({code}); deploy again to get a working one"
_REFUSED = {
    **dict.fromkeys(WRONG_KEY, _WRONG_KEY),
    "RequestTimeTooSkewed": "this machine's clock differs too much from the store's; set the clock right",
    "NoSuchBucket": "a bucket of {identity} does not exist; deploy again to create it",
}
