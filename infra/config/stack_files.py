"""The files ``environments/Pulumi.<environment>.yaml``: where they are."""

from __future__ import annotations

from pathlib import Path

#: The project's root: Pulumi.yaml, environments/ and .local/ are here.
ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENTS = ROOT / "environments"

#: The name of the project in Pulumi.yaml, and so the namespace of its settings.
NAMESPACE = "mpr-storage"


def path(environment: str, folder: Path | None = None) -> Path:
    """Return the path of an environment's file, relative to the current folder if it is below that."""
    file = (folder or ENVIRONMENTS) / f"Pulumi.{environment}.yaml"
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
