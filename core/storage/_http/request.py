"""Requests to a bucket: addressed, signed, sent and retried; a failure is raised as a `StorageError`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing, suppress
from typing import NamedTuple, TypeVar

from core.storage import _engine, _telemetry
from core.storage._boto.signature import AccessKey, payload_hash, sign
from core.storage._boto.signing_keys import access_key_of
from core.storage._config.current import current_settings
from core.storage._errors import StorageConfigError
from core.storage._http import pool, retry
from core.storage._http.address import Address, address_of
from core.storage._http.codes import NO_CREDENTIALS
from core.storage._http.faults import StaleError
from core.storage._http.framing import Response
from core.storage._http.response import BEGINNING, SETTLED_BY_RETRY, body_problem, header_problem, root_of
from core.storage._http.translate import Attempt, Failure, from_connection, from_response, not_s3, translated
from core.storage.settings import Settings

_METHODS = {
    "AbortMultipartUpload": "DELETE",
    "CompleteMultipartUpload": "POST",
    "CreateMultipartUpload": "POST",
    "DeleteObject": "DELETE",
    "DeleteObjects": "POST",
    "GetObject": "GET",
    "HeadObject": "HEAD",
    "ListObjectsV2": "GET",
    "PutObject": "PUT",
    "UploadPart": "PUT",
}
#: Not signed, because proxies may change it without breaking the signature (that of GCS does).
_PLAIN = "User-Agent: mpr-storage\r\n"
#: Operations whose response is the content of an object, or describes it. No other response may be compressed.
_OF_CONTENT = frozenset({"GetObject", "HeadObject"})
_FAILED_LATE = 500
#: Stale connections in a row that count as a failure.
_STALE = 40

_T = TypeVar("_T")


class Request(NamedTuple):
    """A request of the S3 API."""

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
    body: bytes | memoryview = b""
    #: Of the body, in hexadecimal, if it was computed before.
    body_sha256: str = ""

    @property
    def attempt(self) -> Attempt:
        """Return the operation for error messages."""
        return Attempt(self.operation, self.bucket, self.key)


class Reply(NamedTuple):
    """A response with its whole, short body."""

    headers: Mapping[str, str]
    body: bytes


def call(request: Request, settings: Settings | None = None) -> Reply:
    """Run `exchange` in the event loop, and wait for it."""
    return _engine.run(exchange(request, settings or current_settings()))


async def send(request: Request, settings: Settings) -> Response:
    """Return the successful response to a request, before its body is read; the caller closes it.

    Retryable errors (lost connections, silence, throttling, errors of the server) lead to up to 5 attempts, with
    growing random pauses. They take 2 minutes and 58 seconds at most, plus 20 s for each response head that
    arrives slowly, plus the time of the bodies.

    Raises:
        StorageError: as the error tree says.
    """
    return await _retried(_attempt, request, settings)


async def exchange(request: Request, settings: Settings) -> Reply:
    """Return the whole successful response to a request, as `send`; a body that breaks off is retryable."""
    return await _retried(once, request, settings)


async def once(request: Request, settings: Settings) -> Reply | Failure:
    """Return the whole response of one attempt, or why it failed.

    Raises:
        StorageError: the request was not sent: no credentials, or an invalid address.
    """
    response = await _attempt(request, settings)
    if isinstance(response, Failure):
        return response
    if request.operation in SETTLED_BY_RETRY:
        response.be_patient()
    try:
        with closing(response):
            body = await response.read()
    except OSError as error:
        return from_connection(error, request.attempt)
    if root_of(body) == "Error":  # completing an upload may fail after the status was sent
        return from_response(_FAILED_LATE, response.headers, body, request.attempt)
    if problem := body_problem(request.operation, body):
        failure = not_s3(response.status, response.headers, body, problem, request.attempt)
        return failure._replace(retryable=request.operation in SETTLED_BY_RETRY)
    return Reply(response.headers, body)


async def _retried(
    attempt: Callable[[Request, Settings], Awaitable[_T | Failure]], request: Request, settings: Settings
) -> _T:
    failures = 0
    while True:
        result = await attempt(request, settings)
        if not isinstance(result, Failure):
            return result
        failures += 1
        if not result.retryable or failures >= retry.ATTEMPTS:
            raise result.error from result.cause
        _telemetry.retried(result.error, result.cause, failures, retry.ATTEMPTS, await retry.pause(failures))


async def _attempt(request: Request, settings: Settings) -> Response | Failure:
    try:
        response = await _responded(settings, request)
        if response.status // 100 == 2:  # noqa: PLR2004  # success
            problem = header_problem(request.operation, response.headers)
            if not problem:
                return response
            beginning = b""
            with closing(response), suppress(OSError):
                beginning = bytes((await response.piece())[:BEGINNING])
            return not_s3(response.status, response.headers, beginning, problem, request.attempt)
        with closing(response):
            body = await response.read()
    except OSError as error:
        return from_connection(error, request.attempt)
    return from_response(response.status, response.headers, body, request.attempt)


async def _responded(settings: Settings, request: Request) -> Response:
    """Return the response to a request, whatever its status."""
    with translated(*request.attempt):
        address = address_of(settings, request.bucket)
        access_key = await access_key_of(settings)
    if access_key is None:
        raise request.attempt.error(StorageConfigError, NO_CREDENTIALS)
    route = pool.route_to(address.host)
    method = _METHODS[request.operation]
    head = _head(settings, access_key, address, route, method, request)
    changes = method not in {"GET", "HEAD"}
    for _ in range(_STALE):
        connection = await pool.take(route)
        try:
            status, headers = await connection.request(head, request.body, changes=changes)
            response = Response(connection, status, headers, bodiless=method == "HEAD")
        except StaleError:
            connection.close()
            continue
        except BaseException:
            connection.close()
            raise
        response.released = lambda used, usable: pool.give_back(route, used, usable=usable)
        return response
    raise ConnectionError("every connection was closed before a response")


def _head(
    settings: Settings, access_key: AccessKey, address: Address, route: pool.Route, method: str, request: Request
) -> bytes:
    """Return the request line and the signed headers."""
    path = address.path(request.key)
    signed = {"Host": address.host.header, **request.signed}
    if settings.bucket_owner:
        signed["x-amz-expected-bucket-owner"] = settings.bucket_owner
    payload = payload_hash(address.host.scheme, request.body, request.body_sha256)
    headers = sign(access_key, settings.region, method, path, request.query, signed, payload)
    is_content = request.operation in _OF_CONTENT
    headers["Accept-Encoding"] = settings.dialect.accept_encoding if is_content else "identity"
    headers |= request.plain
    if request.body or method in {"PUT", "POST"}:
        headers["Content-Length"] = str(len(request.body))
    target, for_proxy = route.target(path + (f"?{request.query}" if request.query else ""))
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers | for_proxy).items())
    return f"{method} {target} HTTP/1.1\r\n{_PLAIN}{lines}\r\n".encode("latin-1")
