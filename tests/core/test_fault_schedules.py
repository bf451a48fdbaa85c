"""Random schedules of network faults before a real store: nothing is lost, nothing corrupt, nothing left over.

A short run is part of `make test`; `make faults` runs 2,000 schedules.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.storage import StorageError, TransferResult, download_file, download_many, upload_file
from core.storage._boto import clients
from tests.core._fault_proxy import Fault, FaultProxy

SCHEDULES = int(os.environ.get("FAULT_SCHEDULES", "8"))
#: Around the bounds of pieces, parts and buffers.
SIZES = (0, 1, 1000, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 1024 * 1024, 1024 * 1024 + 1, 3 * 1024 * 1024)
PART = 5 * 1024 * 1024
LARGE = 2 * PART + 1

faults = st.builds(
    Fault,
    kind=st.sampled_from(["cut", "reset", "slow", "flip", "duplicate"]),
    at=st.one_of(st.integers(0, 3000), st.integers(0, 4 * 1024 * 1024)),
    response=st.booleans(),
)
schedules = st.lists(faults, max_size=8)
thorough = settings(
    max_examples=SCHEDULES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass
class Rig:
    """A bucket on the real store, and the way to it that does harm."""

    proxy: FaultProxy
    endpoint: str
    bucket: str
    folder: Path
    use: Callable[..., None]
    #: Not of the library, whose clients every schedule begins without: to make one takes longer than a transfer.
    client: Any
    contents: dict[int, bytes] = field(repr=False)

    def disturb(self, schedule: list[Fault]) -> None:
        """From now on, new connections have these faults; there are no old ones."""
        clients.forget_clients()
        self.proxy.schedule = deque(schedule)
        self.use(self.proxy.endpoint, self.bucket)

    def file(self, size: int) -> Path:
        source = self.folder / "source"
        source.write_bytes(self.contents[size])
        return source

    def stored(self, key: str) -> bytes | None:
        """What the store really holds."""
        self.use(self.endpoint, self.bucket)
        try:
            return bytes(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        except self.client.exceptions.NoSuchKey:
            return None


@pytest.fixture
def store(seaweed):
    """One is enough: what happens on the way does not depend on it."""
    return seaweed


@pytest.fixture(scope="module")
def proxy(seaweed):
    parts = urlsplit(seaweed.endpoint)
    made = FaultProxy(parts.hostname or "", parts.port or 0)
    yield made
    made.close()


@pytest.fixture(scope="module")
def contents():
    return {size: os.urandom(size) for size in (*SIZES, LARGE)}


@pytest.fixture
def impatient(pauses, read_timeout):
    read_timeout(2)


@pytest.fixture
def client(admin, seaweed):
    return admin(seaweed)


@pytest.fixture
def rig(client, bucket, proxy, use, contents, tmp_path, impatient):
    return Rig(proxy, client.meta.endpoint_url, bucket, tmp_path, use, client, contents)


@thorough
@given(schedule=schedules, size=st.sampled_from(SIZES))
def test_a_download_is_the_object_or_an_error(schedule, size, rig):
    key = f"{size}"
    if rig.stored(key) is None:
        upload_file(rig.file(size), rig.bucket, key)
    target = rig.folder / "target"
    target.write_bytes(b"old")
    rig.disturb(schedule)
    try:
        info = download_file(rig.bucket, key, target)
    except StorageError:
        assert target.read_bytes() == b"old"
    else:
        assert target.read_bytes() == rig.contents[size]
        assert info.size == size
        # A flipped bit in the ETag can leave none to go by: the result says so.
        assert info.verified_by == "md5" or (info.verified_by == "size" and flipped(schedule))
    assert not list(rig.folder.glob(".mpr-*"))


def flipped(schedule: list[Fault]) -> bool:
    return any(one.kind == "flip" and one.response for one in schedule)


@pytest.mark.parametrize("response", [True, False])
@pytest.mark.parametrize("at", [0, 100, 500_000])
def test_a_connection_without_bytes_is_replaced_by_another(rig, read_timeout, at, response):
    read_timeout(1)
    size = 1024 * 1024
    source = rig.file(size)
    rig.disturb([Fault("stall", at, response=response)] * 2)
    assert upload_file(source, rig.bucket, "k").size == size
    rig.disturb([Fault("stall", at, response=response)] * 2)
    assert download_file(rig.bucket, "k", rig.folder / "k").verified_by == "md5"


@thorough
@given(schedule=schedules, size=st.sampled_from(SIZES))
def test_an_upload_is_the_file_or_an_error(schedule, size, rig):
    upload_and_look(rig, schedule, size)


@settings(thorough, max_examples=min(SCHEDULES, max(10, SCHEDULES // 10)))
@given(schedule=st.lists(faults, max_size=12))
@pytest.mark.usefixtures("small_parts")
def test_an_upload_in_parts_is_the_file_or_an_error(schedule, rig):
    upload_and_look(rig, schedule, LARGE)


def upload_and_look(rig: Rig, schedule: list[Fault], size: int) -> None:
    key = uuid.uuid4().hex
    source = rig.file(size)
    rig.disturb(schedule)
    try:
        upload_file(source, rig.bucket, key)
    except StorageError:
        assert rig.stored(key) in {None, rig.contents[size]}
    else:
        assert rig.stored(key) == rig.contents[size]


#: What sends a request twice gets two responses, and the second passes for that to the next request: HTTP/1.1 has
#: nothing to tell them apart by. Of one object, as above, it is the same.
_no_request_twice = faults.filter(lambda one: one.response or one.kind != "duplicate")


@settings(thorough, max_examples=min(SCHEDULES, max(5, SCHEDULES // 10)))
@given(schedule=st.lists(_no_request_twice, max_size=12))
def test_many_downloads_have_a_result_each_and_no_wrong_byte(schedule, rig):
    if rig.stored("many/0") is None:
        for size in SIZES:
            upload_file(rig.file(size), rig.bucket, f"many/{size}")
    items = [(rig.bucket, f"many/{size}") for size in SIZES]
    with tempfile.TemporaryDirectory(dir=rig.folder) as folder:
        rig.disturb(schedule)
        results = list(download_many(items, folder, workers=4))
        assert {one.item for one in results} == set(items)
        assert len(results) == len(items)
        there = {path.name: path.read_bytes() for path in Path(folder, "many").iterdir()}
    assert there == {str(size): rig.contents[size] for size in SIZES if f"many/{size}" in done(results)}


def done(results: list[TransferResult[Any]]) -> set[str]:
    return {one.info.key for one in results if one.info}
