"""The administrator's key of the store: generated once, and kept as long as the data."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path

from infra.errors import InfraError
from infra.local import _files

_LETTERS = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class AdminKey:
    """The key with every right on the store."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


def ensure(path: Path) -> AdminKey:
    """The key kept in `path` (mode 0600), generated when there is none.

    Raises:
        InfraError: the file is there but holds no key. It is not replaced: Pulumi's state may know the old one.
    """
    key = read(path)
    if key is not None:
        return key
    if path.exists():
        raise InfraError(f"{path} holds no key; restore it, or delete it to have a new key generated")
    key = AdminKey("MPRS" + "".join(secrets.choice(_LETTERS) for _ in range(16)), secrets.token_urlsafe(30))
    _files.write_json(path, {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key})
    return key


def read(path: Path) -> AdminKey | None:
    """The key kept in `path`, or None."""
    match _files.read_json(path):
        case {"access_key_id": str(key_id), "secret_access_key": str(secret)} if key_id and secret:
            return AdminKey(key_id, secret)
    return None
