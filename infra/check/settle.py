"""Wait for a new access key, which a cloud does not accept everywhere at once."""

from __future__ import annotations

import time

import click
from botocore.exceptions import ClientError

from core.storage import get_s3_client
from core.storage.settings import Settings
from infra.config.identities import Identity
from infra.stores.codes import means
from infra.targets.registry import TARGETS

#: Seconds between two attempts.
_PAUSE = 2.0


def wait_until_known(target: str, identity: Identity, settings: Settings) -> None:
    """Wait until the cloud allows the identity a request, or the target's time for that is over.

    Prints a line if it waits. Whether the access key is right is left to the probes.
    """
    seconds = TARGETS[target].settles_within
    if seconds == 0 or _is_known(identity, settings):
        return
    click.echo(
        f"waiting until {target} knows the key of {identity.name} everywhere ({seconds} s at most)", err=True
    )
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not _is_known(identity, settings):
        time.sleep(_PAUSE)


def _is_known(identity: Identity, settings: Settings) -> bool:
    role = next(iter(identity.rights))
    prefix = next(iter(identity.prefixes.get(role, ())), "")
    try:
        get_s3_client(settings).list_objects_v2(Bucket=settings.bucket(role), Prefix=prefix, MaxKeys=1)
    except ClientError as error:
        return not means(error, "wrong access key", "access denied")
    return True
