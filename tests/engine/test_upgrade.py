"""Stacks of the last version without component resources, updated by this one.

All resources were children of the stack itself then. An update must move each below its component: no bucket and
no access key may be replaced or deleted.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.engine.clouds import ORIGINS, TARGETS, Make
from tests.engine.support import Project, Stack

#: The last commit without component resources.
FLAT = "2e9daed92a428864aac00133a82052e45664ed5e"
CODE = ("core", "infra", "__main__.py")


@pytest.fixture(scope="module")
def flat_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the commit, if the repository has it: a shallow clone does not."""
    folder = tmp_path_factory.mktemp("flat")
    archive = subprocess.run(["git", "archive", FLAT, *CODE], cwd=REPO, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"needs the commit {FLAT[:7]}, which a shallow clone does not have")
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    return folder


@contextmanager
def code_of(project: Project, folder: Path) -> Iterator[None]:
    """Have the project consist of the code in a folder."""
    put(folder, project.folder)
    yield
    put(REPO, project.folder)


def put(source: Path, target: Path) -> None:
    for name in CODE:
        if (source / name).is_file():
            shutil.copy(source / name, target / name)
            continue
        shutil.rmtree(target / name)
        shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))


def operations(stack: Stack) -> Counter[tuple[str, str]]:
    """What an update would do: the operations on each type, but those that change nothing."""
    preview = json.loads(stack.do("preview", "--json", shows_secrets=True).stdout)
    steps = ((step["op"], step["urn"].split("::")[2].split("$")[-1]) for step in preview["steps"])
    return Counter(step for step in steps if step[0] != "same")


@pytest.mark.parametrize("target", ["s3-compatible", *TARGETS])
def test_no_resource_is_replaced_or_deleted(target, make: Make, project: Project, flat_code: Path):
    identities = ["app", "viewer"]
    buckets = {"in": {"corsOrigins": ORIGINS, "versioning": True}} if target == "aws" else {}
    name = f"flat-{target[:3]}"
    with code_of(project, flat_code):
        stack: Stack
        if target == "s3-compatible":
            stack = project.stack(name, {"identities": identities})
        else:
            stack = make(target, name, identities=identities, buckets=buckets)
        stack.up()
        before = {identity: stack.env_file(identity).read_text() for identity in identities}
        outputs = stack.outputs()
    components = {"Storage": 1, "Bucket": 2, "Identity": 2}
    expected = Counter({("create", f"mpr-storage:index:{component}"): n for component, n in components.items()})
    if target != "s3-compatible":  # in a cloud, a resource of its own removes the env file of an identity
        expected["create", "pulumi-python:dynamic/storage:EnvFile"] = len(identities)
    found = operations(stack)
    providers = {step for step in found if step[1].startswith("pulumi:providers:")}
    assert Counter({step: count for step, count in found.items() if step not in providers}) == expected
    stack.up()
    assert {identity: stack.env_file(identity).read_text() for identity in identities} == before
    assert {name: value for name, value in stack.outputs().items() if name != "identities"} == outputs
    stack.do("preview", "--expect-no-changes")
