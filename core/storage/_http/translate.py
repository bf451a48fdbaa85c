"""From what a store answers, and from what connections and botocore raise, to the errors of this library."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from core.storage._config.mask import hint
from core.storage._errors import InvalidResponseError, StorageConfigError, StorageError, StoreUnreachableError
from core.storage._http.authorities import variable
from core.storage._http.clock import ahead
from core.storage._http.codes import (
    BUSY,
    BY_STATUS,
    CODES,
    NO_CREDENTIALS,
    NO_NAME,
    NOT_S3,
    PASSING,
    PASSING_STATUS,
    PROXY,
    SILENCE,
    TLS,
)
from core.storage._http.faults import ProxyError
from core.storage._http.response import first_words, leaves, root_of

#: Seconds. A smaller difference is only the time that the answer took.
_VISIBLE_SKEW = 60

_NOT_FOUND = 404
#: Characters of a Content-Type that are shown.
_LONGEST_TYPE = 60
#: Characters that are shown of a text from the server.
_LONGEST_TEXT = 1000

#: What looks like an access key id: a message of a store may quote it.
_KEY_ID = re.compile(r"\b(AKIA|ASIA|GOOG)[A-Z0-9]{8,}\b")


#: What a connection that failed says.
_LOST = ((ProxyError, PROXY), (socket.gaierror, NO_NAME))


class Attempt(NamedTuple):
    """What was tried when the error came."""

    operation: str
    bucket: str
    key: str | None = None

    @property
    def place(self) -> str:
        """The bucket or object."""
        return self.bucket if self.key is None else f"{self.bucket}/{self.key}"


class Refusal(NamedTuple):
    """Why a request failed, and whether that may pass."""

    error: StorageError
    passing: bool
    cause: Exception | None = None
    #: Of the answer, if there was one.
    headers: Mapping[str, str] = {}


def refusal(status: int, headers: Mapping[str, str], body: bytes, tried: Attempt) -> Refusal:
    """The error in an answer that is none of success."""
    said = leaves(body) if root_of(body) == "Error" else {}
    if not said.get("Code") and not _is_without_code(status, headers, body, tried):
        return _without_document(status, headers, body, tried)
    answer = {
        "Error": said,
        "ResponseMetadata": {
            "HTTPStatusCode": status,
            "HTTPHeaders": headers,
            "RequestId": headers.get("x-amz-request-id") or said.get("RequestId"),
        },
    }
    passing = said.get("Code") in PASSING or status in PASSING_STATUS
    return Refusal(_from_answer(answer, tried), passing, headers=headers)


def _is_without_code(status: int, headers: Mapping[str, str], body: bytes, tried: Attempt) -> bool:
    """Whether the response is S3's although it names no code: a response to HEAD has no body at all."""
    from_s3 = root_of(body) == "Error" or ("x-amz-request-id" in headers and not body)
    return tried.operation == "HeadObject" or (from_s3 and status != _NOT_FOUND)


def _without_document(status: int, headers: Mapping[str, str], body: bytes, tried: Attempt) -> Refusal:
    """Return the error for a response that says nothing in the way of S3: absence is believed from S3 alone."""
    if status not in BY_STATUS:
        return not_s3(status, headers, body, "no error code of S3", tried)
    kind, sentence = BY_STATUS[status]
    location = _visible(headers.get("location") or "an address that it does not name")
    error = unanswered_error(kind, sentence.format(status=status, location=location), tried)
    error.code, error.request_id = str(status), headers.get("x-amz-request-id")
    return Refusal(error, status in PASSING_STATUS, headers=headers)


def not_s3(
    status: int, headers: Mapping[str, str], body: bytes, problem: str, tried: Attempt, *, passing: bool = False
) -> Refusal:
    """Return the error for a response that no S3 API gives.

    Args:
        status: of the response.
        headers: of the response.
        body: of the response, or its beginning.
        problem: how the response differs from S3's, as `header_problem` says it.
        tried: the request.
        passing: whether the same request is worth another attempt.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip()[:_LONGEST_TYPE]
    words = first_words(headers, body)
    sentence = NOT_S3.format(
        status=status,
        kind=f"Content-Type {kind}" if kind else "no Content-Type",
        words=f" ({words!r})" if words else "",
        problem=problem,
    )
    error = unanswered_error(InvalidResponseError, sentence, tried)
    error.request_id = headers.get("x-amz-request-id")
    return Refusal(error, passing, headers=headers)


def from_connection(error: OSError, tried: Attempt) -> Refusal:
    """The error for a request without an answer."""
    import ssl  # noqa: PLC0415  # 10 ms, and here something has gone wrong already

    if isinstance(error, ssl.SSLError):
        # A certificate that is not trusted now will not be in a second.
        kind, sentence = _handshake(str(error))
        passing = isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError))
    else:
        sentence = next((found for family, found in _LOST if isinstance(error, family)), SILENCE)
        sentence = sentence.format(error=str(error) or type(error).__name__)
        kind, passing = StoreUnreachableError, True
    return Refusal(unanswered_error(kind, sentence, tried), passing, error)


@contextmanager
def translated(operation: str, bucket: str, key: str | None = None) -> Iterator[None]:
    """Raise the errors of botocore as those of this library, with the original as their cause."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  # after an error of it alone

        if isinstance(error, ClientError):
            raise _from_answer(error.response, Attempt(operation, bucket, key)) from error
        if isinstance(error, BotoCoreError):
            raise _from_client(error, Attempt(operation, bucket, key)) from error
        raise


def _from_answer(answer: Any, tried: Attempt) -> StorageError:
    metadata = answer.get("ResponseMetadata", {})
    error = answer.get("Error", {})
    code = str(error.get("Code") or metadata.get("HTTPStatusCode") or "")
    kind, sentence = CODES.get(code) or _by_status(metadata) or (StorageError, "{operation} on {place} failed")
    sentence = sentence.format(
        bucket=tried.bucket,
        key=tried.key,
        operation=tried.operation,
        place=tried.place,
        skew=_skew(metadata),
        region=_region(error, metadata),
    )
    request_id = metadata.get("RequestId") or metadata.get("HTTPHeaders", {}).get("x-amz-request-id")
    return kind(
        f"{sentence} ({_said(code, error)})",
        bucket=tried.bucket,
        key=tried.key,
        operation=tried.operation,
        code=code or None,
        request_id=request_id,
    )


def _by_status(metadata: Any) -> tuple[type[StorageError], str] | None:
    """For codes that only one store uses: a fault of the server is a fault of the server."""
    status = metadata.get("HTTPStatusCode", 0)
    return BUSY if status in {429, 502, 503, 504} else None


def _said(code: str, error: Any) -> str:
    message = str(error.get("Message") or "").strip()
    text = f"the store said {code}: {message}" if message else f"the store said {code or 'nothing'}"
    if access_key_id := str(error.get("AWSAccessKeyId") or ""):
        text = text.replace(access_key_id, hint(access_key_id))
    return _KEY_ID.sub(lambda found: hint(found[0]), _visible(text))


def _visible(text: str) -> str:
    """Return a text of the server without what could change a terminal, and not too long."""
    return "".join(one if one.isprintable() else " " for one in text[:_LONGEST_TEXT])


def _skew(metadata: Any) -> str:
    """How far this clock is from the store's, as far as its Date header tells."""
    seconds = ahead(metadata.get("HTTPHeaders", {})) or 0
    if abs(seconds) < _VISIBLE_SKEW:
        return "the clock of this machine differs too much from the store's"
    side = "ahead of" if seconds > 0 else "behind"
    return f"the clock of this machine is {abs(seconds)} s {side} the store's"


def _region(error: Any, metadata: Any) -> str:
    region = error.get("Region") or metadata.get("HTTPHeaders", {}).get("x-amz-bucket-region")
    return f"; set AWS_REGION to {region}" if region else "; set AWS_REGION to the region of the bucket"


def _from_client(error: Exception, tried: Attempt) -> StorageError:
    """The request got no answer at all, or was never sent."""
    return unanswered_error(*_unanswered(error), tried)


def unanswered_error(kind: type[StorageError], sentence: str, tried: Attempt) -> StorageError:
    """Return the error for a request that got no response of the store, or was not sent."""
    return kind(
        f"{tried.operation} on {tried.place}: {sentence}",
        bucket=tried.bucket,
        key=tried.key,
        operation=tried.operation,
    )


def _unanswered(error: Exception) -> tuple[type[StorageError], str]:
    import botocore.exceptions as known  # noqa: PLC0415  # loaded by now, with the client

    if isinstance(error, known.SSLError):
        return _handshake(str(error.kwargs["error"]))
    unreachable = (known.ConnectionError, known.HTTPClientError)
    table: tuple[tuple[Any, type[StorageError], str], ...] = (
        (known.ProxyConnectionError, StoreUnreachableError, PROXY),
        (unreachable, StoreUnreachableError, SILENCE),
        ((known.NoCredentialsError, known.PartialCredentialsError), StorageConfigError, NO_CREDENTIALS),
        ((known.ParamValidationError, known.InvalidConfigError), StorageConfigError, "{error}"),
        (Exception, StorageError, "{error}"),
    )
    kind, sentence = next((kind, sentence) for family, kind, sentence in table if isinstance(error, family))
    return kind, sentence.format(error=error)


def _handshake(said: str) -> tuple[type[StorageError], str]:
    """What OpenSSL said, without the URL around it: a key may hold any of the words."""
    kind, sentence = next((kind, sentence) for pattern, kind, sentence in TLS if re.search(pattern, said))
    return kind, sentence.format(error=said, variable=variable())
