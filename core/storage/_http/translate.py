"""Make the errors of this library from failed responses, and from errors of connections and of botocore."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from core.storage._config.mask import mask
from core.storage._errors import InvalidResponseError, StorageConfigError, StorageError, StoreUnreachableError
from core.storage._http.authorities import variable
from core.storage._http.clock import seconds_ahead
from core.storage._http.codes import (
    BUSY,
    BY_STATUS,
    CODES,
    NO_CREDENTIALS,
    NO_RESPONSE,
    NOT_S3,
    PROXY,
    TLS,
    UNRESOLVED,
)
from core.storage._http.faults import ProxyError
from core.storage._http.response import first_words, leaves, root_of
from core.storage._http.retry import RETRYABLE_CODES, RETRYABLE_STATUSES

#: Seconds. A smaller difference of two clocks is the time that the response took.
_VISIBLE_SKEW = 60
_BAD_REQUEST, _NOT_FOUND = 400, 404
#: The most characters that are shown of a Content-Type, and of a text from the server.
_LONGEST_TYPE = 60
_LONGEST_TEXT = 1000
#: An access key ID: the message of a store may quote one.
_ACCESS_KEY_ID = re.compile(r"\b(AKIA|ASIA|GOOG)[A-Z0-9]{8,}\b")


class Attempt(NamedTuple):
    """The operation that failed, for messages."""

    operation: str
    bucket: str
    key: str | None = None

    @property
    def place(self) -> str:
        """The bucket or object."""
        return self.bucket if self.key is None else f"{self.bucket}/{self.key}"

    def error(self, kind: type[StorageError], sentence: str) -> StorageError:
        """Return an error of this kind that begins with the operation."""
        message = f"{self.operation} on {self.place}: {sentence}"
        return kind(message, bucket=self.bucket, key=self.key, operation=self.operation)


class Failure(NamedTuple):
    """Why a request failed, and whether the same request may succeed later."""

    error: StorageError
    retryable: bool
    cause: Exception | None = None
    #: Of the response, if there was one.
    headers: Mapping[str, str] = {}


def from_response(status: int, headers: Mapping[str, str], body: bytes, attempt: Attempt) -> Failure:
    """Return the error for a response with an error status."""
    document = leaves(body) if root_of(body) == "Error" else {}
    if not document.get("Code") and not _is_without_code(status, headers, body, attempt):
        return _without_document(status, headers, body, attempt)
    metadata = {
        "HTTPStatusCode": status,
        "HTTPHeaders": headers,
        "RequestId": headers.get("x-amz-request-id") or document.get("RequestId"),
    }
    error = _from_error({"Error": document, "ResponseMetadata": metadata}, attempt)
    retryable = document.get("Code") in RETRYABLE_CODES or status in RETRYABLE_STATUSES
    return Failure(error, retryable, headers=headers)


def _is_without_code(status: int, headers: Mapping[str, str], body: bytes, attempt: Attempt) -> bool:
    """Return whether the response is S3's although it names no code: a response to HEAD has no body at all."""
    from_s3 = root_of(body) == "Error" or ("x-amz-request-id" in headers and not body)
    if attempt.operation == "HeadObject":  # no store redirects but by a 301 for another region
        return from_s3 or status >= _BAD_REQUEST or str(status) in CODES
    return from_s3 and status != _NOT_FOUND


def _without_document(status: int, headers: Mapping[str, str], body: bytes, attempt: Attempt) -> Failure:
    """Return the error for a response without S3's error document: no 404 of another server proves absence."""
    if status not in BY_STATUS:
        return not_s3(status, headers, body, "no error code of S3", attempt)
    kind, sentence = BY_STATUS[status]
    # Without the query, in which login pages put tokens.
    location = _visible((headers.get("location") or "an address that it does not name").partition("?")[0])
    error = attempt.error(kind, sentence.format(status=status, location=location))
    error.code, error.request_id = str(status), headers.get("x-amz-request-id")
    return Failure(error, status in RETRYABLE_STATUSES, headers=headers)


def not_s3(status: int, headers: Mapping[str, str], body: bytes, problem: str, attempt: Attempt) -> Failure:
    """Return the error for a response that no S3 API gives, by its body or the beginning of that.

    `problem` is how the response differs from S3's, as `header_problem` returns it.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip()[:_LONGEST_TYPE]
    words = first_words(headers, body)
    sentence = NOT_S3.format(
        status=status,
        kind=f"Content-Type {kind}" if kind else "no Content-Type",
        words=f" ({words!r})" if words else "",
        problem=problem,
    )
    error = attempt.error(InvalidResponseError, sentence)
    error.request_id = headers.get("x-amz-request-id")
    return Failure(error, retryable=False, headers=headers)


def from_connection(error: OSError, attempt: Attempt) -> Failure:
    """Return the error for a request without a response."""
    if isinstance(error, ssl.SSLError):
        # A certificate that is not trusted now will not be trusted in a second.
        retryable = isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError))
        return Failure(attempt.error(*_of_handshake(str(error))), retryable, error)
    sentence = NO_RESPONSE
    if isinstance(error, ProxyError):
        sentence = PROXY
    elif isinstance(error, socket.gaierror):
        sentence = UNRESOLVED
    sentence = sentence.format(error=str(error) or type(error).__name__)
    return Failure(attempt.error(StoreUnreachableError, sentence), retryable=True, cause=error)


@contextmanager
def translated(operation: str, bucket: str, key: str | None = None) -> Iterator[None]:
    """Raise the errors of botocore as those of this library, with the original as their cause."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  # after an error of it alone

        attempt = Attempt(operation, bucket, key)
        if isinstance(error, ClientError):
            raise _from_error(error.response, attempt) from error
        if isinstance(error, BotoCoreError):
            raise attempt.error(*_of_botocore(error)) from error
        raise


def _from_error(response: Any, attempt: Attempt) -> StorageError:
    """Return the error for an error response, in the form that botocore parses it to."""
    metadata = response.get("ResponseMetadata", {})
    document = response.get("Error", {})
    status = metadata.get("HTTPStatusCode", 0)
    code = str(document.get("Code") or status or "")
    # A store may have codes of its own for errors of the server.
    other = BUSY if status in RETRYABLE_STATUSES else (StorageError, "{operation} on {place} failed")
    kind, sentence = CODES.get(code, other)
    sentence = sentence.format(
        bucket=attempt.bucket,
        key=attempt.key,
        operation=attempt.operation,
        place=attempt.place,
        skew=_skew(metadata),
        region=_region(document, metadata),
    )
    return kind(
        f"{sentence} ({_said(code, document)})",
        bucket=attempt.bucket,
        key=attempt.key,
        operation=attempt.operation,
        code=code or None,
        request_id=metadata.get("RequestId") or metadata.get("HTTPHeaders", {}).get("x-amz-request-id"),
    )


def _said(code: str, document: Any) -> str:
    message = str(document.get("Message") or "").strip()
    text = f"the store said {code}: {message}" if message else f"the store said {code or 'nothing'}"
    if access_key_id := str(document.get("AWSAccessKeyId") or ""):
        text = text.replace(access_key_id, mask(access_key_id))
    return _ACCESS_KEY_ID.sub(lambda found: mask(found[0]), _visible(text))


def _visible(text: str) -> str:
    """Return a text of the server without what could change a terminal, and not too long."""
    return "".join(character if character.isprintable() else " " for character in text[:_LONGEST_TEXT])


def _skew(metadata: Any) -> str:
    """Return how far this clock is from the store's, as far as its Date header tells."""
    seconds = seconds_ahead(metadata.get("HTTPHeaders", {})) or 0
    if abs(seconds) < _VISIBLE_SKEW:
        return "the clock of this machine differs too much from the store's"
    side = "ahead of" if seconds > 0 else "behind"
    return f"the clock of this machine is {abs(seconds)} s {side} the store's"


def _region(document: Any, metadata: Any) -> str:
    region = document.get("Region") or metadata.get("HTTPHeaders", {}).get("x-amz-bucket-region")
    return f"; set AWS_REGION to {region}" if region else "; set AWS_REGION to the region of the bucket"


def _of_botocore(error: Exception) -> tuple[type[StorageError], str]:
    import botocore.exceptions as known  # noqa: PLC0415  # after an error of it alone

    if isinstance(error, known.SSLError):
        return _of_handshake(str(error.kwargs["error"]))
    unreachable = (known.ConnectionError, known.HTTPClientError)
    table: tuple[tuple[Any, type[StorageError], str], ...] = (
        (known.ProxyConnectionError, StoreUnreachableError, PROXY),
        (unreachable, StoreUnreachableError, NO_RESPONSE),
        ((known.NoCredentialsError, known.PartialCredentialsError), StorageConfigError, NO_CREDENTIALS),
        ((known.ParamValidationError, known.InvalidConfigError), StorageConfigError, "{error}"),
        (Exception, StorageError, "{error}"),
    )
    kind, sentence = next((kind, sentence) for family, kind, sentence in table if isinstance(error, family))
    return kind, sentence.format(error=error)


def _of_handshake(text: str) -> tuple[type[StorageError], str]:
    """Return the error for what OpenSSL said, without the URL around it: a key may hold any of the words."""
    kind, sentence = next((kind, sentence) for pattern, kind, sentence in TLS if re.search(pattern, text))
    return kind, sentence.format(error=text, variable=variable())
