"""Environments that many tests share: deployed once by `init`, restored after each test, removed at the end."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra import private_file
from infra.config.identities import ROLES
from infra.env import files
from infra.init import initialise
from infra.stores.empty import delete_everything
from tests.infra.conftest import Environment, admin_variables, remove_environment, use_folder


def use(environment: Environment, patch: pytest.MonkeyPatch) -> None:
    """Have this process use the environment's folder, with the access keys of the store's administrator."""
    use_folder(patch, environment.folder)
    for name, value in admin_variables(environment.store).items():
        patch.setenv(name, value)


@contextmanager
def deployed(environment: Environment) -> Iterator[Environment]:
    """Deploy the environment with `init`; remove its buckets and identities when the block ends."""
    environment.save()
    try:
        with pytest.MonkeyPatch.context() as patch:
            use(environment, patch)
            # MinIO responds some time before it is ready.
            initialise(environment.config, lambda *_: None, wait=30)
        yield environment
    finally:
        remove_environment(environment)


@contextmanager
def restored(environment: Environment) -> Iterator[None]:
    """Deploy the environment again as it is now when the block ends, whatever the block changed in it.

    Its access keys may be others then: a deleted key does not come back.
    """
    values = copy.deepcopy(environment.values)
    contents = {file: file.read_bytes() for file in environment.folder.iterdir()}
    try:
        yield
    finally:
        for file in environment.folder.iterdir():
            if file not in contents:
                file.unlink()
        for file, content in contents.items():
            if not file.exists() or file.read_bytes() != content:
                private_file.write(file, content.decode())
        environment.values.clear()
        environment.values.update(values)
        _delete_other_keys(environment)
        with pytest.MonkeyPatch.context() as patch:
            use(environment, patch)
            environment.initialise()


def _delete_other_keys(environment: Environment) -> None:
    """Delete the access keys that no env file holds."""
    store, manager = environment.store, environment.server.manager
    for identity in environment.config.names:
        user = f"mpr-{environment.name}-{identity}"
        held = files.access_key(environment.file(identity))
        for access_key_id in manager.access_keys(store, user):
            if held is None or access_key_id != held.access_key_id:
                manager.delete_key(store, user, access_key_id)


@contextmanager
def emptied(*environments: Environment) -> Iterator[None]:
    """Delete every object of the environments when the block ends."""
    try:
        yield
    finally:
        for environment in environments:
            for role in ROLES:
                delete_everything(environment.store.s3, str(environment.config.bucket(role).name))
