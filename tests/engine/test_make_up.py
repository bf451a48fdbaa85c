"""`python -m infra up` and `down` with the real engine, an embedded store and a state of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.local import store
from infra.stores.store import Store
from tests.conftest import REPO

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Clone:
    """A fresh clone on a machine without a login to a Pulumi backend."""

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


def client(clone: Clone) -> S3Client:
    """The administrator of the clone's embedded store."""
    running = store.find(clone.root / ".local")
    assert running
    return Store(running.endpoint, "us-east-1", running.admin).s3


def put(clone: Clone, key: str) -> None:
    client(clone).put_object(Bucket="mpr-local-in", Key=key, Body=b"x")


def keys(clone: Clone) -> list[str]:
    return [found["Key"] for found in client(clone).list_objects_v2(Bucket="mpr-local-in").get("Contents", [])]


def test_up_deploys_an_embedded_store_with_pulumi_and_down_removes_it(clone):
    shared = (clone.root / "environments/Pulumi.local.yaml").read_bytes()
    first = clone.run("up")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "deploying local with Pulumi" in first.stdout
    assert "20 access checks passed" in first.stdout
    env = (clone.root / "environments/local.env").read_bytes()
    assert (clone.root / "environments/Pulumi.local.yaml").read_bytes() == shared, "the clone stays clean"

    again = clone.run("up")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "local is up to date" in again.stdout
    assert (clone.root / "environments/local.env").read_bytes() == env

    put(clone, "a.mp4")
    assert clone.run("down").returncode == 0
    kept = clone.run("up")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    assert keys(clone) == ["a.mp4"]
    assert (clone.root / "environments/local.env").read_bytes() == env

    down = clone.run("down", "--delete", "--yes")
    assert down.returncode == 0, down.stdout + down.stderr
    assert "bucket mpr-local-in: 1 object (1 byte)" in down.stdout
    assert not list((clone.root / "environments").glob("*.env"))
    assert not (clone.root / ".local/store").exists()
    assert (clone.root / "environments/Pulumi.local.yaml").read_bytes() == shared
    for told in (first, again, down):
        assert "Traceback" not in told.stdout + told.stderr


def test_the_engine_adopts_what_init_made_and_down_removes_it(clone):
    clone.run("store", "start")
    assert clone.run("init").returncode == 0
    env = (clone.root / "environments/local.env").read_bytes()
    up = clone.run("up")
    assert up.returncode == 0, up.stdout + up.stderr
    assert (clone.root / "environments/local.env").read_bytes() == env
    assert clone.run("down", "--delete", "--yes").returncode == 0
    assert not (clone.root / ".local/store").exists()


def test_a_bucket_that_existed_before_outlives_the_deletion_and_is_named(clone):
    clone.run("store", "start")
    client(clone).create_bucket(Bucket="mpr-local-in")
    put(clone, "precious.mp4")
    assert clone.run("up").returncode == 0
    down = clone.run("down", "--delete", "--yes")
    assert down.returncode == 0, down.stdout + down.stderr
    said = "bucket mpr-local-in existed before this environment and holds 1 object (1 byte): it stays"
    assert down.stdout.count(said) >= 1
    assert "the store continues to run, with mpr-local-in;" in down.stdout
    assert [bucket["Name"] for bucket in client(clone).list_buckets()["Buckets"]] == ["mpr-local-in"]
    assert keys(clone) == ["precious.mp4"]
