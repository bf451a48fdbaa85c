"""S3 for media pipelines, on whatever store the environment names."""

from core.storage._errors import (
    AccessDeniedError,
    BucketNotFoundError,
    ClockSkewError,
    ExpiredCredentialsError,
    IntegrityError,
    InvalidCredentialsError,
    ObjectChangedError,
    ObjectNotFoundError,
    StorageConfigError,
    StorageError,
    StoreUnreachableError,
    UnsafeKeyError,
    WrongRegionError,
)

__all__ = [
    "AccessDeniedError",
    "BucketNotFoundError",
    "ClockSkewError",
    "ExpiredCredentialsError",
    "IntegrityError",
    "InvalidCredentialsError",
    "ObjectChangedError",
    "ObjectNotFoundError",
    "StorageConfigError",
    "StorageError",
    "StoreUnreachableError",
    "UnsafeKeyError",
    "WrongRegionError",
]
