"""The files ``environments/Pulumi.<environment>.yaml``: where they are."""

from __future__ import annotations

import re
from pathlib import Path

#: The project's root: Pulumi.yaml, environments/ and .local/ are here.
ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENTS = ROOT / "environments"

#: The name of the project in Pulumi.yaml, and so the namespace of its settings.
NAMESPACE = "mpr-storage"
#: The name of an environment. A dot would make `a.viewer` the env file of two; a slash would leave the folder.
NAME = re.compile(r"[A-Za-z0-9_-]+")


def path(environment: str) -> Path:
    """Return the path of an environment's file, relative to the working directory if it is below that."""
    return short(ENVIRONMENTS / f"Pulumi.{environment}.yaml")


def short(file: Path) -> Path:
    """Return the path relative to the working directory if it is below that, for messages."""
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def environment_in(file_name: str) -> str | None:
    """Return the name of the environment in the name of a stack file, or None if it is no name of one."""
    match = re.fullmatch(r"Pulumi\.(.+)\.yaml", file_name)
    return match and match[1]


def names() -> list[str]:
    """Return the names of all environments, in order.

    Raises:
        OSError: the folder cannot be read.
    """
    try:
        files = [file.name for file in ENVIRONMENTS.iterdir()]
    except FileNotFoundError:
        return []
    return sorted(filter(None, map(environment_in, files)))
