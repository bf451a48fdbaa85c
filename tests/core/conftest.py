"""Fixtures of the library's tests."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest

from core.storage import get_s3_client
from core.storage._client import forget_clients
from tests.core._fake_s3 import FakeS3


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


@pytest.fixture
def bucket(seaweed, use) -> str:
    """A new bucket on the real SeaweedFS, which the environment names."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    use(seaweed.endpoint, name)
    get_s3_client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def fake(use, monkeypatch) -> Iterator[FakeS3]:
    """The server of faults, which the environment names; its bucket is called ``bucket``."""
    server = FakeS3()
    use(server.endpoint, "bucket")
    # Both botocore and this library back off; what they wait for here is nothing.
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    yield server
    forget_clients()
    server.close()
