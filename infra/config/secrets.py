"""The access keys of a stack's configuration: the administrator's, and externally managed ones.

They come from the environment, or else from secret stack configuration, which only `pulumi` can decrypt:
commands have the environment alone. They are read where they are needed, and no resource of the program has them
as a property. Keys from the environment are therefore in no state file. Keys from the configuration are in it,
encrypted, because Pulumi keeps it as inputs of the default provider (docs/explanation/security.md).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.errors import UsageError
from infra.stores.access_key import AccessKey

_VARIABLE = re.compile(r"MPR_([A-Z][A-Z0-9]+)_(ACCESS_KEY_ID|SECRET_ACCESS_KEY)")


@dataclass(frozen=True)
class Secrets:
    """The secret settings of one environment. Immutable."""

    #: Values of the stack configuration under bare names, decrypted.
    values: Mapping[str, object] = field(default_factory=dict, repr=False)

    def admin(self) -> AccessKey | None:
        """Return the administrator's access key; None if there is none.

        Raises:
            UsageError: half of it is missing, or it holds a character that no access key has.
        """
        return _keys("ADMIN", self.values.get("adminAccessKeyId"), self.values.get("adminSecretAccessKey"))

    def external(self) -> dict[str, AccessKey]:
        """Return the externally managed access keys, by identity, for ``credentials: static``.

        Raises:
            UsageError: as `admin`.
        """
        configured = _mapping(self.values.get("keys") or {})
        variables = {match[1].lower() for name in os.environ if (match := _VARIABLE.fullmatch(name))}
        found = {}
        for identity in sorted({*map(str, configured), *variables} - {"admin"}):
            pair = configured.get(identity)
            pair = pair if isinstance(pair, Mapping) else {}
            keys = _keys(identity.upper(), pair.get("accessKeyId"), pair.get("secretAccessKey"))
            if keys:
                found[identity] = keys
        return found


def _mapping(value: object) -> Mapping[str, object]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise UsageError("mpr-storage:keys must be a mapping from identities to keys") from None
    return value if isinstance(value, Mapping) else {}


def _keys(owner: str, configured_id: object, configured_secret: object) -> AccessKey | None:
    names = f"MPR_{owner}_ACCESS_KEY_ID", f"MPR_{owner}_SECRET_ACCESS_KEY"
    pair = [os.environ.get(name) for name in names]
    if not any(pair):
        pair = [str(value) if value else None for value in (configured_id, configured_secret)]
    # A secret that was mounted as a file often ends in a newline.
    key_id, secret = ((value or "").strip() for value in pair)
    if not f"{key_id}{secret}".isascii() or not f"{key_id}{secret}".isprintable():
        raise UsageError(f"{names[0]} or {names[1]} holds a character that no access key has; copy it again")
    if key_id and secret:
        return AccessKey(key_id, secret)
    if key_id or secret:
        raise UsageError(
            f"{names[0]} and {names[1]} must be set together, in the environment, or for `pulumi` alone, which "
            "can decrypt them, in the stack configuration"
        )
    return None
