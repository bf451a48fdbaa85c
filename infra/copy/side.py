"""The source or the target of a copy: an environment, accessed with the access key of `app`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from core.storage import StorageError
from core.storage.settings import Settings
from infra.config.identities import ROLES, Role
from infra.config.load import load_environment
from infra.config.stack_files import short
from infra.env import files
from infra.errors import UsageError
from infra.stores.contact import require_s3

_APP = "app"


@dataclass(frozen=True)
class Side:
    """An environment with the settings of `app`: its access key and both buckets."""

    environment: str
    settings: Settings
    #: Whether its objects are encrypted with a KMS key, so that their ETags are not MD5.
    kms: bool = False

    def bucket(self, role: Role) -> str:
        """Return the name of the bucket."""
        return self.settings.bucket(role)

    def require_store(self) -> None:
        """Refuse what is not a store, or does not respond within 5 seconds.

        Raises:
            UnreachableError: there is no response.
            StorageError: the server is not a store.
        """
        with self.named_in_errors():
            require_s3(self.settings, self.bucket("in"))

    @contextmanager
    def named_in_errors(self) -> Iterator[None]:
        """Put the name of the environment at the start of the messages of the library's errors."""
        try:
            yield
        except StorageError as error:
            raise type(error)(f"{self.environment}: {error}", code=error.code) from error


def read(environment: str) -> Side:
    """Return the side that the env file of `app` describes, without a request to the store.

    Raises:
        UsageError: the environment does not exist, or its env file is missing, open to other users, or without
            an access key or a bucket.
        StorageConfigError: the env file cannot be read.
    """
    config = load_environment(environment)
    file = files.path(environment, _APP)
    if _APP not in config.names:
        raise UsageError(
            f"environment {environment} has no identity {_APP}, whose access key a copy uses; add it and deploy"
        )
    settings = files.load(file, environment)
    for role in ROLES:
        if (settings.bucket_in if role == "in" else settings.bucket_out) is None:
            raise UsageError(
                f"{short(file)} names no {role} bucket; deploy {environment} again, which writes the file"
            )
    if settings.secret_access_key is None:
        raise UsageError(
            f"environment {environment} has no keys in {short(file)}, and a copy takes those of {_APP} on "
            "both sides; deploy it with `credentials` that create keys"
        )
    endpoint = settings.endpoint_url and settings.endpoint_url.rstrip("/")
    return Side(environment, replace(settings, endpoint_url=endpoint), kms=config.encryption != "aes256")
