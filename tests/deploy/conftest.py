"""What the tests of deploy/ share: the manifests, an image's files without Docker, a real MinIO."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.stores.access_key import AccessKey
from infra.stores.store import Store
from tests import conftest as shared
from tests.conftest import REPO

DEPLOY = REPO / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
STORES = ("minio", "seaweedfs")
IDENTITIES = ("app", "pipeline", "ingest", "viewer")


@pytest.fixture(scope="session")
def minio(minio_of_worker: shared.Store) -> Store:
    """A MinIO of this worker: the manifests fix the names of buckets and identities."""
    keys = AccessKey(minio_of_worker.access_key_id, minio_of_worker.secret_access_key)
    return Store(minio_of_worker.endpoint, minio_of_worker.region, keys)


def manifests(store: str) -> list[Any]:
    """Every object that `kubectl apply -k` makes for a store."""
    folder = KUBERNETES / store
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    found: list[Any] = []
    for name in kustomization["resources"]:
        found += yaml.safe_load_all((folder / name).read_text())
    return found


def named(store: str, kind: str, name: str) -> Any:
    (found,) = [one for one in manifests(store) if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def pods() -> Iterator[tuple[str, Any]]:
    """The specification of every pod, by the name of what makes it."""
    for store in STORES:
        for one in manifests(store):
            if one["kind"] in {"Deployment", "Job"}:
                yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def containers(pod: Any) -> list[Any]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


@dataclass(frozen=True)
class Image:
    """What deploy/Dockerfile copies into /app, in a folder."""

    root: Path

    @property
    def environments(self) -> Path:
        return self.root / "environments"

    def run(self, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command there as a container would: in an environment of its own."""
        program = [sys.executable, *command[1:]] if command[0] == "python" else command
        return subprocess.run(
            program,
            cwd=self.root,
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/"} | variables,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


@pytest.fixture
def image(tmp_path: Path) -> Image:
    root = tmp_path / "app"
    text = (DEPLOY / "Dockerfile").read_text()
    for source, target in re.findall(r"^COPY (?!--|requirements)(\S+) (\S+)$", text, re.MULTILINE):
        for file in REPO.glob(source):
            if file.is_dir():
                shutil.copytree(file, root / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (root / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(file, root / target)
    return Image(root)
