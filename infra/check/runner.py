"""Run the probes of every identity of an environment."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004  # botocore's

from core.storage.settings import Settings
from infra.check import probes
from infra.check.probes import Probe, Scope
from infra.check.role import with_keys
from infra.check.settle import wait_until_known
from infra.command_name import COMMAND
from infra.config.environment import EnvironmentConfig
from infra.config.identities import ROLES, Identity, Role
from infra.connection import connect, require_embedded
from infra.env import files
from infra.env.bucket_names import bucket_names
from infra.errors import InfraError, UnreachableError, UsageError
from infra.stores import buckets
from infra.stores.codes import Suppress, code_of, means
from infra.stores.contact import require_s3
from infra.stores.empty import delete_everything
from infra.stores.kinds import Meaning
from infra.stores.store import Store, explained

_LONGEST_CHECK = timedelta(hours=1)
#: The errors that end a check, by what the store's error code means.
_ERRORS: Mapping[Meaning, str] = {
    "wrong access key": (
        "the access key in the env file of {identity} is not accepted ({code}); deploy again to get a working one"
    ),
    "clock skew": "this machine's clock differs too much from the store's; correct the clock",
    "no bucket": "a bucket of {identity} does not exist; deploy again to create it",
}


@dataclass(frozen=True)
class Finding:
    """The result of one probe of one identity."""

    identity: str
    #: The bucket's role and the prefix, ``other bucket`` or ``store``.
    where: str
    probe: str
    expected: bool
    #: None if the store neither allowed nor denied it; `error` is then its error code.
    allowed: bool | None
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether the store allowed or denied something else than it must."""
        return self.allowed is not self.expected

    @property
    def result(self) -> str:
        """The result in one word."""
        return self.error or ("allowed" if self.allowed else "denied")

    def as_dict(self) -> dict[str, object]:
        """Return the finding for ``--json``."""
        return asdict(self) | {"failed": self.failed, "surprise": self.failed}  # the second: its earlier name


def run(config: EnvironmentConfig, env_files: Mapping[str, Path] | None = None) -> Iterator[Finding]:
    """Yield the results of the probes with the env file of each identity.

    Args:
        config: the environment.
        env_files: the identities to check and their env files, if not those of the environment.

    Raises:
        UsageError: an env file is missing, or cannot be used.
        UnreachableError: the store does not respond.
        InfraError: the store does not accept an access key, or a bucket does not exist.
    """
    env_files = env_files or {name: files.path(config.environment, name) for name in config.names}
    settings = {name: with_keys(files.load(file, config.environment), name) for name, file in env_files.items()}
    require_embedded(config, settings)
    for name, own in settings.items():
        _require_configured_buckets(config, name, own)
        require_s3(own, own.bucket_in or own.bucket_out or "")
    admin = _admin_store(config)
    with _foreign_bucket(admin) as foreign:
        for identity in config.identities:
            if identity.name in settings:
                own = settings[identity.name]
                with _explained(identity.name, own):
                    wait_until_known(config.target, identity, own)
                    yield from _of_identity(identity, own, bucket_names(config, settings.values()), foreign, admin)


def _require_configured_buckets(config: EnvironmentConfig, identity: str, settings: Settings) -> None:
    """Refuse an env file of before a bucket got another name: the check would try the bucket that stays behind."""
    for role, written in zip(ROLES, (settings.bucket_in, settings.bucket_out), strict=True):
        configured = config.bucket(role).name
        if configured and written and written != configured:
            raise UsageError(
                f"the env file of {identity} names bucket {written}, and the configuration {configured}: "
                f"`{COMMAND} env {config.environment} --check` shows what differs"
            )


def _of_identity(
    identity: Identity, settings: Settings, buckets: Mapping[Role, str], foreign: str | None, admin: Store | None
) -> Iterator[Finding]:
    known = frozenset(buckets.values())
    for role, bucket in buckets.items():
        rights, prefixes = identity.rights.get(role, frozenset()), identity.prefixes.get(role, ())
        for prefix in prefixes or ("",):
            scope = Scope(settings, bucket, known, prefix)
            yield from _try(identity, f"{role} {prefix}".strip(), probes.ON_EACH_BUCKET, scope, admin, rights)
        if prefixes:
            scope = Scope(settings, bucket, known, probes.elsewhere())
            yield from _try(identity, f"{role} elsewhere", probes.OUTSIDE_PREFIXES, scope, admin)
    if foreign:
        yield from _try(identity, "other bucket", probes.OUT_OF_REACH, Scope(settings, foreign, known), admin)
    scope = Scope(settings, next(iter(buckets.values())), known)
    yield from _try(identity, "store", probes.ON_THE_STORE, scope, admin)


def _try(
    identity: Identity,
    where: str,
    rows: tuple[Probe, ...],
    scope: Scope,
    admin: Store | None,
    rights: frozenset[str] = frozenset(),
) -> Iterator[Finding]:
    try:
        for probe in rows:
            result = probes.attempt(probe, scope)
            allowed, error = (None, result) if isinstance(result, str) else (result, "")
            yield Finding(identity.name, where, probe.name, probe.right in rights, allowed, error)
    finally:
        _clean_up(scope, admin, may_delete="write" in rights)


def _clean_up(scope: Scope, admin: Store | None, *, may_delete: bool) -> None:
    """Delete everything that the probes created, also what they should not have been allowed to create.

    The administrator can delete versions and buckets. Without its access key, the identity deletes what it may.
    """
    if admin is not None:
        doing = f"deleting the objects of the probes in {scope.bucket}"
        with explained(admin, doing), Suppress("no bucket"):  # then the probes fail as well, and say so
            delete_everything(admin.s3, scope.bucket, scope.key)
        buckets.delete(admin, scope.new_bucket, with_content=True)
    elif may_delete:
        probes.clean_up(scope)


@contextmanager
def _foreign_bucket(admin: Store | None) -> Iterator[str | None]:
    """Create a bucket on which no identity has a right, and delete it afterwards; None without admin keys."""
    if admin is None:
        yield None
        return
    name = f"mpr-probe-{secrets.token_hex(8)}"
    with explained(admin, "looking for buckets of killed checks"):
        for bucket in _of_killed_checks(admin):
            buckets.delete(admin, bucket, with_content=True)
    try:
        with explained(admin, "creating a bucket for probes that must be denied"):
            admin.s3.create_bucket(Bucket=name)
        yield name
    finally:
        buckets.delete(admin, name, with_content=True)


def _of_killed_checks(admin: Store) -> Iterator[str]:
    """Yield the buckets of checks that were killed, or whose store stopped, before they deleted them."""
    with Suppress("access denied"):
        for bucket in admin.s3.list_buckets()["Buckets"]:
            is_old = datetime.now(UTC) - bucket["CreationDate"] > _LONGEST_CHECK
            if is_old and re.fullmatch(r"mpr-probe-[0-9a-f]{16}", bucket["Name"]):
                yield bucket["Name"]


def _admin_store(config: EnvironmentConfig) -> Store | None:
    """Return the store with its administrator's access key, or None without that."""
    if config.endpoint is None:
        return None  # a cloud, where the deployment's own credentials are of another kind
    try:
        store = connect(config.endpoint, config.region, config.secrets, config.addressing_style)
    except UsageError:
        return None
    return None if store.admin in config.secrets.external().values() else store


@contextmanager
def _explained(identity: str, settings: Settings) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        sentence = next((row for meaning, row in _ERRORS.items() if means(code, meaning)), "{identity}: {code}")
        raise InfraError(sentence.format(identity=identity, code=code)) from error
    except UnreachableError as error:
        raise UnreachableError(f"{identity}: {error}") from error
    except (ConnectionError, HTTPClientError) as error:
        raise UnreachableError(
            f"{identity}: no useful response from {settings.endpoint_url or 'AWS'} ({error})"
        ) from error
