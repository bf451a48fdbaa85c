"""The store of an environment, with its administrator's access key."""

from __future__ import annotations

from collections.abc import Mapping

from core.storage.settings import Settings
from infra.command_name import COMMAND
from infra.config.environment import EMBEDDED, AddressingStyle, EnvironmentConfig
from infra.config.secrets import Secrets
from infra.errors import UnreachableError, UsageError
from infra.stores.store import Store

_NOT_RUNNING = f"the embedded store is not running; start it with `{COMMAND} store start` (or `make up`)"
_NO_ADMIN = (
    "no admin keys for {endpoint}: set MPR_ADMIN_ACCESS_KEY_ID and MPR_ADMIN_SECRET_ACCESS_KEY in the "
    "environment, or for `pulumi` alone, which can decrypt them, the secrets mpr-storage:adminAccessKeyId and "
    "mpr-storage:adminSecretAccessKey"
)


def connect(
    endpoint: str, region: str, secrets: Secrets, addressing_style: AddressingStyle | None = None
) -> Store:
    """Return the store at `endpoint`, or the embedded one.

    Args:
        endpoint: as configured: a URL, or ``embedded``.
        region: the region to sign for.
        secrets: the access keys of the stack's configuration.
        addressing_style: as configured.

    Raises:
        UnreachableError: the embedded store is not running.
        UsageError: there are no admin keys.
    """
    if endpoint == EMBEDDED:
        from infra.local.running import find  # noqa: PLC0415  # only environments of this machine need it

        if running := find():
            return Store(running.endpoint, region, running.admin)
        raise UnreachableError(_NOT_RUNNING)
    admin = secrets.admin() or next(iter(secrets.external().values()), None)
    if admin is None:
        raise UsageError(_NO_ADMIN.format(endpoint=endpoint))
    return Store(endpoint, region, admin, addressing_style)


def require_embedded(config: EnvironmentConfig, settings: Mapping[str, Settings]) -> None:
    """Refuse env files of another store than the embedded one, if that is the store of the environment.

    After a start at another port, another server may respond at the old one.

    Args:
        config: the environment.
        settings: the settings in the env file of each identity.

    Raises:
        UnreachableError: the embedded store is not running.
        UsageError: it runs at another address than an env file has.
    """
    if config.endpoint != EMBEDDED:
        return
    running = connect(EMBEDDED, config.region, config.secrets).endpoint
    for identity, own in settings.items():
        if own.endpoint_url != running:
            raise UsageError(
                f"the embedded store runs at {running}, and the env file of {identity} names {own.endpoint_url}: "
                f"`{COMMAND} up {config.environment}` writes it again"
            )
