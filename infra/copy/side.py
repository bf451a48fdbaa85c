"""One side of a copy: an environment, as the keys of its `app` reach it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from core.storage import StorageError
from core.storage.settings import Settings, read_env_file
from infra import config as configuration
from infra.cli import exit_code_of
from infra.env import files
from infra.errors import InfraError, UnreachableError, UsageError
from infra.identities import ROLES, Role

_APP = "app"


@dataclass(frozen=True)
class Side:
    """An environment with the settings of `app`, which hold keys and both buckets."""

    environment: str
    settings: Settings
    #: Whether its objects are encrypted with a KMS key, so that their ETags are no MD5.
    kms: bool = False

    def bucket(self, role: Role) -> str:
        """The name of the bucket."""
        return self.settings.bucket(role)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Have errors of the store say which environment they are about."""
        try:
            yield
        except StorageError as error:
            kind = next(one for one in _ERRORS if one.exit_code == exit_code_of(error))
            raise kind(f"{self.environment}: {error}") from error


_ERRORS = (InfraError, UsageError, UnreachableError)


def read(environment: str) -> Side:
    """The side that the env file of `app` describes. Nothing is asked of the store.

    Raises:
        UsageError: there is no such environment, or its env file is missing, open to others, or without keys
            or a bucket.
        StorageConfigError: the env file cannot be read.
    """
    config = configuration.load(environment)
    file = files.path(environment, _APP)
    if not file.exists():
        raise UsageError(_missing(config, file))
    files.require_private(file)
    settings = Settings.from_env(read_env_file(file))
    for role in ROLES:
        if (settings.bucket_in if role == "in" else settings.bucket_out) is None:
            raise UsageError(
                f"{files.short(file)} names no {role} bucket; deploy {environment} again to make it anew"
            )
    if settings.secret_access_key is None:
        raise UsageError(
            f"environment {environment} has no keys in {files.short(file)}, and a copy takes those of {_APP} on "
            "both sides; deploy it with `credentials` that make keys"
        )
    endpoint = settings.endpoint_url and settings.endpoint_url.rstrip("/")
    return Side(environment, replace(settings, endpoint_url=endpoint), kms=config.encryption != "aes256")


def _missing(config: configuration.EnvironmentConfig, file: Path) -> str:
    if _APP not in config.names:
        return (
            f"environment {config.environment} has no identity {_APP}, whose keys a copy takes; add it and deploy"
        )
    return f"{files.short(file)} is missing; make it with `make up` or `pulumi up -s {config.environment}`"
