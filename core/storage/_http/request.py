"""Requests to a bucket: addressed, signed, sent and retried; a failure is raised as a `StorageError`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, TypeVar

from core.storage import _engine, _telemetry
from core.storage._boto.signature import Keys, payload_hash, sign
from core.storage._boto.signing_keys import keys_of
from core.storage._config.current import current_settings
from core.storage._errors import StorageConfigError
from core.storage._http import pool, retry
from core.storage._http.address import Address, address_of
from core.storage._http.codes import NO_CREDENTIALS
from core.storage._http.faults import StaleError
from core.storage._http.framing import Response
from core.storage._http.response import BEGINNING, SETTLED_BY_RETRY, body_problem, header_problem, root_of
from core.storage._http.translate import (
    Attempt,
    Failure,
    from_connection,
    from_response,
    not_s3,
    translated,
)
from core.storage.settings import Settings

_METHODS = {
    "AbortMultipartUpload": "DELETE",
    "CompleteMultipartUpload": "POST",
    "CreateMultipartUpload": "POST",
    "DeleteObject": "DELETE",
    "GetObject": "GET",
    "HeadObject": "HEAD",
    "ListObjectsV2": "GET",
    "PutObject": "PUT",
    "UploadPart": "PUT",
}
#: Sent and not signed: what proxies on the way may change without breaking the signature (GCS' own does).
_PLAIN = "User-Agent: mpr-storage\r\n"
#: Operations whose response is the content of an object, or describes it. No other response may be compressed.
_OF_CONTENT = frozenset({"GetObject", "HeadObject"})
_FAILED_LATE = 500
#: Connections that had gone stale, in a row, until that counts as a failure.
_STALE = 40

_T = TypeVar("_T")


class Request(NamedTuple):
    """What is asked."""

    #: The name of the operation in the S3 API.
    operation: str
    bucket: str
    key: str | None = None
    #: Encoded.
    query: str = ""
    #: Headers that the signature covers.
    signed: Mapping[str, str] = {}
    #: Further headers.
    plain: Mapping[str, str] = {}
    body: bytes = b""
    #: Of the body, in hexadecimal, if it is known already.
    body_sha256: str = ""

    @property
    def attempt(self) -> Attempt:
        """For the messages of errors."""
        return Attempt(self.operation, self.bucket, self.key)


class Reply(NamedTuple):
    """A response whose body was short enough to be read at once."""

    headers: Mapping[str, str]
    body: bytes


def call(request: Request, settings: Settings | None = None) -> Reply:
    """Do as `exchange` in the event loop, and wait for it."""
    return _engine.run(exchange(request, settings or current_settings()))


async def send(request: Request, settings: Settings) -> Response:
    """Return the response to a request that succeeded, with its body still to come; the caller closes it.

    Attempted up to 5 times in all, with growing random pauses, after retryable errors: lost connections, silence,
    throttling, errors of the server. That takes 2 minutes and 8 seconds at most, plus 20 s for each head that
    trickles, plus the time of the bodies.

    Raises:
        StorageError: as the error tree says.
    """
    return await _retried(lambda: _attempted(settings, request))


async def exchange(request: Request, settings: Settings) -> Reply:
    """Return the whole response to a request that succeeded; a body that breaks off is a retryable error.

    Raises:
        StorageError: as `send`.
    """
    return await _retried(lambda: once(request, settings))


async def once(request: Request, settings: Settings) -> Reply | Failure:
    """Return what one attempt comes to.

    Raises:
        StorageError: the request could not be made: no credentials, or an address that is none.
    """
    response = await _attempted(settings, request)
    if isinstance(response, Failure):
        return response
    if request.operation in SETTLED_BY_RETRY:
        response.be_patient()
    body = await _body_of(response, request)
    if isinstance(body, Failure):
        return body
    if root_of(body) == "Error":  # completing an upload may fail after the status was sent
        return from_response(_FAILED_LATE, response.headers, body, request.attempt)
    if problem := body_problem(request.operation, body):
        failure = not_s3(response.status, response.headers, body, problem, request.attempt)
        return failure._replace(retryable=request.operation in SETTLED_BY_RETRY)
    return Reply(response.headers, body)


async def _retried(attempt: Callable[[], Awaitable[_T | Failure]]) -> _T:
    failures = 0
    while True:
        found = await attempt()
        if not isinstance(found, Failure):
            return found
        failures += 1
        if not found.retryable or failures >= retry.ATTEMPTS:
            raise found.error from found.cause
        _telemetry.retried(found.error, found.cause, failures, retry.ATTEMPTS, await retry.pause(failures))


async def _attempted(settings: Settings, request: Request) -> Response | Failure:
    try:
        response = await _responded(settings, request)
    except OSError as error:
        return from_connection(error, request.attempt)
    if response.status // 100 == 2:  # noqa: PLR2004  # success
        problem = header_problem(request.operation, response.headers)
        if problem:
            beginning = await _beginning_of(response)
            return not_s3(response.status, response.headers, beginning, problem, request.attempt)
        return response
    body = await _body_of(response, request)
    if isinstance(body, Failure):
        return body
    return from_response(response.status, response.headers, body, request.attempt)


async def _body_of(response: Response, request: Request) -> bytes | Failure:
    try:
        return await response.read()
    except OSError as error:
        return from_connection(error, request.attempt)
    finally:
        response.close()


async def _beginning_of(response: Response) -> bytes:
    """Return the first bytes of a body for a message, as far as they come, and end the connection."""
    try:
        return bytes((await response.piece())[:BEGINNING])
    except OSError:
        return b""
    finally:
        response.close()


async def _responded(settings: Settings, request: Request) -> Response:
    with translated(*request.attempt):
        address = address_of(settings, request.bucket)
        keys = await keys_of(settings)
    if keys is None:
        raise request.attempt.error(StorageConfigError, NO_CREDENTIALS)
    route = pool.route_to(address.host)
    head = _head(settings, keys, address, route, request)
    method = _METHODS[request.operation]
    changes = method not in {"GET", "HEAD"}
    for _ in range(_STALE):
        connection = await pool.take(route)
        try:
            response = await connection.request(head, request.body, bodiless=method == "HEAD", changes=changes)
        except StaleError:
            connection.close()
            continue
        except BaseException:
            connection.close()
            raise
        response.released = lambda used, usable: pool.give_back(route, used, usable=usable)
        return response
    raise ConnectionError("every connection was closed before a response")


def _head(settings: Settings, keys: Keys, address: Address, route: pool.Route, request: Request) -> bytes:
    """Return the request line and the headers, signed."""
    method = _METHODS[request.operation]
    path = address.path(request.key)
    signed = {"Host": address.host.header, **request.signed}
    if settings.bucket_owner:
        signed["x-amz-expected-bucket-owner"] = settings.bucket_owner
    payload = payload_hash(address.host.scheme, request.body, request.body_sha256)
    headers = sign(keys, settings.region, method, path, request.query, signed, payload)
    headers["Accept-Encoding"] = (
        settings.dialect.accept_encoding if request.operation in _OF_CONTENT else "identity"
    )
    headers |= request.plain
    if request.body or method in {"PUT", "POST"}:
        headers["Content-Length"] = str(len(request.body))
    target, for_proxy = route.target(path + (f"?{request.query}" if request.query else ""))
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers | for_proxy).items())
    return f"{method} {target} HTTP/1.1\r\n{_PLAIN}{lines}\r\n".encode("latin-1")
