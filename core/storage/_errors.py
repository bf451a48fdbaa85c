"""The errors of `core.storage`, of which `StorageError` is the base class.

The others are also the builtin exception that fits, so that ``except FileNotFoundError`` works without an import
from here.
"""

from __future__ import annotations

from core.storage._public import public


class StorageError(Exception):
    """The base class of all errors of `core.storage`. Pickling keeps all attributes.

    Attributes:
        bucket: the bucket's name, if one is concerned.
        key: the object key, if an object is concerned.
        operation: the S3 operation that failed, such as ``GetObject``.
        code: the error code in the store's response, such as ``NoSuchKey``.
        request_id: the store's id of the request, to quote to its operator.
    """

    def __init__(
        self,
        message: str,
        *,
        bucket: str | None = None,
        key: str | None = None,
        operation: str | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.bucket = bucket
        self.key = key
        self.operation = operation
        self.code = code
        self.request_id = request_id


class StorageConfigError(StorageError, ValueError):
    """A variable of the env contract is missing, or its value cannot be used."""


class UnsafeKeyError(StorageError, ValueError):
    """The key is empty, names a folder, or would lead out of the folder it belongs in."""


class LayoutError(StorageError, ValueError):
    """The key is not in the layout of `core.storage.keys`, or an object is not a valid manifest of frames."""


class BucketNotFoundError(StorageError, FileNotFoundError):
    """The bucket does not exist on this store."""


class ObjectNotFoundError(StorageError, FileNotFoundError):
    """The bucket holds no object with this key."""


class AccessDeniedError(StorageError, PermissionError):
    """The access key is valid, but lacks the permission for this operation."""


class InvalidCredentialsError(StorageError, PermissionError):
    """The store does not know the access key, or the secret access key is wrong."""


class ExpiredCredentialsError(StorageError, PermissionError):
    """The temporary credentials have expired."""


class ClockSkewError(StorageError):
    """The clock of this machine differs from the store's by more than it accepts (15 minutes on AWS)."""


class WrongRegionError(StorageError):
    """The bucket is in another region than the one that requests are signed for."""


class ObjectChangedError(StorageError):
    """The object was replaced while it was read. The bytes received before that were discarded."""


class IntegrityError(StorageError):
    """The received bytes differ from the object in size or checksum. They were discarded."""


class InvalidResponseError(StorageError):
    """The response is not one of S3, whatever its status: a proxy, a login page or a wrong port sent it."""


class StoreUnreachableError(StorageError, ConnectionError):
    """The store did not respond, or every attempt of the request ended in a retryable error."""


for _error in (StorageError, *StorageError.__subclasses__()):
    public(_error)
