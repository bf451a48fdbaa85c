"""`python -m infra up` and `down` with the real engine, an embedded store and a state of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPO


class Clone:
    """A fresh clone on a machine where nobody is logged in to a Pulumi backend."""

    def __init__(self, root: Path) -> None:
        self.root = root
        skip = shutil.ignore_patterns("__pycache__", "*.env")
        for name in ("core", "infra", "environments"):
            shutil.copytree(REPO / name, root / name, ignore=skip)
        for name in ("__main__.py", "Pulumi.yaml"):
            shutil.copy(REPO / name, root / name)
        (root / ".venv").symlink_to(sys.prefix)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "infra", *arguments],
            cwd=self.root,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root), "PULUMI_HOME": str(self.root / "home")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    made = Clone(tmp_path / "clone")
    yield made
    made.run("store", "stop")


def test_up_deploys_an_embedded_store_with_pulumi_and_down_removes_it(clone):
    shared = (clone.root / "environments/Pulumi.local.yaml").read_bytes()
    first = clone.run("up")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "deploying local with Pulumi" in first.stdout
    assert "no surprise" in first.stdout
    env = (clone.root / "environments/local.env").read_bytes()
    assert (clone.root / "environments/Pulumi.local.yaml").read_bytes() == shared, "the clone stays clean"

    again = clone.run("up")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (clone.root / "environments/local.env").read_bytes() == env

    down = clone.run("down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert not list((clone.root / "environments").glob("*.env"))
    assert not (clone.root / ".local/store").exists()
    assert (clone.root / "environments/Pulumi.local.yaml").read_bytes() == shared
    for told in (first, again, down):
        assert "Traceback" not in told.stdout + told.stderr
