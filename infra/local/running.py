"""The embedded store that runs, found. The Pulumi program asks this at every preview, so it imports little."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from infra.local import _health, _keys, _ports, _state
from infra.local._keys import AdminKey
from infra.local._layout import Layout, local_folder
from infra.local._state import State


@dataclass(frozen=True)
class EmbeddedStore:
    """A running store."""

    endpoint: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    pid: int


def find(root: Path | None = None) -> EmbeddedStore | None:
    """The store of `root` if its server runs and answers, else None. Takes milliseconds and starts nothing."""
    layout = Layout(root or local_folder())
    state = _state.read(layout.state)
    if state is None or not state.process.is_alive():
        return None
    key = _keys.read(layout.admin)
    return described(state, key) if key is not None and _health.answers(state.s3_port) else None


def described(state: State, key: AdminKey) -> EmbeddedStore:
    """The server of this record, and its administrator."""
    endpoint = f"http://{_ports.HOST}:{state.s3_port}"
    return EmbeddedStore(endpoint, key.access_key_id, key.secret_access_key, state.process.pid)
