"""What the tests of the resources share: an administrator's clients, which go behind the providers' backs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
import pytest

from infra.policies import Policy
from infra.resources.provider import Props
from infra.stores.kinds import KINDS
from tests.conftest import Store
from tests.infra.conftest import policy_of

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

_RENAME = next(kind.rename for kind in KINDS if kind.name == "SeaweedFS")


@pytest.fixture
def admin_keys(seaweed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPR_ADMIN_ACCESS_KEY_ID", seaweed.access_key_id)
    monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", seaweed.secret_access_key)


@pytest.fixture(scope="session")
def s3(seaweed: Store) -> S3Client:
    return boto3.session.Session().client(
        "s3",
        endpoint_url=seaweed.endpoint,
        region_name=seaweed.region,
        aws_access_key_id=seaweed.access_key_id,
        aws_secret_access_key=seaweed.secret_access_key,
    )


@pytest.fixture(scope="session")
def iam(seaweed: Store) -> IAMClient:
    return boto3.session.Session().client(
        "iam",
        endpoint_url=seaweed.endpoint,
        region_name=seaweed.region,
        aws_access_key_id=seaweed.access_key_id,
        aws_secret_access_key=seaweed.secret_access_key,
    )


@pytest.fixture
def name() -> str:
    return f"res-{uuid4().hex[:12]}"


@pytest.fixture
def where(seaweed: Store) -> Props:
    return {"endpoint": seaweed.endpoint, "region": seaweed.region}


@pytest.fixture
def policy(name: str) -> Policy:
    return policy_of("app", {"in": f"{name}-in", "out": f"{name}-out"}, rename=_RENAME)
