"""Check the README: the output that it shows, its program, its variables, its installation."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import cli
from infra.config import stack_files, stack_yaml
from infra.local import engine, running, store
from infra.local.running import EmbeddedStore
from infra.stores.store import Store
from tests.conftest import REPO
from tests.docs._blocks import blocks, commands, matches, output
from tests.infra.conftest import Environment, Server, remove_environment

README = (REPO / "README.md").read_text(encoding="utf-8")
#: Where the README says that the store of `make up` runs; that of a test has a port of its own.
SHOWN_ENDPOINT = "http://127.0.0.1:8333"
TUTORIAL = (REPO / "docs/tutorial.md").read_text(encoding="utf-8")


@pytest.fixture
def local_environment(seaweed_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Deploy the committed environment `local` to the SeaweedFS of the tests instead of a new embedded one."""
    monkeypatch.setattr(stack_files, "ROOT", tmp_path)
    monkeypatch.setattr(stack_files, "ENVIRONMENTS", tmp_path / "environments")
    (tmp_path / "environments").mkdir()
    shutil.copy(REPO / "environments/Pulumi.local.yaml", tmp_path / "environments")
    embedded = EmbeddedStore(seaweed_store.endpoint, seaweed_store.admin, pid=0)
    monkeypatch.setattr(store, "start", lambda **_: embedded)
    monkeypatch.setattr(running, "find", lambda: embedded)
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(engine, "install", lambda _: None)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)  # `make up` runs in the project's folder
    yield
    remove_environment(
        Environment("local", Server(seaweed_store, "iam"), tmp_path, dict(stack_yaml.read("local").values))
    )


@pytest.mark.usefixtures("local_environment")
def test_the_output_of_make_up_is_what_the_readme_shows(seaweed_store, capsys):
    command, _, shown = blocks(README, "console")[0].partition("\n")
    assert command == "$ make up"
    assert cli.run(["up"]) == 0
    printed = capsys.readouterr().out.replace(seaweed_store.endpoint, SHOWN_ENDPOINT)
    assert matches(shown, printed), f"the README must show this output:\n{printed}"


def test_every_installation_in_the_readme_names_where_the_package_comes_from():
    installations = [
        command for block in blocks(README, "console") for command in commands(block) if "pip install" in command
    ]
    assert installations
    for command in installations:
        assert re.search(r"pip install (-e )?(\.|/|\S+\.whl|\"mpr-storage @ git\+https://)", command), command


def test_the_readme_and_the_tutorial_have_the_same_program():
    (program,) = blocks(README, "python")
    (same,) = blocks(TUTORIAL, "python")
    assert program.splitlines() == [line for line in same.splitlines() if line]
    (run,) = [block for block in blocks(README, "console") if "first.py" in block]
    assert run in blocks(TUTORIAL, "console")  # tests/docs/test_tutorial.py runs it


@pytest.mark.usefixtures("local_environment")
def test_the_program_of_the_readme_prints_what_it_shows(seaweed_store, tmp_path):
    assert cli.run(["up"]) == 0
    done = subprocess.run(
        [sys.executable, "-c", blocks(README, "python")[0]],
        cwd=REPO,
        env=os.environ | {"S3_ENV_FILE": str(tmp_path / "environments/local.env")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (run,) = [block for block in blocks(README, "console") if "first.py" in block]
    printed = done.stdout.replace(seaweed_store.endpoint, SHOWN_ENDPOINT)
    assert matches(output(run), printed), f"the README must show this output:\n{printed}{done.stderr}"
    with urllib.request.urlopen(done.stdout.splitlines()[-1]) as response:
        assert response.read() == (REPO / "docs/pictures/example.png").read_bytes()


@pytest.mark.usefixtures("local_environment")
def test_the_variables_for_an_existing_store_are_enough(seaweed_store):
    assert cli.run(["up"]) == 0
    (block,) = [block for block in blocks(README, "console") if "core.storage check" in block]
    *exports, check = commands(block)
    values = {
        "S3_ENDPOINT_URL": seaweed_store.endpoint,
        "S3_BUCKET_IN": "mpr-local-in",
        "S3_BUCKET_OUT": "mpr-local-out",
        "AWS_ACCESS_KEY_ID": seaweed_store.admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": seaweed_store.admin.secret_access_key,
    }
    assert re.findall(r"(\w+)=", " ".join(exports)) == list(values)
    environment = {"PATH": os.environ["PATH"], **values}
    command = [sys.executable, *check.split()[1:]]
    done = subprocess.run(
        command, cwd=REPO, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (check.split()[0], done.returncode) == ("python", 0), done.stdout
