# The type of the client in an application without boto3-stubs.

from typing import Any

__all__ = ["S3Client"]

class S3Client(Any): ...  # type: ignore[misc]
