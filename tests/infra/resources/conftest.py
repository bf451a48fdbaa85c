"""What the tests of the resources share: an administrator's clients, which go behind the providers' backs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from infra.policies import Policy
from infra.resources.provider import Props
from infra.stores.keys import identity_manager
from infra.stores.kinds import KINDS
from infra.stores.store import Store as StoreConnection
from tests.botocore_models import share_models
from tests.conftest import Store
from tests.infra.conftest import policy_of, remove_bucket

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

_RENAME = next(kind.rename for kind in KINDS if kind.name == "SeaweedFS")


@pytest.fixture
def admin_keys(seaweed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPR_ADMIN_ACCESS_KEY_ID", seaweed.access_key_id)
    monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", seaweed.secret_access_key)


def _client(seaweed: Store, service: str) -> Any:
    share_models()
    return seaweed.client(service)


@pytest.fixture(scope="session")
def s3(seaweed: Store) -> S3Client:
    client: S3Client = _client(seaweed, "s3")
    return client


@pytest.fixture(scope="session")
def iam(seaweed: Store) -> IAMClient:
    client: IAMClient = _client(seaweed, "iam")
    return client


@pytest.fixture
def name(s3: S3Client, seaweed_store: StoreConnection) -> Iterator[str]:
    """A name that no other test has. Its bucket and its identity are removed after the test."""
    name = f"res-{uuid4().hex[:12]}"
    yield name
    # SeaweedFS' IAM gets slower with each user: 0.06 s for a user with a key at 50 users, 1 s at 200.
    identity_manager("iam", {}).delete_identity(seaweed_store, f"{name}-app")
    remove_bucket(s3, name)


@pytest.fixture
def where(seaweed: Store) -> Props:
    return {"endpoint": seaweed.endpoint, "region": seaweed.region}


@pytest.fixture
def policy(name: str) -> Policy:
    return policy_of("app", {"in": f"{name}-in", "out": f"{name}-out"}, rename=_RENAME)
