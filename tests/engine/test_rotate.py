"""`python -m infra rotate` with the real engine, on a real SeaweedFS, in a project of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from core.storage.settings import Settings
from infra.stores.access_key import AccessKey
from infra.stores.keys import is_accepted
from infra.stores.store import Store
from tests.engine.support import Project, Ran, Stack


@pytest.fixture(scope="module")
def stack(shared_project: Project) -> Iterator[Stack]:
    with shared_project.left_as_found():
        stack = shared_project.stack("turn", {"disposable": True, "identities": ["app", "viewer"]})
        stack.up()
        yield stack


def rotate(stack: Stack, *arguments: str) -> Ran:
    command = [sys.executable, "-m", "infra", "rotate", stack.name, *arguments]
    return stack.project.run(command, stack.admin)


def key(stack: Stack) -> AccessKey:
    found = Settings.from_env(stack.env())
    return AccessKey(found.access_key_id or "", found.secret_access_key or "")


def test_a_rotation_is_continued_on_machines_without_env_files(stack: Stack, project: Project):
    store = Store(project.store.endpoint, project.store.region, AccessKey("", ""))
    old = key(stack)
    done = rotate(stack, "app", "--to", "switch")
    assert done.ok, done.output
    assert "switch: app: the env file holds the new key" in done.output
    assert is_accepted(store, old)

    # A colleague with the committed file and no env files of his own: the next update gives him them.
    for file in project.environments.glob(f"{stack.name}*.env"):
        file.unlink()
    stack.do("preview", "--expect-no-changes")
    stack.up()
    new = key(stack)
    assert new != old
    assert len(stack.key_ids()) == 2

    for file in project.environments.glob(f"{stack.name}*.env"):
        file.unlink()
    done = rotate(stack, "app")
    assert done.ok, done.output
    assert "deploying that first" in done.output
    assert "retire: app" in done.output
    assert not is_accepted(store, old)

    done = rotate(stack, "app", "--soak", "0")
    assert done.ok, done.output
    assert stack.key_ids() == [new.access_key_id]
    assert key(stack) == new
    stack.do("preview", "--expect-no-changes")


def test_a_key_that_was_switched_off_behind_the_engine_is_switched_on(stack: Stack, project: Project):
    keys = key(stack)
    store = Store(project.store.endpoint, project.store.region, AccessKey("", ""))
    project.iam.update_access_key(UserName=stack.user(), AccessKeyId=keys.access_key_id, Status="Inactive")
    assert not is_accepted(store, keys)
    stack.refresh()
    stack.up()
    assert is_accepted(store, keys)
    assert key(stack) == keys
