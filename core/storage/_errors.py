"""The errors of `core.storage`.

    StorageError
    ├── StorageConfigError (ValueError)            a variable of the env contract is missing or wrong
    ├── UnsafeKeyError (ValueError)                a key that would leave its folder, or names no object
    ├── LayoutError (ValueError)                   a key or manifest that is not as the buckets are laid out
    ├── BucketNotFoundError (FileNotFoundError)
    ├── ObjectNotFoundError (FileNotFoundError)
    ├── AccessDeniedError (PermissionError)        the key works, the right is missing
    ├── InvalidCredentialsError (PermissionError)  the store does not know the key, or the secret is wrong
    ├── ExpiredCredentialsError (PermissionError)
    ├── ClockSkewError                             this machine's clock is too far from the store's
    ├── WrongRegionError
    ├── ObjectChangedError                         the object was replaced while it was read
    ├── IntegrityError                             the bytes that arrived are not the object
    ├── InvalidResponseError                       the response is not S3's: a proxy, a login page, a wrong port
    └── StoreUnreachableError (ConnectionError)    no answer, or no useful one after every retry

Leaves are also the builtin exception that fits, so that ``except FileNotFoundError`` works without an
import from here.
"""

from __future__ import annotations

from core.storage._public import public


@public
class StorageError(Exception):
    """Anything that `core.storage` could not do.

    Attributes:
        bucket: the bucket concerned, if there is one.
        key: the object's key, if there is one.
        operation: the S3 operation that failed, such as ``GetObject``.
        code: the error code that the store answered with, such as ``NoSuchKey``.
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

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries (multiprocessing, concurrent.futures) with all they know.
        return (_rebuild, (type(self), self.message, self.__dict__))


def _rebuild(kind: type[StorageError], message: str, state: dict[str, object]) -> StorageError:
    error = kind(message)
    error.__dict__.update(state)
    return error


@public
class StorageConfigError(StorageError, ValueError):
    """A variable of the env contract is missing, or its value cannot be used."""


@public
class UnsafeKeyError(StorageError, ValueError):
    """The key is empty, names a folder, or would lead out of the folder it belongs in."""


@public
class LayoutError(StorageError, ValueError):
    """The key is none of `core.storage.keys`, or what stands where a manifest of frames belongs is none."""


@public
class BucketNotFoundError(StorageError, FileNotFoundError):
    """The bucket does not exist on this store."""


@public
class ObjectNotFoundError(StorageError, FileNotFoundError):
    """The bucket holds no object with this key."""


@public
class AccessDeniedError(StorageError, PermissionError):
    """The credentials are known, but may not do this."""


@public
class InvalidCredentialsError(StorageError, PermissionError):
    """The store does not know the access key, or the secret does not belong to it."""


@public
class ExpiredCredentialsError(StorageError, PermissionError):
    """Temporary credentials have run out."""


@public
class ClockSkewError(StorageError):
    """The clock of this machine differs from the store's by more than it accepts (15 minutes on AWS)."""


@public
class WrongRegionError(StorageError):
    """The bucket lives in another region than the client signs for."""


@public
class ObjectChangedError(StorageError):
    """The object was replaced while it was being read; what had arrived was thrown away."""


@public
class IntegrityError(StorageError):
    """The bytes that arrived differ from the object in size or hash; they were thrown away."""


@public
class InvalidResponseError(StorageError):
    """The response is not one that an S3 API gives, whatever its status: nothing was done because of it."""


@public
class StoreUnreachableError(StorageError, ConnectionError):
    """The store did not answer, or answered with a passing fault until the retries ran out."""
