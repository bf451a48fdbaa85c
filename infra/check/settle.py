"""Waiting for a new key: clouds take a while until every part of them knows it."""

from __future__ import annotations

import time

import click
from botocore.exceptions import ClientError

from core.storage import get_s3_client
from core.storage.settings import Settings
from infra.features import TARGETS
from infra.identities import Identity
from infra.stores.store import DENIED_CODES, code_of

#: Seconds between two tries.
_PAUSE = 2.0
#: How a cloud refuses a key that it does not know everywhere yet, or whose rights it does not.
_NOT_YET = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "Unauthorized", "InvalidSecurity", *DENIED_CODES}


def wait_until_known(target: str, identity: Identity, settings: Settings) -> None:
    """Return once the identity may do what it must be allowed, or the target's time for that is over.

    Says so when it waits. Whether the key works is for the probes to tell.
    """
    seconds = TARGETS[target].settles_within
    if seconds == 0 or _may_list(identity, settings):
        return
    click.echo(
        f"waiting until {target} knows the key of {identity.name} everywhere ({seconds} s at most)", err=True
    )
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not _may_list(identity, settings):
        time.sleep(_PAUSE)


def _may_list(identity: Identity, settings: Settings) -> bool:
    role = next(iter(identity.rights))
    prefix = next(iter(identity.prefixes.get(role, ())), "")
    try:
        get_s3_client(settings).list_objects_v2(Bucket=settings.bucket(role), Prefix=prefix, MaxKeys=1)
    except ClientError as error:
        return code_of(error) not in _NOT_YET
    return True
