"""S3 for media pipelines, on whatever store the environment names.

Importing this package reads nothing, connects nowhere and imports no boto3; all of that waits for the first
call. `BUCKET_IN` and `BUCKET_OUT` are the names of the environment's two buckets, read when they are asked
for.
"""

from importlib import import_module

from core.storage._errors import (
    AccessDeniedError,
    BucketNotFoundError,
    ClockSkewError,
    ExpiredCredentialsError,
    IntegrityError,
    InvalidCredentialsError,
    InvalidResponseError,
    LayoutError,
    ObjectChangedError,
    ObjectNotFoundError,
    StorageConfigError,
    StorageError,
    StoreUnreachableError,
    UnsafeKeyError,
    WrongRegionError,
)

TYPE_CHECKING = False  # as in `typing`, whose import costs as much as this whole package
if TYPE_CHECKING:
    from core.storage._boto.clients import get_s3_client
    from core.storage._boto.presign import get_presigned_url
    from core.storage._frames.cache import FrameCache
    from core.storage._frames.manifest import CachedFrame, FrameManifest
    from core.storage._keys import safe_path
    from core.storage._listing.list_objects import list_objects
    from core.storage._objects import ObjectInfo
    from core.storage._results import BulkProgress, TransferResult
    from core.storage._transfer.download import download_file
    from core.storage._transfer.download_many import download_many
    from core.storage._transfer.temporary import download_to_temp, temporary_download
    from core.storage._transfer.upload import upload_file
    from core.storage._transfer.upload_many import upload_many
    from core.storage.settings import Settings

    #: The name of the bucket of source videos.
    BUCKET_IN: str
    #: The name of the bucket of frames, overlays and everything else that is derived.
    BUCKET_OUT: str

__all__ = [
    "BUCKET_IN",
    "BUCKET_OUT",
    "AccessDeniedError",
    "BucketNotFoundError",
    "BulkProgress",
    "CachedFrame",
    "ClockSkewError",
    "ExpiredCredentialsError",
    "FrameCache",
    "FrameManifest",
    "IntegrityError",
    "InvalidCredentialsError",
    "InvalidResponseError",
    "LayoutError",
    "ObjectChangedError",
    "ObjectInfo",
    "ObjectNotFoundError",
    "Settings",
    "StorageConfigError",
    "StorageError",
    "StoreUnreachableError",
    "TransferResult",
    "UnsafeKeyError",
    "WrongRegionError",
    "download_file",
    "download_many",
    "download_to_temp",
    "get_presigned_url",
    "get_s3_client",
    "list_objects",
    "safe_path",
    "temporary_download",
    "upload_file",
    "upload_many",
]

#: Where each name comes from that is not worth its import before it is used (PEP 562).
_LAZY = {
    "BulkProgress": "_results",
    "CachedFrame": "_frames.manifest",
    "FrameCache": "_frames.cache",
    "FrameManifest": "_frames.manifest",
    "ObjectInfo": "_objects",
    "Settings": "settings",
    "TransferResult": "_results",
    "download_file": "_transfer.download",
    "download_many": "_transfer.download_many",
    "download_to_temp": "_transfer.temporary",
    "get_presigned_url": "_boto.presign",
    "get_s3_client": "_boto.clients",
    "list_objects": "_listing.list_objects",
    "safe_path": "_keys",
    "temporary_download": "_transfer.temporary",
    "upload_file": "_transfer.upload",
    "upload_many": "_transfer.upload_many",
}


def _lazily(name: str) -> object:
    if name in {"BUCKET_IN", "BUCKET_OUT"}:
        # Not kept: the environment may be loaded, or changed, between two uses.
        current = import_module("core.storage._config.current").current_settings()
        return current.bucket("in" if name == "BUCKET_IN" else "out")
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


if not TYPE_CHECKING:  # a type checker that saw it would believe in every misspelt name
    __getattr__ = _lazily


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
