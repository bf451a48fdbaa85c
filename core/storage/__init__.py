"""S3 for media pipelines, on the store that the environment names.

Importing this package reads nothing, connects nowhere and imports no boto3; the first call does. `BUCKET_IN` and
`BUCKET_OUT` are the names of the environment's two buckets, read at each use.
"""

from importlib import import_module as _import_module

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

TYPE_CHECKING: bool = False  # as in `typing`, whose import costs as much as this whole package
if TYPE_CHECKING:
    from core.storage._boto.clients import get_s3_client
    from core.storage._boto.presign import get_presigned_url
    from core.storage._frames.cache import FrameCache
    from core.storage._frames.manifest import CachedFrame, FrameManifest
    from core.storage._keys import safe_path
    from core.storage._listing.list_objects import list_objects
    from core.storage._objects import ObjectInfo
    from core.storage._objects.delete import delete_many, delete_object
    from core.storage._objects.info import get_object_info, object_exists
    from core.storage._results import BulkProgress, TransferResult
    from core.storage._transfer.download import download_file
    from core.storage._transfer.download_bytes import download_bytes
    from core.storage._transfer.download_many import download_many
    from core.storage._transfer.object_file import open_object
    from core.storage._transfer.temporary import download_to_temp, temporary_download
    from core.storage._transfer.upload import upload_bytes, upload_file
    from core.storage._transfer.upload_many import upload_many
    from core.storage.settings import Settings

    #: The name of the bucket of source videos.
    BUCKET_IN: str
    #: The name of the bucket of frames, overlays and other derived objects.
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
    "delete_many",
    "delete_object",
    "download_bytes",
    "download_file",
    "download_many",
    "download_to_temp",
    "get_object_info",
    "get_presigned_url",
    "get_s3_client",
    "list_objects",
    "object_exists",
    "open_object",
    "safe_path",
    "temporary_download",
    "upload_bytes",
    "upload_file",
    "upload_many",
]

#: The modules of the names that are imported at their first use (PEP 562): until then, they would only cost time.
_LAZY = {
    "BulkProgress": "_results",
    "CachedFrame": "_frames.manifest",
    "FrameCache": "_frames.cache",
    "FrameManifest": "_frames.manifest",
    "ObjectInfo": "_objects",
    "Settings": "settings",
    "TransferResult": "_results",
    "delete_many": "_objects.delete",
    "delete_object": "_objects.delete",
    "download_bytes": "_transfer.download_bytes",
    "download_file": "_transfer.download",
    "download_many": "_transfer.download_many",
    "download_to_temp": "_transfer.temporary",
    "get_object_info": "_objects.info",
    "get_presigned_url": "_boto.presign",
    "get_s3_client": "_boto.clients",
    "list_objects": "_listing.list_objects",
    "object_exists": "_objects.info",
    "open_object": "_transfer.object_file",
    "safe_path": "_keys",
    "temporary_download": "_transfer.temporary",
    "upload_bytes": "_transfer.upload",
    "upload_file": "_transfer.upload",
    "upload_many": "_transfer.upload_many",
}


if not TYPE_CHECKING:  # a type checker would accept every misspelt name

    def __getattr__(name: str) -> object:
        if name in {"BUCKET_IN", "BUCKET_OUT"}:
            # Not kept in this module: the environment may change between two uses.
            settings = _import_module("core.storage._config.current").current_settings()
            return settings.bucket("in" if name == "BUCKET_IN" else "out")
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(_import_module(f"{__name__}.{_LAZY[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    # IPython, Jupyter and the interactive interpreter complete these names.
    private = {name for name in globals() if name.startswith("_") and not name.endswith("__")}
    return sorted({*globals(), *__all__} - private - {"TYPE_CHECKING"})
