from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.job import Sizes
from bench.store import KEYS, boto3_client
from bench.testbed import Testbed, create_files, fill
from tests.conftest import Store


@pytest.fixture(scope="session")
def testbed(seaweed: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """The tests' SeaweedFS with what the clients download; the clients are those of `stub_clients`."""
    # The clients are other processes, which know these keys alone.
    assert (seaweed.access_key_id, seaweed.secret_access_key) == tuple(KEYS.values())
    sizes = Sizes(objects=6, object_bytes=1000, big_bytes=0, keys=7)
    files = create_files(tmp_path_factory.mktemp("bench") / "files", sizes)
    command = (sys.executable, str(Path(__file__).with_name("stub_clients.py")))
    source = f"bench-{uuid.uuid4().hex[:12]}"
    testbed = Testbed(seaweed.endpoint, seaweed.endpoint, None, files, source, sizes, command)
    fill(testbed)
    yield testbed
    boto3_client(testbed.plain).delete_bucket(Bucket=source)
