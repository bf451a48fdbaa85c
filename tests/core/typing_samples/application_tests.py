"""A test of an application, with the fixture of `core.storage.testing`. Type checkers read it; it never runs."""

from __future__ import annotations

from typing import assert_type

from core.storage import Settings, upload_bytes
from core.storage.testing import FakeStorage

pytest_plugins = ["core.storage.testing"]


def test_upload(storage: FakeStorage) -> None:
    storage.fail("PutObject", code="SlowDown", times=2)
    storage.slow("PutObject", seconds=0.1)
    storage.corrupt("PutObject")
    upload_bytes(b"", storage.bucket_out, "k")
    assert_type(storage.requests, list[str])
    assert_type((storage.bucket_in, storage.bucket_out), tuple[str, str])
    assert_type(storage.settings, Settings)
