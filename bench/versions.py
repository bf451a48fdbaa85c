"""Versions of the clients and of the store."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import tomllib
from collections.abc import Sequence

from bench.job import REPO
from bench.programs import S3FS_PYTHON
from bench.store import executable

#: The installed distribution of each Python library.
_DISTRIBUTIONS = {
    "boto3": "boto3",
    "boto3, tuned": "boto3",
    "s3transfer, one pool": "s3transfer",
    "obstore": "obstore",
    "obstore, async": "obstore",
    "minio-py": "minio",
    "boto3, threads": "boto3",
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
}
_COMMANDS = {
    "s5cmd": ("s5cmd", "version"),
    "rclone": ("rclone", "version"),
    "curl": ("curl", "--version"),
    "SeaweedFS": ("weed", "version"),
    "pulumi": ("pulumi", "version"),
}


def versions(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of these clients and programs; one that is not installed has none."""
    found = {name: version(name) for name in dict.fromkeys(names)}
    return {name: text for name, text in found.items() if text}


def installed(client: str) -> bool:
    """Return whether the machine has what the client needs."""
    return client == "plain GET" or version(client) is not None


def version(name: str) -> str | None:
    if name in {"core.storage", "core.storage.aio"}:
        return _own_version()
    if name in _DISTRIBUTIONS:
        try:
            return importlib.metadata.version(_DISTRIBUTIONS[name])
        except importlib.metadata.PackageNotFoundError:
            return None
    if name in {"s3fs", "aiobotocore", "aioboto3"}:
        return _output(str(S3FS_PYTHON), "-c", f"import {name}; print({name}.__version__)")
    command = _COMMANDS.get(name)
    text = _output(*command) if command else None
    number = re.search(r"\d+(\.\d+)+", text) if text else None
    return number and number[0]


def _own_version() -> str:
    """Return the version of this project; in a git checkout, with its commit and whether the code was changed."""
    number: str = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["version"]
    commit = _output("git", "-C", str(REPO), "rev-parse", "--short", "HEAD")
    if commit is None:
        return number
    changed = _output("git", "-C", str(REPO), "status", "--porcelain", "--", "core", "infra")
    return f"{number} ({commit}{', changed' if changed else ''})"


def _output(*command: str) -> str | None:
    program = executable(command[0])
    if program is None:
        return None
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None if done.returncode == 0 else None
