"""Fixtures of the library's tests."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import hypothesis
import pytest

from core.storage import FrameCache, get_s3_client
from core.storage import _request as request_module
from core.storage._client import forget_clients
from core.storage._request import Request
from tests.conftest import Store
from tests.core._fake_s3 import FakeS3
from tests.core._frames import made

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


@pytest.fixture(params=STORES)
def store(request) -> Store:
    """Each real store in turn."""
    found: Store = request.getfixturevalue(request.param)
    return found


#: For tests that make users by the IAM API, which MinIO does not have.
on_seaweed = pytest.mark.parametrize("store", ["seaweed"], indirect=True)


@pytest.fixture
def bucket(store, use) -> str:
    """A new bucket on each real store in turn, which the environment names."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    use(store.endpoint, name, key=store.access_key_id, secret=store.secret_access_key)
    get_s3_client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def iam(seaweed) -> Iterator[Any]:
    """The IAM API of the real SeaweedFS, for its administrator."""
    client = boto3.session.Session().client(
        "iam",
        endpoint_url=seaweed.endpoint,
        region_name=seaweed.region,
        aws_access_key_id=seaweed.access_key_id,
        aws_secret_access_key=seaweed.secret_access_key,
    )
    yield client
    client.close()


@pytest.fixture
def lose_answer(monkeypatch) -> Callable[[Callable[[Request], bool]], list[int]]:
    """Has the answer to the first request of a kind never come; the statuses that were lost."""

    def lose_answer(meant: Callable[[Request], bool]) -> list[int]:
        real = request_module._answered
        lost: list[int] = []

        def losing(settings, request):
            answer = real(settings, request)
            if meant(request) and not lost:
                answer.read()
                answer.close()
                lost.append(answer.status)
                raise ConnectionResetError("the answer never came")
            return answer

        monkeypatch.setattr(request_module, "_answered", losing)
        return lost

    return lose_answer


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


@pytest.fixture
def cache(bucket) -> FrameCache:
    """Frames on the real SeaweedFS, none yet."""
    return FrameCache("match-01")


@pytest.fixture
def files(tmp_path) -> list[Path]:
    """The files of 12 frames."""
    return made(tmp_path / "made", 12)


@pytest.fixture
def asked(monkeypatch) -> Counter[str]:
    """The requests that this process makes from now on."""
    found: Counter[str] = Counter()
    real = request_module._answered

    def counting(settings, request):
        found[request.operation] += 1
        return real(settings, request)

    monkeypatch.setattr(request_module, "_answered", counting)
    return found
