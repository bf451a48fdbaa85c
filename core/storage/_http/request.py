"""One request to a bucket: addressed and signed by botocore's rules, sent, tried again, its refusal raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from core.storage import _telemetry
from core.storage._boto.clients import current_settings
from core.storage._http import pool, retry
from core.storage._http.framing import Answer, StaleError
from core.storage._http.response import BEGINNING, SETTLED_BY_RETRY, body_problem, header_problem, root_of
from core.storage._http.translate import Attempt, Refusal, from_connection, not_s3, refusal, translated

if TYPE_CHECKING:
    from core.storage._http.address import Address
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

    @property
    def attempt(self) -> Attempt:
        """For the messages of errors."""
        return Attempt(self.operation, self.bucket, self.key)


class Reply(NamedTuple):
    """An answer whose body was short enough to be read at once."""

    headers: Mapping[str, str]
    body: bytes


def send(request: Request, settings: Settings | None = None) -> Answer:
    """The answer to a request that succeeded, with its body still to come; whoever gets it closes it.

    Tried up to 5 times in all, with growing random pauses, on faults that pass: lost connections, silence,
    throttling, errors of the server. That takes 2 minutes and 8 seconds at most, plus 20 s for each head that
    trickles, plus the time of the bodies.
    Thread-safe.

    Raises:
        StorageError: as the error tree says.
    """
    known = settings or current_settings()
    return _retried(lambda: _tried(known, request))


def call(request: Request, settings: Settings | None = None) -> Reply:
    """The whole answer to a request that succeeded; a body that breaks off is one of the faults that pass.

    Raises:
        StorageError: as `send`.
    """
    known = settings or current_settings()
    return _retried(lambda: _replied(known, request))


def once(request: Request, settings: Settings) -> Reply | Refusal:
    """What one try comes to, for those who have no time for a second.

    Raises:
        StorageError: the request could not be made: no credentials, or an address that is none.
    """
    return _replied(settings, request)


def _retried(tried: Callable[[], _T | Refusal]) -> _T:
    failures = 0
    while True:
        found = tried()
        if not isinstance(found, Refusal):
            return found
        failures += 1
        if not found.passing or failures >= retry.ATTEMPTS:
            raise found.error from found.cause
        _telemetry.retried(found.error, found.cause, failures, retry.ATTEMPTS, retry.pause(failures))


def _tried(settings: Settings, request: Request) -> Answer | Refusal:
    try:
        answer = _answered(settings, request)
    except OSError as error:
        return from_connection(error, request.attempt)
    if answer.status // 100 == 2:  # noqa: PLR2004  # success
        problem = header_problem(request.operation, answer.headers)
        if problem:
            return not_s3(answer.status, answer.headers, _beginning_of(answer), problem, request.attempt)
        return answer
    body = _body_of(answer, request)
    return body if isinstance(body, Refusal) else refusal(answer.status, answer.headers, body, request.attempt)


def _replied(settings: Settings, request: Request) -> Reply | Refusal:
    answer = _tried(settings, request)
    if isinstance(answer, Refusal):
        return answer
    if request.operation in SETTLED_BY_RETRY:
        answer.be_patient()
    body = _body_of(answer, request)
    if isinstance(body, Refusal):
        return body
    if root_of(body) == "Error":  # completing an upload may fail after the status was sent
        return refusal(_FAILED_LATE, answer.headers, body, request.attempt)
    if problem := body_problem(request.operation, body):
        passing = request.operation in SETTLED_BY_RETRY
        return not_s3(answer.status, answer.headers, body, problem, request.attempt, passing=passing)
    return Reply(answer.headers, body)


def _body_of(answer: Answer, request: Request) -> bytes | Refusal:
    try:
        return answer.read()
    except OSError as error:
        return from_connection(error, request.attempt)
    finally:
        answer.close()


def _beginning_of(answer: Answer) -> bytes:
    """Return the first bytes of a body for a message, as far as they come, and end the connection."""
    try:
        return bytes(answer.piece()[:BEGINNING])
    except OSError:
        return b""
    finally:
        answer.close()


def _answered(settings: Settings, request: Request) -> Answer:
    from core.storage._http.address import address_of  # noqa: PLC0415  # imports the contract

    with translated(*request.attempt):
        address = address_of(settings, request.bucket)
        route = pool.route_to(address.host)
        head = _head(settings, address, route, request)
    for _ in range(_STALE):
        connection = pool.take(route)
        try:
            answer = connection.request(head, request.body, bodiless=request.operation == "HeadObject")
        except StaleError:
            connection.close()
            continue
        except BaseException:
            connection.close()
            raise
        answer.released = lambda used, usable: pool.give_back(route, used, usable=usable)
        return answer
    raise ConnectionError("every connection was closed before an answer")


def _head(settings: Settings, address: Address, route: pool.Route, request: Request) -> bytes:
    """The request line and the headers, signed."""
    from core.storage._boto.sign import payload_hash, sign  # noqa: PLC0415  # imports botocore

    method = _METHODS[request.operation]
    path = address.path(request.key) + (f"?{request.query}" if request.query else "")
    signed = {"Host": address.host.header, **request.signed}
    if settings.bucket_owner:
        signed["x-amz-expected-bucket-owner"] = settings.bucket_owner
    url = f"{address.host.scheme}://{address.host.header}{path}"
    headers = sign(settings, method, url, signed, payload_hash(address.host.scheme, request.body))
    encoding = settings.dialect.accept_encoding if request.operation in _OF_CONTENT else "identity"
    headers |= {"Accept-Encoding": encoding, **request.plain}
    if request.body or method in {"PUT", "POST"}:
        headers["Content-Length"] = str(len(request.body))
    target, for_proxy = route.target(path)
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers | for_proxy).items())
    return f"{method} {target} HTTP/1.1\r\n{_PLAIN}{lines}\r\n".encode("latin-1")
