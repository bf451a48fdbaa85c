"""Fixtures of the library's tests."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from core.storage import FrameCache
from core.storage._boto.clients import forget_clients
from core.storage._http import retry
from tests.conftest import Store
from tests.core._fake_s3 import FakeS3
from tests.core._frames import made
from tests.core.transport import (  # noqa: F401  # fixtures
    always_parts,
    heads,
    one_connection_for_parts,
    page_size,
    pauses,
    read_timeout,
    runs_are_left_over_at_once,
    small_parts,
    transport,
)

# Both limits measure the machine, which may be busy, and not the code.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _no_client_outlives_its_test() -> Iterator[None]:
    yield
    forget_clients()


@pytest.fixture
def use(monkeypatch):
    """Sets the environment for a store, as its env file would."""

    def use(endpoint, bucket, *, key="admin", secret="admin-secret", **more):
        values = {
            "S3_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "S3_BUCKET_IN": bucket,
            "S3_BUCKET_OUT": bucket,
            **more,
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return use


async def _at_once(_seconds: float) -> None:
    pass


STORES = [
    "seaweed",
    pytest.param("minio", marks=pytest.mark.minio),
    pytest.param("versitygw", marks=pytest.mark.versitygw),
]


@pytest.fixture(params=STORES)
def any_store(request) -> Store:
    """Each kind of real store in turn: for tests whose result depends on the store."""
    found: Store = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def store(seaweed) -> Store:
    """The real store of tests whose result does not depend on which it is."""
    found: Store = seaweed
    return found


@pytest.fixture(scope="session")
def _buckets_in_stock() -> dict[Store, list[str]]:
    """The empty buckets of each store that no test has used yet."""
    return {}


@pytest.fixture
def new_bucket(use, admin, _buckets_in_stock) -> Callable[[Store], str]:
    """Give a new bucket on a store, which the environment names from then on.

    Eight are made at a time, because SeaweedFS waits 0.2 s with the first object of a bucket.
    """

    def new_bucket(store: Store) -> str:
        stock = _buckets_in_stock.setdefault(store, [])
        if not stock:
            with ThreadPoolExecutor(8) as pool:
                stock += pool.map(_make_bucket, [admin(store)] * 8)
        name: str = stock.pop()
        use(store.endpoint, name, key=store.access_key_id, secret=store.secret_access_key)
        return name

    return new_bucket


def _make_bucket(s3: Any) -> str:
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="first")
    s3.delete_object(Bucket=name, Key="first")
    return name


@pytest.fixture
def bucket(store, new_bucket) -> str:
    """A new bucket on the real SeaweedFS, which the environment names."""
    return str(new_bucket(store))


@pytest.fixture
def any_bucket(any_store, new_bucket) -> str:
    """A new bucket on each kind of real store in turn, which the environment names."""
    return str(new_bucket(any_store))


@pytest.fixture(scope="session")
def admin() -> Iterator[Callable[[Store], Any]]:
    """The client of a store's administrator; one for the whole run, because making one takes long."""
    clients: dict[Store, Any] = {}

    def admin(store: Store) -> Any:
        if store not in clients:
            clients[store] = store.client("s3")
        return clients[store]

    yield admin
    for client in clients.values():
        client.close()


@pytest.fixture
def iam(seaweed) -> Iterator[Any]:
    """The IAM API of the real SeaweedFS, for its administrator. The users that the test makes are deleted."""
    client = seaweed.client("iam")
    before = _users(client)
    yield client
    for user in _users(client) - before:
        for key in client.list_access_keys(UserName=user)["AccessKeyMetadata"]:
            client.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
        for policy in client.list_user_policies(UserName=user)["PolicyNames"]:
            client.delete_user_policy(UserName=user, PolicyName=policy)
        client.delete_user(UserName=user)
    client.close()


def _users(iam: Any) -> set[str]:
    return {user["UserName"] for user in iam.list_users()["Users"]}


@pytest.fixture
def fake(use, monkeypatch) -> Iterator[FakeS3]:
    """The server of faults, which the environment names; its bucket is called ``bucket``."""
    server = FakeS3()
    use(server.endpoint, "bucket")
    # Both botocore and this library back off; what they wait for here is nothing.
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(retry, "sleep", _at_once)
    yield server
    forget_clients()
    server.close()


@pytest.fixture
def cache(bucket) -> FrameCache:
    """Frames on the real SeaweedFS, none yet."""
    return FrameCache("match-01")


@pytest.fixture
def files(tmp_path) -> list[Path]:
    """The files of 12 frames."""
    return made(tmp_path / "made", 12)
