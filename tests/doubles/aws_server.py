"""An AWS of the tests' own: moto, behind signatures and permissions that are checked as AWS checks them.

moto's own enforcement stays off: it takes conditions for met, knows no resources but those of S3 and no
permissions boundaries, and refuses everything in a bucket whose policy refuses anything (tests/README.md says what
was measured). This process responds on three ports of loopback, which differ in what condition keys say about the
connection: TLS 1.3, TLS 1.1, or none. It ends when its standard input does.
"""

from __future__ import annotations

import io
import json
import secrets
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from moto import settings
from moto.core.request import Request
from moto.core.utils import utcnow
from moto.iam.access_control import PermissionResult
from moto.iam.models import User, iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import FakeBucket, FakeDeleteMarker, s3_backends
from moto.sts.models import sts_backends
from werkzeug.serving import make_server

from tests.doubles import aws_signature
from tests.doubles.aws_actions import SERVICES, Call, accesses, s3_bucket
from tests.doubles.aws_principals import Expired, UnknownKey, UnknownProvider, holder, web_identity
from tests.doubles.iam import Context, Principal, refusal

Start = Callable[..., Any]
Response = Iterable[bytes]

#: What condition keys say about the connection, by port.
_CONNECTIONS: dict[str, Context] = {
    "tls": {"aws:securetransport": ("true",), "s3:tlsversion": ("1.3",)},
    "old_tls": {"aws:securetransport": ("true",), "s3:tlsversion": ("1.1",)},
    "plain": {"aws:securetransport": ("false",)},
}
_EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
#: Of S3, of the query protocol (IAM and STS), of JSON (KMS): what each calls it, and the status.
_CODES: dict[str, dict[str, tuple[str, int]]] = {
    "s3": {"key": ("InvalidAccessKeyId", 403), "expired": ("ExpiredToken", 400), "denied": ("AccessDenied", 403)},
    "query": {
        "key": ("InvalidClientTokenId", 403),
        "expired": ("ExpiredToken", 403),
        "denied": ("AccessDenied", 403),
    },
    "json": {
        "key": ("UnrecognizedClientException", 400),
        "expired": ("ExpiredTokenException", 400),
        "denied": ("AccessDeniedException", 400),
    },
}
_PROTOCOLS = {"s3": "s3", "kms": "json"}
_MESSAGES = {
    "key": "The security token included in the request is invalid.",
    "expired": "The security token included in the request is expired",
}
_S3_UNKNOWN_KEY = "The AWS Access Key Id you provided does not exist in our records."
_HAS_KEYS = "Cannot delete entity, must delete access keys first."
_FORGED = "The request signature we calculated does not match the signature you provided. Check your key."


_S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Denied(Exception):  # noqa: N818
    """A request that goes no further."""

    def __init__(self, service: str, kind: str, message: str = "") -> None:
        protocol = _PROTOCOLS.get(service, "query")
        self.service = service
        self.code, self.status = _CODES[protocol].get(kind, (kind, 403))
        self.message = message or _MESSAGES[kind]
        if kind == "key" and protocol == "s3":
            self.message = _S3_UNKNOWN_KEY

    def body(self) -> tuple[str, bytes]:
        """Content type and content, in the protocol of the service."""
        number = secrets.token_hex(8)
        protocol = _PROTOCOLS.get(self.service, "query")
        if protocol == "json":
            return "application/x-amz-json-1.1", json.dumps(
                {"__type": self.code, "message": self.message, "Message": self.message}
            ).encode()
        inner = f"<Code>{self.code}</Code><Message>{escape(self.message)}</Message>"
        if protocol == "s3":
            return "application/xml", f"<Error>{inner}<RequestId>{number}</RequestId></Error>".encode()
        text = f"<Error><Type>Sender</Type>{inner}</Error><RequestId>{number}</RequestId>"
        return "text/xml", f"<ErrorResponse>{text}</ErrorResponse>".encode()


class Gate:
    """What stands before moto on one port."""

    def __init__(self, moto: Callable[[Any, Start], Response], connection: Context) -> None:
        self.moto = moto
        self.connection = connection

    def __call__(self, environ: dict[str, Any], start: Start) -> Response:
        request = Request(environ)
        body = request.get_data()
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        if request.path.startswith("/double/"):
            return _response(start, 200, "application/json", json.dumps(_control(request)).encode())
        try:
            call = self._permitted(request, body)
        except Denied as denied:
            kind, content = denied.body()
            return _response(start, denied.status, kind, b"" if request.method == "HEAD" else content)
        except NotImplementedError as error:
            return _response(start, 501, "text/plain", str(error).encode())
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = call.account
        if call.service == "s3" and request.method == "PUT":
            # Flask takes what looks like a form for one, and the object would be empty.
            kind = environ.get("CONTENT_TYPE", "")
            environ["CONTENT_TYPE"] = kind.replace("application/x-www-form-urlencoded", "binary/octet-stream")
        return self._responded(call, environ, start)

    def _permitted(self, request: Request, body: bytes) -> Call:
        """The call, once it is clear who makes it and that they may."""
        signature = aws_signature.read(request)
        if signature is None:
            principal, service, region = *_unsigned(body), "us-east-1"
        else:
            service, region = signature.service, signature.region
            principal = _signed(signature, request, body)
        if service not in SERVICES:
            raise NotImplementedError(f"the tests' AWS has no service {service}")
        context = {**self.connection, "aws:requestedregion": (region,), "aws:sourceip": ("127.0.0.1",)}
        context["aws:currenttime"] = (datetime.now(UTC).isoformat(),)
        call = Call(service, region, principal.account, request, body, context)
        _require_owner(call)
        for access in accesses(call):
            reason = refusal(principal, access)
            if reason:
                what = f'{access.action} on resource: "{access.resource}"'
                raise Denied(
                    service, "denied", f"User: {principal.arn} is not authorized to perform: {what} {reason}"
                )
        return call

    def _responded(self, call: Call, environ: dict[str, Any], start: Start) -> Response:
        """moto's response, and what moto does not know.

        That is the boundaries of users, that keys keep their user, and the tags of a new bucket.
        """
        if call.service == "iam" and call.operation in _BOUNDARIES:
            return _BOUNDARIES[call.operation](call, start)
        if call.service == "iam" and call.operation == "DeleteUser" and _user(call).access_keys:
            kind, content = Denied("iam", "DeleteConflict", _HAS_KEYS).body()
            return _response(start, 409, kind, content)
        new = call.s3_names[0] if call.service == "s3" and call.operation == "CreateBucket" else ""
        new = "" if s3_bucket(new) is not None else new
        response = self.moto(environ, start)
        if call.service == "iam" and call.operation == "CreateUser":
            response = [b"".join(response)]
            _set_boundary(call)
        if new and s3_bucket(new) is not None:
            response = [b"".join(response)]
            _tag_bucket(call)
        return response


def _signed(signature: aws_signature.Signature, request: Request, body: bytes) -> Principal:
    service = signature.service
    try:
        known = holder(signature.key, signature.token)
    except UnknownKey as error:
        raise Denied(service, "key") from error
    except Expired as error:
        raise Denied(service, "expired") from error
    if signature.expired:
        raise Denied(service, "denied", "Request has expired")
    if not aws_signature.is_genuine(signature, request, body, known.secret):
        raise Denied(service, "SignatureDoesNotMatch", _FORGED)
    return known.principal


def _unsigned(body: bytes) -> tuple[Principal, str]:
    given = {key: one[0] for key, one in parse_qs(body.decode(errors="replace")).items()}
    if given.get("Action") != "AssumeRoleWithWebIdentity":
        raise Denied("s3", "denied", "Access Denied")  # nothing in the tests' AWS is public
    try:
        return web_identity(given["WebIdentityToken"], given["RoleArn"]), "sts"
    except UnknownProvider as error:
        message = f"No OpenIDConnect provider found in your account for https://{error}"
        raise Denied("sts", "InvalidIdentityToken", message) from error


def _require_owner(call: Call) -> None:
    wanted = call.request.headers.get("x-amz-expected-bucket-owner")
    if call.service == "s3" and wanted:
        bucket = s3_bucket(call.s3_names[0])
        if bucket is not None and bucket.account_id != wanted:
            raise Denied("s3", "denied", "Access Denied")


def _response(start: Start, status: int, kind: str, content: bytes) -> Response:
    start(f"{status} ", [("Content-Type", kind), ("Content-Length", str(len(content)))])
    return [content]


def _tag_bucket(call: Call) -> None:
    """Tag a new bucket as its request says."""
    asked = ET.fromstring(call.body)  # noqa: S314  # botocore wrote it
    tags = [(one[0].text or "", one[1].text or "") for one in asked.iter(f"{_S3}Tag")]
    backend = s3_backends[call.account][call.partition]
    arn = f"arn:{call.partition}:s3:::{call.s3_names[0]}"
    backend.tagger.tag_resource(arn, [{"Key": key, "Value": value} for key, value in tags])


# --- users ----------------------------------------------------------------------------------------------


def _user(call: Call) -> Any:
    """The user that a call is about; one that does not exist has nothing."""
    users = iam_backends[call.account][call.partition].users
    return users.get(call.parameters["UserName"], SimpleNamespace(access_keys=[]))


def _set_boundary(call: Call) -> None:
    _user(call).permissions_boundary_arn = call.parameters.get("PermissionsBoundary")


def _put_boundary(call: Call, start: Start) -> Response:
    _set_boundary(call)
    return _done(call, start)


def _done(call: Call, start: Start) -> Response:
    text = f"<{call.operation}Response><ResponseMetadata/></{call.operation}Response>"
    return _response(start, 200, "text/xml", text.encode())


_BOUNDARIES = {"PutUserPermissionsBoundary": _put_boundary, "DeleteUserPermissionsBoundary": _put_boundary}


def _boundary_of(user: Any) -> dict[str, str] | None:
    arn = user.permissions_boundary_arn
    kind = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn}
    return kind if arn else None


def _teach_moto() -> None:
    """Leave permissions to the gate; have users keep their boundaries, and markers go from suspended buckets."""
    settings.INITIAL_NO_AUTH_ACTION_COUNT = float("inf")
    FakeBucket.get_permission = lambda *_: PermissionResult.PERMITTED  # type: ignore[method-assign]
    user: Any = User
    user.permissions_boundary_arn = None
    user.permissions_boundary = property(_boundary_of)
    marker: Any = FakeDeleteMarker
    marker.dispose = lambda *_: None


# --- what tests ask for ---------------------------------------------------------------------------------


def _control(request: Request) -> dict[str, str]:
    asked = {key: one[0] for key, one in parse_qs(request.query_string.decode()).items()}
    if request.path == "/double/account":
        return _new_account(asked["partition"], asked["region"])
    return _expired_keys(asked["account"], asked["partition"], asked["region"])


def _new_account(partition: str, region: str) -> dict[str, str]:
    """Create an account that no other test uses, with an administrator."""
    account = f"{secrets.randbelow(9 * 10**11) + 10**11}"
    backend = iam_backends[account][partition]
    backend.create_user(region, "admin")
    backend.put_user_policy("admin", "everything", json.dumps(_EVERYTHING))
    key = backend.create_access_key("admin")
    return {"id": account, "access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}


def _expired_keys(account: str, partition: str, region: str) -> dict[str, str]:
    """Keys of a session that is over."""
    arn = f"arn:{partition}:iam::{account}:role/expired"
    session = sts_backends[account][partition].assume_role(region, "expired", arn, "", 900, "")
    session.expiration = utcnow() - timedelta(minutes=1)
    keys = {"access_key_id": session.access_key_id, "secret_access_key": session.secret_access_key}
    return {**keys, "session_token": session.session_token}


class _Quiet(MotoRequestHandler):
    def log(self, *_: Any) -> None:
        pass


def main() -> None:
    """Serve until standard input ends. The first line of output says where, as JSON."""
    _teach_moto()
    moto = DomainDispatcherApplication(create_backend_app)
    ports = {}
    for name, connection in _CONNECTIONS.items():
        server: Any = make_server("127.0.0.1", 0, Gate(moto, connection), threaded=True, request_handler=_Quiet)
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        ports[name] = f"http://127.0.0.1:{server.server_port}"
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
