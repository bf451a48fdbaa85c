"""The store of an environment, with its administrator's keys, and keys that somebody else made.

Keys come from the environment, or from secret stack configuration, or for the embedded store from the file
that it keeps. They are looked up wherever they are needed and never become part of a resource, so that no
state file holds them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping

from infra.config import EMBEDDED
from infra.errors import UnreachableError, UsageError
from infra.stores.store import Keys, Store

_KEY_VARIABLE = re.compile(r"MPR_([A-Z][A-Z0-9]+)_(ACCESS_KEY_ID|SECRET_ACCESS_KEY)")
_EMBEDDED_IS_DOWN = "the embedded store is not running; start it with `python -m infra store start` (or `make up`)"
_NO_ADMIN = (
    "no admin keys for {endpoint}: set MPR_ADMIN_ACCESS_KEY_ID and MPR_ADMIN_SECRET_ACCESS_KEY in the "
    "environment, or the secrets mpr-storage:adminAccessKeyId and mpr-storage:adminSecretAccessKey "
    "(`pulumi config set --secret`)"
)


def connect(endpoint: str, region: str, values: Mapping[str, object]) -> Store:
    """The store at `endpoint`, or the embedded one.

    Args:
        endpoint: as configured: a URL, or ``embedded``.
        region: the region to sign for.
        values: the stack configuration under bare names, decrypted.

    Raises:
        UnreachableError: the embedded store is not running.
        UsageError: no admin keys are to be had.
    """
    if endpoint == EMBEDDED:
        return _embedded(region)
    admin = _keys("ADMIN", values.get("adminAccessKeyId"), values.get("adminSecretAccessKey"))
    admin = admin or next(iter(given_keys(values).values()), None)
    if admin is None:
        raise UsageError(_NO_ADMIN.format(endpoint=endpoint))
    return Store(endpoint, region, admin)


def given_keys(values: Mapping[str, object]) -> dict[str, Keys]:
    """The keys that somebody else made, by identity, for ``credentials: static``."""
    configured = values.get("keys") or {}
    if isinstance(configured, str):
        configured = _decoded(configured)
    if not isinstance(configured, Mapping):
        configured = {}
    in_environment = {match[1].lower() for name in os.environ if (match := _KEY_VARIABLE.fullmatch(name))}
    found = {}
    for identity in sorted({*map(str, configured), *in_environment} - {"admin"}):
        pair = configured.get(identity)
        pair = pair if isinstance(pair, Mapping) else {}
        keys = _keys(identity.upper(), pair.get("accessKeyId"), pair.get("secretAccessKey"))
        if keys:
            found[identity] = keys
    return found


def _embedded(region: str) -> Store:
    from infra.local.running import find  # noqa: PLC0415  # only environments of this machine need it

    running = find()
    if running is None:
        raise UnreachableError(_EMBEDDED_IS_DOWN)
    return Store(running.endpoint, region, Keys(running.access_key_id, running.secret_access_key))


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise UsageError("mpr-storage:keys must be a mapping from identities to keys") from None


def _keys(owner: str, configured_id: object, configured_secret: object) -> Keys | None:
    names = f"MPR_{owner}_ACCESS_KEY_ID", f"MPR_{owner}_SECRET_ACCESS_KEY"
    found = [os.environ.get(name) for name in names]
    if not any(found):
        found = [str(one) if one else None for one in (configured_id, configured_secret)]
    # A secret that was mounted as a file often ends in a newline.
    key_id, secret = ((one or "").strip() for one in found)
    if not f"{key_id}{secret}".isascii() or not f"{key_id}{secret}".isprintable():
        raise UsageError(f"{names[0]} or {names[1]} holds a character that no key has; copy it again")
    if key_id and secret:
        return Keys(key_id, secret)
    if key_id or secret:
        raise UsageError(f"{names[0]} and {names[1]} must be set together (or both in the stack configuration)")
    return None
