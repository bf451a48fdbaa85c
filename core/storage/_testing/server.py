"""An S3 server in the process of the tests, and the faults that its requests meet."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from core.storage.settings import Settings

_Start = Callable[..., Any]

#: The buckets of the environment, by the variables that name them.
BUCKETS = {"S3_BUCKET_IN": "testing-in", "S3_BUCKET_OUT": "testing-out"}

#: The status of error codes of S3 (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
_STATUSES = {
    "AccessDenied": 403,
    "BadDigest": 400,
    "ExpiredToken": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "PreconditionFailed": 412,
    "RequestTimeTooSkewed": 403,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
}
#: The operations of the S3 API, by method, whether an object is named, and a parameter of the query.
_OPERATIONS = (
    ("GET", False, "", "ListObjectsV2"),
    ("POST", False, "delete", "DeleteObjects"),
    ("GET", True, "", "GetObject"),
    ("HEAD", True, "", "HeadObject"),
    ("PUT", True, "partNumber", "UploadPart"),
    ("PUT", True, "", "PutObject"),
    ("POST", True, "uploads", "CreateMultipartUpload"),
    ("POST", True, "uploadId", "CompleteMultipartUpload"),
    ("DELETE", True, "uploadId", "AbortMultipartUpload"),
    ("DELETE", True, "", "DeleteObject"),
)
#: The account that moto gives to every access key.
_ACCOUNT = "123456789012"
_NAMES = tuple(row[-1] for row in _OPERATIONS)


@dataclass
class _Fault:
    """What happens to the next requests of an operation."""

    operation: str
    left: int
    code: str = ""
    seconds: float = 0.0
    corrupts: bool = False


class FakeStorage:
    """The storage of one test: two empty buckets, and the faults that requests meet."""

    def __init__(self, server: Server, settings: Settings) -> None:
        self._server = server
        #: The settings of the environment.
        self.settings = settings
        self.bucket_in: str = settings.bucket("in")
        self.bucket_out: str = settings.bucket("out")

    @property
    def requests(self) -> list[str]:
        """Return the operations that were requested in this test, in order, with retried attempts."""
        return list(self._server.requests)

    def fail(self, operation: str, *, code: str = "InternalError", times: int = 1) -> None:
        """Respond to the next requests of an operation with an error.

        `core.storage` makes up to 5 attempts after InternalError, ServiceUnavailable and SlowDown, so that
        fewer in a row are only seen in the log.

        Args:
            operation: the name in the S3 API, such as ``GetObject``.
            code: the error code of S3, such as ``AccessDenied``.
            times: the number of requests.

        Raises:
            ValueError: the operation or the code is unknown, or `times` is less than 1.
        """
        if code not in _STATUSES:
            raise ValueError(f"code must be one of {', '.join(_STATUSES)}, got {code!r}")
        self._server.add(_Fault(operation, times, code=code))

    def slow(self, operation: str, *, seconds: float, times: int = 1) -> None:
        """Respond to the next requests of an operation after a pause of so many seconds.

        Raises:
            ValueError: the operation is unknown, or `times` is less than 1.
        """
        self._server.add(_Fault(operation, times, seconds=seconds))

    def corrupt(self, operation: str, *, times: int = 1) -> None:
        """Flip a bit of the next objects on their way, with ``GetObject``, ``PutObject`` or ``UploadPart``.

        A changed download fails its checksum, and is downloaded once more before that is an `IntegrityError`; a
        changed upload is refused by its Content-MD5.

        Raises:
            ValueError: the operation transfers no object, or `times` is less than 1.
        """
        if operation not in {"GetObject", "PutObject", "UploadPart"}:
            raise ValueError(f"operation must be GetObject, PutObject or UploadPart, got {operation!r}")
        self._server.add(_Fault(operation, times, corrupts=True))


class _Quiet(WSGIRequestHandler):
    """Logs no request."""

    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        pass


class Server:
    """An S3 server in a thread of this process: moto's, which is imported with the first request."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._server = make_server("127.0.0.1", 0, self._respond, threaded=True, request_handler=_Quiet)
        threading.Thread(target=self._server.serve_forever, name="mpr-testing", daemon=True).start()
        self.endpoint: str = f"http://127.0.0.1:{self._server.server_port}"

    def add(self, fault: _Fault) -> None:
        if fault.operation not in _NAMES:
            raise ValueError(f"operation must be one of {', '.join(_NAMES)}, got {fault.operation!r}")
        if fault.left < 1:
            raise ValueError(f"times must be at least 1, got {fault.left}")
        with self._lock:
            self._faults.append(fault)

    def reset(self) -> None:
        """Drop every object and fault, if there were requests."""
        with self._lock:
            self._faults.clear()
            if self.requests:
                self.requests.clear()
                _make_buckets()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _respond(self, environ: dict[str, Any], start: _Start) -> Iterable[bytes]:
        request = Request(environ)
        operation = _operation_of(request)
        with self._lock:
            self.requests.append(operation)
            fault = next((one for one in self._faults if one.operation == operation and one.left), None)
            if fault is not None:
                fault.left -= 1
        if fault is not None:
            time.sleep(fault.seconds)
            if fault.code:
                request.get_data()
                document = f"<Error><Code>{fault.code}</Code><Message>a fault of the test</Message></Error>"
                body = "" if request.method == "HEAD" else document
                return Response(body, _STATUSES[fault.code], mimetype="application/xml")(environ, start)
        corrupts = fault is not None and fault.corrupts
        if request.method in {"PUT", "POST"}:
            body_bytes = request.get_data()
            environ["wsgi.input"] = io.BytesIO(_flipped(body_bytes) if corrupts else body_bytes)
        with self._lock:  # one thread loads it
            moto = _moto()
        response = moto(environ, start)
        return [_flipped(b"".join(response))] if corrupts and request.method == "GET" else response


@cache
def _moto() -> Callable[[dict[str, Any], _Start], Iterable[bytes]]:
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415  # half a second, and not for tests without storage
        DomainDispatcherApplication,
        create_backend_app,
    )

    _make_buckets()
    return DomainDispatcherApplication(create_backend_app)


def _make_buckets() -> None:
    """Drop every bucket, and make the two of the environment."""
    from moto.s3.models import s3_backends  # noqa: PLC0415  # as above

    s3_backends.reset()
    for name in BUCKETS.values():
        s3_backends[_ACCOUNT]["aws"].create_bucket(name, "us-east-1")


def _flipped(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1]) if body else body


def _operation_of(request: Request) -> str:
    is_object = request.path.count("/") > 1 and not request.path.endswith("/")
    for method, of_object, parameter, operation in _OPERATIONS:
        if request.method == method and is_object == of_object and (not parameter or parameter in request.args):
            return operation
    return f"{request.method} {request.path}"
