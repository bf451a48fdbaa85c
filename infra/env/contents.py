"""Count the contents of an environment's buckets with the access keys in its env files, without admin keys."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from core.storage import StorageError, get_s3_client
from infra.config.environment import EnvironmentConfig
from infra.config.identities import ROLES, Role
from infra.env import files
from infra.errors import InfraError
from infra.stores import contents
from infra.stores.contact import require_s3
from infra.stores.contents import Contents


def count(config: EnvironmentConfig) -> dict[tuple[Role, str], Contents | None]:
    """Return the contents of each bucket that an env file names, by role and name; None: these cannot be counted.

    Each bucket is counted with an access key that may list it.

    Raises:
        UsageError: an env file is not valid, or not private.
    """
    counted: dict[tuple[Role, str], Contents | None] = {}
    for identity in config.names:
        file = files.path(config.environment, identity)
        if not file.exists():
            continue
        settings = files.load(file, config.environment)
        for role, bucket in zip(ROLES, (settings.bucket_in, settings.bucket_out), strict=True):
            if bucket is None or counted.get((role, bucket)):
                continue
            try:
                require_s3(settings, bucket)
                counted[role, bucket] = contents.count_with(get_s3_client(settings), bucket)
            except (ClientError, BotoCoreError, StorageError, InfraError):
                counted[role, bucket] = None
    return counted
