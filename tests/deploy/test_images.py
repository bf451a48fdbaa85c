from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO, executable
from tests.deploy.conftest import DEPLOY, Image, containers, pods
from tests.infra.conftest import admin_variables, remove_bucket

DOCKERFILES = (DEPLOY / "Dockerfile", DEPLOY / "minio" / "Dockerfile")
each = pytest.mark.parametrize("file", DOCKERFILES, ids=lambda one: one.parent.name)


def hadolint(file: Path) -> subprocess.CompletedProcess[str]:
    program = executable("hadolint")
    assert program, "the `hadolint` program is missing: install the project's requirements"
    return subprocess.run(
        [program, "--no-color", str(file)], capture_output=True, text=True, timeout=60, check=False
    )


@each
def test_hadolint_finds_nothing(file):
    done = hadolint(file)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_finds_what_is_wrong(tmp_path):
    text = (DEPLOY / "Dockerfile").read_text()
    (tmp_path / "Dockerfile").write_text(text.replace("python:3.13-slim-trixie", "python:latest"))
    assert "DL3007" in hadolint(tmp_path / "Dockerfile").stdout


@each
def test_base_images_are_pinned_and_no_process_runs_as_root(file):
    text = file.read_text()
    assert all(re.search(r":\d[\w.-]*\d", one) for one in re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    last = text.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["10001:10001"]
    assert not re.search(r"^(ARG|ENV) .*(SECRET|PASSWORD|ACCESS_KEY)", text, re.MULTILINE)


def test_the_pods_run_as_who_the_images_are_made_for():
    for _, pod in pods():
        assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["runAsGroup"] == 10001


def test_the_manifests_name_each_image_by_a_version():
    used = {one["image"] for _, pod in pods() for one in containers(pod)}
    assert used
    assert not [one for one in used if not re.search(r":\d+[\d.-]*\d(@sha256:[0-9a-f]{64})?$", one)]


def test_the_images_are_called_as_the_manifests_call_them():
    built = {re.search(r"docker build .*-t (\S+)", file.read_text())[1] for file in DOCKERFILES}  # type: ignore[index]  # no match is a failure
    used = {one["image"] for name, pod in pods() if name.startswith("minio") for one in containers(pod)}
    assert used == built


def test_minio_is_of_the_version_that_make_builds():
    (wanted,) = re.findall(r"minio/minio@(v\S+)", (REPO / "Makefile").read_text())
    assert re.findall(r"^ARG VERSION=(\S+)$", DOCKERFILES[1].read_text(), re.MULTILINE) == [wanted]


def blocks(name: str) -> set[str]:
    """The requirements of a file, each with its hashes."""
    return set(re.split(r"\n(?=\S)", (REPO / "requirements" / name).read_text().strip()))


def test_the_image_has_what_make_up_has_and_less():
    assert blocks("init.txt") < blocks("local.txt")
    assert all("--hash=sha256:" in one for one in blocks("init.txt"))


def sent(path: str) -> bool:
    """Whether Docker gets to see a file of the project: the last pattern that fits decides."""
    seen = True
    for line in (REPO / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        fits = any(fnmatch.fnmatch(one, pattern) for one in (path, *map(str, Path(path).parents)))
        if line and not line.startswith("#") and (fits or fnmatch.fnmatch(path, f"*{pattern.strip('*')}/*")):
            seen = line.startswith("!")
    return seen


@pytest.mark.parametrize(
    "path",
    ["environments/minio.env", "environments/minio.app.a.env", ".local/admin.env", ".venv/x", ".git/x", "a.env"],
)
def test_docker_gets_no_key_to_see(path):
    assert not sent(path)


@pytest.mark.parametrize(
    "path", ["core/storage/keys.py", "infra/init.py", "environments/Pulumi.minio.yaml", "requirements/init.txt"]
)
def test_docker_gets_to_see_what_it_copies(path):
    assert sent(path)
    assert (REPO / path).exists()


#: Runs a command, and prints which distributions had a part in it.
_USED = """
import sys
from importlib.metadata import packages_distributions
from infra.cli import run

code = run(sys.argv[1:])
owners = packages_distributions()
tops = {name.partition(".")[0] for name in sys.modules}
print("used:", *sorted({one.lower().replace("_", "-") for top in tops for one in owners.get(top, ())}))
sys.exit(code)
"""


@pytest.mark.flow
@pytest.mark.minio
def test_it_needs_nothing_that_the_image_does_not_have(image: Image, minio):
    command = [sys.executable, "-c", _USED, "init", "minio", "--endpoint", minio.endpoint, "--check"]
    try:
        done = image.run(command, PYTHONPATH=str(image.root), **admin_variables(minio))
    finally:
        for name in ("mpr-minio-in", "mpr-minio-out"):
            remove_bucket(minio.s3, name)
        for identity in ("app", "pipeline", "ingest", "viewer"):
            from infra.stores import minio as identities  # noqa: PLC0415  # the fixture has the same name

            identities.delete_identity(minio, f"mpr-minio-{identity}")
    assert done.returncode == 0, done.stderr
    used = set(done.stdout.rpartition("used:")[2].split())
    installed = {re.split("==", one)[0] for one in blocks("init.txt")}
    assert {"botocore", "minio", "rich"} <= used  # the program reports its imports
    assert used - installed <= {"pip", "setuptools", "pytest-cov", "coverage"}, used - installed
