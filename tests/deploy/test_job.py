"""The Job's own command against a real MinIO, with the Secrets that it reads; and how these are made."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.storage.settings import Settings
from infra.stores import minio as identities
from infra.stores.access_key import AccessKey
from infra.stores.keys import is_accepted
from infra.stores.store import Store
from tests.conftest import REPO
from tests.deploy.conftest import IDENTITIES, KUBERNETES, Image, named
from tests.infra.conftest import remove_bucket

pytestmark = pytest.mark.minio

POD = named("minio", "Job", "minio-init")["spec"]["template"]["spec"]
NAMES = [f"mpr-minio-{name}" for name in IDENTITIES]

#: Enough of kubectl for deploy/kubernetes/secrets: Secrets are files.
_KUBECTL = """#!{python}
import base64, json, pathlib, re, sys
import yaml

folder = pathlib.Path({folder!r})
verb, *words = sys.argv[1:]
if verb == "get":
    file = folder / words[1]
    assert words[0] == "secret" and words[2] == "--ignore-not-found", words
    if not file.exists():
        sys.exit()
    output = words[words.index("--output") + 1]
    if output == "name":
        print("secret/" + words[1])
    else:
        (name,) = re.findall(r"with .data.(\\w+)}}", output)
        sys.stdout.write(base64.b64decode(json.loads(file.read_text()).get(name, "")).decode())
else:
    secret = yaml.safe_load(sys.stdin)
    file = folder / secret["metadata"]["name"]
    plain = secret.get("stringData", {{}}).items()
    data = secret.get("data", {{}}) | {{name: base64.b64encode(one.encode()).decode() for name, one in plain}}
    assert verb == "apply" or not file.exists()
    assert words[-2:] == ["--filename", "-"], words
    file.write_text(json.dumps(data))
    print("secret/" + file.name + " " + verb)
"""


@dataclass(frozen=True)
class Cluster:
    """The Secrets of a cluster, and a MinIO in it."""

    image: Image
    store: Store
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)

    def job(self, *, proof: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the Job as its manifest says, but for the address of MinIO."""
        (container,) = POD["containers"]
        variables: dict[str, str] = {}
        for one in container["envFrom"]:
            variables |= self.secrets[one["secretRef"]["name"]]
        for one in container["env"]:
            reference = one["valueFrom"]["secretKeyRef"]
            variables[one["name"]] = self.secrets[reference["name"]][reference["key"]]
        command = [self.store.endpoint if one == "http://minio:9000" else one for one in container["command"]]
        assert command != container["command"]
        assert command[-1] == "--check"
        command = command if proof else command[:-1]  # it takes seconds, and one test has it
        fresh_volume(self.image)
        return self.image.run(command, **variables)

    def keys(self, identity: str) -> AccessKey:
        held = self.secrets[f"mpr-storage-minio-{identity}"]
        return AccessKey(held["AWS_ACCESS_KEY_ID"], held["AWS_SECRET_ACCESS_KEY"])


def fresh_volume(image: Image) -> None:
    """What the init container does: its command copies the configuration into an empty volume."""
    program, source, target = POD["initContainers"][0]["command"]
    (mounted,) = [one["mountPath"] for one in POD["initContainers"][0]["volumeMounts"]]
    assert target == f"{mounted}/"
    volume = image.root.parent / "volume"
    volume.mkdir()
    subprocess.run([program, REPO / source, volume], check=True)
    shutil.rmtree(image.environments)
    volume.rename(image.environments)


def chosen() -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": secrets.token_hex(8), "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20)}


def forget(store: Store) -> None:
    """Leave the store as if its disk had been lost."""
    for name in ("mpr-minio-in", "mpr-minio-out"):
        remove_bucket(store.s3, name)
    for name in NAMES:
        identities.delete_identity(store, name)


@pytest.fixture
def cluster(image: Image, minio: Store) -> Iterator[Cluster]:
    made = Cluster(image, minio)
    made.secrets["minio-admin"] = {
        "MPR_ADMIN_ACCESS_KEY_ID": minio.admin.access_key_id,
        "MPR_ADMIN_SECRET_ACCESS_KEY": minio.admin.secret_access_key,
    }
    made.secrets.update({f"mpr-storage-minio-{name}": chosen() for name in IDENTITIES})
    yield made
    forget(minio)


def test_it_makes_the_keys_of_the_secrets_work_and_proves_it(cluster):
    done = cluster.job()
    assert done.returncode == 0, done.stderr
    assert "bucket mpr-minio-in: created" in done.stdout
    assert "80 access checks passed" in done.stdout
    for name in IDENTITIES:
        assert is_accepted(cluster.store, cluster.keys(name))
        assert cluster.keys(name).secret_access_key not in done.stdout + done.stderr
        assert cluster.keys(name).access_key_id not in done.stdout + done.stderr
    assert cluster.store.admin.secret_access_key not in done.stdout + done.stderr


@pytest.mark.flow
def test_it_may_run_again_and_changes_nothing(cluster):
    cluster.job(proof=False)
    done = cluster.job(proof=False)
    assert done.returncode == 0, done.stderr
    told = [one for one in done.stdout.splitlines() if one.startswith(("bucket", "identity"))]
    assert told
    assert all(one.endswith(("unchanged", "in place")) for one in told)
    assert {len(identities.access_keys(cluster.store, name)) for name in NAMES} == {1}


@pytest.mark.flow
def test_a_store_that_lost_its_disk_gets_the_same_keys_again(cluster):
    cluster.job(proof=False)
    forget(cluster.store)
    assert not is_accepted(cluster.store, cluster.keys("viewer"))
    assert cluster.job(proof=False).returncode == 0
    assert is_accepted(cluster.store, cluster.keys("viewer"))


@pytest.mark.flow
def test_a_key_whose_secret_was_changed_gets_the_new_one(cluster):
    cluster.job(proof=False)
    cluster.secrets["mpr-storage-minio-app"]["AWS_SECRET_ACCESS_KEY"] = secrets.token_hex(20)
    done = cluster.job(proof=False)
    assert done.returncode == 0, done.stderr
    assert "set as configured" in done.stdout
    assert is_accepted(cluster.store, cluster.keys("app"))


@pytest.mark.flow
def test_a_key_of_another_user_is_not_taken_for_ours(cluster):
    """The Secret names a key that is there already, with rights that are not the viewer's."""
    theirs = cluster.keys("viewer")
    cluster.store.minio.add_service_account(
        access_key=theirs.access_key_id,
        secret_key=theirs.secret_access_key,
        name="theirs",
        description="theirs",
        policy={"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]},
    )
    try:
        done = cluster.job(proof=False)
    finally:
        cluster.store.minio.delete_service_account(theirs.access_key_id)
    assert done.returncode == 1
    assert done.stderr.startswith("error: creating an access key of mpr-minio-viewer: ")


@dataclass(frozen=True)
class Machine:
    """Set up the machine of a user who may write Secrets: a copy of the project, and kubectl."""

    root: Path
    folder: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", str(self.root / "deploy" / "kubernetes" / "secrets"), *words],
            env={"PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", "PYTHON": sys.executable, "HOME": "/"},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def secret(self, name: str) -> dict[str, str]:
        data = json.loads((self.folder / name).read_text())
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def save(self, name: str, values: dict[str, str]) -> None:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        (self.folder / name).write_text(json.dumps(data))


@pytest.fixture
def machine(cluster: Cluster, tmp_path: Path) -> Machine:
    folder = tmp_path / "secrets"
    folder.mkdir()
    root = cluster.image.root
    shutil.copytree(KUBERNETES, root / "deploy" / "kubernetes")
    (root / "bin").mkdir()
    (root / "bin" / "kubectl").write_text(_KUBECTL.format(python=sys.executable, folder=str(folder)))
    (root / "bin" / "kubectl").chmod(0o755)
    file = root / "environments" / "Pulumi.minio.yaml"
    file.write_text(file.read_text().replace("http://localhost:9000", cluster.store.endpoint))
    return Machine(root, folder)


def test_the_admin_secret_is_random_and_made_once(machine):
    assert machine.run("admin", "minio").returncode == 0
    first = machine.secret("minio-admin")
    assert set(first) == {"MPR_ADMIN_ACCESS_KEY_ID", "MPR_ADMIN_SECRET_ACCESS_KEY"}
    assert all(len(one) >= 8 and "$" not in one for one in first.values())
    again = machine.run("admin", "minio")
    assert "unchanged" in again.stdout
    assert machine.secret("minio-admin") == first
    machine.run("admin", "seaweedfs")
    assert not set(machine.secret("seaweedfs-admin").values()) & set(first.values())


@pytest.mark.flow
def test_the_secrets_of_the_identities_are_all_that_applications_in_the_cluster_need(machine, cluster):
    machine.save("minio-admin", cluster.secrets["minio-admin"])
    done = machine.run("identities", "minio", "http://minio:9000")
    assert done.returncode == 0, done.stderr
    for name in IDENTITIES:
        held = Settings.from_env(machine.secret(f"mpr-storage-minio-{name}"))
        assert held.endpoint_url == "http://minio:9000"
        assert held.public_endpoint_url == cluster.store.endpoint
        assert held.secret_access_key
        assert held.secret_access_key not in done.stdout + done.stderr
        assert is_accepted(cluster.store, AccessKey(held.access_key_id or "", held.secret_access_key))


@pytest.mark.flow
def test_the_job_then_finds_everything_in_place(machine, cluster):
    machine.save("minio-admin", cluster.secrets["minio-admin"])
    machine.run("identities", "minio", "http://minio:9000")
    cluster.secrets.update(
        {f"mpr-storage-minio-{name}": machine.secret(f"mpr-storage-minio-{name}") for name in IDENTITIES}
    )
    done = cluster.job(proof=False)
    assert done.returncode == 0, done.stderr
    assert "created" not in done.stdout
    assert "set as configured" not in done.stdout


@pytest.mark.timeout(300)  # 30 s on a quiet machine
@pytest.mark.flow
def test_another_machine_takes_over_the_keys_of_the_cluster(machine, cluster):
    machine.save("minio-admin", cluster.secrets["minio-admin"])
    machine.run("identities", "minio", "http://minio:9000")
    before = {one.name: one.read_text() for one in machine.folder.iterdir()}
    for file in cluster.image.environments.glob("*.env"):
        file.unlink()
    done = machine.run("identities", "minio", "http://minio:9000")
    assert done.returncode == 0, done.stderr
    assert {one.name: one.read_text() for one in machine.folder.iterdir()} == before
    assert {len(identities.access_keys(cluster.store, name)) for name in NAMES} == {1}


def test_a_cluster_that_does_not_respond_ends_it(machine):
    (machine.root / "bin" / "kubectl").write_text("#!/bin/sh\necho refused >&2\nexit 1\n")
    for words in (["admin", "minio"], ["identities", "minio", "http://minio:9000"]):
        done = machine.run(*words)
        assert done.returncode == 1
        assert "refused" in done.stderr
    assert not list(machine.folder.iterdir())
