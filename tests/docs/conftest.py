"""The fixtures of the tests of pages; some are those of `infra`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import REPO
from tests.docs._blocks import blocks
from tests.infra.conftest import environments, minio, minio_environment, seaweed_store

__all__ = ["environments", "minio", "minio_environment", "seaweed_store"]


@pytest.fixture
def run_blocks(seaweed, monkeypatch) -> Callable[..., dict[str, Any]]:
    """Run the Python blocks of a page in order, with new buckets of this name; return their names.

    Names that the page takes for granted, such as the user's own files, are arguments.
    """

    def run(page: str, bucket: str, **names: object) -> dict[str, Any]:
        client = seaweed.client("s3")
        client.create_bucket(Bucket=bucket)
        client.create_bucket(Bucket=f"{bucket}-in")
        client.close()
        variables = {
            "S3_ENDPOINT_URL": seaweed.endpoint,
            "S3_BUCKET_IN": f"{bucket}-in",
            "S3_BUCKET_OUT": bucket,
            "AWS_ACCESS_KEY_ID": seaweed.access_key_id,
            "AWS_SECRET_ACCESS_KEY": seaweed.secret_access_key,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        namespace: dict[str, Any] = {**names}
        for block in blocks((REPO / page).read_text(encoding="utf-8"), "python"):
            exec(compile(block, page, "exec", dont_inherit=True), namespace)  # noqa: S102  # the page's own code
        return namespace

    return run
