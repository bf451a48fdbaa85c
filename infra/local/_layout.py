"""Where the embedded store keeps its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from infra import config


def local_folder() -> Path:
    """The folder `.local` of the project, which git ignores: all that belongs to this machine alone."""
    return config.ROOT / ".local"


@dataclass(frozen=True)
class Layout:
    """The paths of one store, all inside its private folder `<root>/store`."""

    root: Path

    @property
    def folder(self) -> Path:
        """Everything below belongs to the store alone; mode 0700."""
        return self.root.absolute() / "store"

    @property
    def data(self) -> Path:
        """Objects, metadata and users: all that must outlive the process."""
        return self.folder / "data"

    @property
    def config(self) -> Path:
        """The server's working and home directory, with the settings files that it reads."""
        return self.folder / "config"

    @property
    def log(self) -> Path:
        """What the running server, or the last one, wrote; the one before it ends in `.old`."""
        return self.folder / "store.log"

    @property
    def admin(self) -> Path:
        """The administrator's key, made once; mode 0600."""
        return self.folder / "admin.json"

    @property
    def state(self) -> Path:
        """Which process serves the data, and on which ports."""
        return self.folder / "state.json"

    @property
    def lock(self) -> Path:
        """Held by whoever starts, stops or removes the store."""
        return self.folder / "lock"
