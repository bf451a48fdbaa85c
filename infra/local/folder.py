"""The private folder of the embedded store: paths, the administrator's access key, the server's record."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import private_file
from infra.config import stack_files
from infra.errors import InfraError
from infra.local import ports
from infra.local.process import Process
from infra.stores.access_key import AccessKey

_ID_CHARACTERS = string.ascii_uppercase + string.digits


def local_folder() -> Path:
    """Return the folder `.local` of the project, which git ignores: the files of this machine alone."""
    return stack_files.ROOT / ".local"


@dataclass(frozen=True)
class Server:
    """The server that was started last. Its process may have ended."""

    process: Process
    since: float  # seconds since the epoch
    ports: Mapping[str, int]  # by the name of the flag

    @property
    def s3_port(self) -> int:
        """Return the port of S3 and of the IAM API."""
        return self.ports[ports.S3]


class StoreFolder:
    """The folder `<root>/store`, by default of the project's `.local`. Nothing else is in it; its mode is 0700."""

    def __init__(self, root: Path | None = None) -> None:
        self.path = (root or local_folder()).absolute() / "store"
        #: Objects, metadata and users.
        self.data = self.path / "data"
        #: The server's working directory and home, with the settings files that it reads.
        self.config = self.path / "config"
        #: The output of the last server; that of the one before is in `store.log.old`.
        self.log = self.path / "store.log"
        #: Locked by the process that starts, stops or removes the store.
        self.lock = self.path / "lock"
        #: The password of the console, if the last server was started with it.
        self.console_password = self.path / "console.password"
        self._admin = self.path / "admin.json"
        self._server = self.path / "state.json"

    def create(self) -> None:
        """Create the folders, and the one that has them, for this user alone.

        Raises:
            UsageError: the folder cannot be written.
        """
        private_file.make_folders(self.path.parent, self.path, self.data, self.config)

    def admin(self) -> AccessKey | None:
        """Return the administrator's access key, or None if there is none."""
        match _read(self._admin):
            case {"access_key_id": str(key_id), "secret_access_key": str(secret)} if key_id and secret:
                return AccessKey(key_id, secret)
        return None

    def ensure_admin(self) -> AccessKey:
        """Return the administrator's access key; generate it if there is no file.

        Raises:
            InfraError: the file holds no access key. It is not replaced: Pulumi's state may hold the old one.
        """
        if key := self.admin():
            return key
        if self._admin.exists():
            raise InfraError(
                f"{self._admin} holds no access key; restore the file, or delete it to generate a new access key"
            )
        key_id = "MPRS" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(16))
        key = AccessKey(key_id, secrets.token_urlsafe(30))
        _write(self._admin, {"access_key_id": key_id, "secret_access_key": key.secret_access_key})
        return key

    def record_console_password(self, password: str | None) -> None:
        """Write the password to its file; None: remove the file, because the console is off."""
        if password is None:
            self.console_password.unlink(missing_ok=True)
        else:
            private_file.write(self.console_password, f"{password}\n")

    def server(self) -> Server | None:
        """Return the recorded server, or None if there is no valid record."""
        match _read(self._server):
            case {"pid": int(pid), "began": str(began), "since": float() | int() as since, "ports": dict(numbers)}:
                if all(isinstance(numbers.get(name), int) for name in ports.NAMES):
                    return Server(Process(pid, began), since, {name: numbers[name] for name in ports.NAMES})
        return None

    def record(self, server: Server) -> None:
        """Record the server."""
        process = {"pid": server.process.pid, "began": server.process.began}
        _write(self._server, {**process, "since": server.since, "ports": dict(server.ports)})


def _write(file: Path, content: Mapping[str, object]) -> None:
    private_file.write(file, json.dumps(content, indent=2) + "\n")


def _read(file: Path) -> Any:
    """Return the JSON content of a file, or None if there is no such file or no JSON in it."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
