"""The fixtures of `infra` that the tests of pages use."""

from __future__ import annotations

from tests.infra.conftest import environments, minio, minio_environment, seaweed_store

__all__ = ["environments", "minio", "minio_environment", "seaweed_store"]
