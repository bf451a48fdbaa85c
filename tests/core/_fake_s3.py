"""A small S3 server that misbehaves on request: what a real store or network does once a month, at will.

It checks no signature. Faults apply to GET, in order, one for each request; `always` applies when they are
used up.
"""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Fault = Callable[["_Handler", bytes, int], None]


def truncated(at: int) -> Fault:
    """All headers, Content-Length too, but only the first bytes."""
    return lambda handler, body, start: handler.send_object(body, start, sent=at)


def reset(at: int) -> Fault:
    """Reset the connection (RST) within the body."""

    def fault(handler: _Handler, body: bytes, start: int) -> None:
        handler.send_object(body, start, sent=at)
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    return fault


def unframed(at: int) -> Fault:
    """No Content-Length: the end of the connection is the end of the body, wherever that is."""
    return lambda handler, body, start: handler.send_object(body, start, sent=at, framed=False)


def ignores_range(at: int | None = None) -> Fault:
    """The whole object with status 200, whatever was asked for."""
    return lambda handler, _body, _start: handler.send_object(
        handler.server.fake.body(handler), 0, sent=at, ignoring=True
    )


def wrong_range(handler: _Handler, _body: bytes, start: int) -> None:
    """Another part than the one that was asked for."""
    handler.send_object(handler.server.fake.body(handler)[start + 1 :], start + 1, partial=True)


def flipped(handler: _Handler, body: bytes, start: int) -> None:
    """One bit of the body changed on its way."""
    handler.send_object(body[:-1] + bytes([body[-1] ^ 1]), start)


def longer(handler: _Handler, body: bytes, start: int) -> None:
    """Without a length, more bytes than Content-Range says."""
    handler.send_object(body + b"more", start, framed=False, total=start + len(body))


def busy(handler: _Handler, _body: bytes, _start: int) -> None:
    handler.send_error_document(503, "SlowDown")


def swapping(new: bytes, at: int) -> Fault:
    """Replace the object while a client reads it."""

    def fault(handler: _Handler, body: bytes, start: int) -> None:
        handler.send_object(body, start, sent=at)
        handler.server.fake.put(handler.path, new)

    return fault


def hanging(event: threading.Event) -> Fault:
    """Headers and a few bytes, then nothing."""

    def fault(handler: _Handler, body: bytes, start: int) -> None:
        handler.send_object(body, start, sent=10)
        handler.wfile.flush()
        event.wait(300)

    return fault


@dataclass(frozen=True)
class Page:
    """What another server than a store responds with: a login page, a proxy, the console of a store."""

    status: int = 200
    body: bytes = b"<!DOCTYPE html><html><head><title>Sign in - Example</title></head><body>Hello</body></html>"
    content_type: str = "text/html; charset=utf-8"
    #: Which requests it takes, by method and path; by default all.
    takes: Callable[[str, str], bool] = lambda _method, _path: True


class FakeS3:
    def __init__(self) -> None:
        #: Responds in the place of the store.
        self.page: Page | None = None
        self.objects: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None
        #: What the response to PUT and to completing an upload has as its ETag, when not the right one.
        self.etag: str | None = None
        self.refuse: dict[str, tuple[int, str]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.parts: dict[int, bytes] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.fake = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def put(self, path: str, body: bytes) -> None:
        self.objects[unquote(urlsplit(path).path)] = body

    def body(self, handler: Any) -> bytes:
        return self.objects[unquote(urlsplit(handler.path).path)]

    def seen(self, method: str) -> list[dict[str, str]]:
        return [headers for verb, _, headers in self.requests if verb == method]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def etag_of(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _result(root: str, name: str, value: str) -> bytes:
    return f"<?xml version='1.0'?>\n<{root}><{name}>{value}</{name}></{root}>".encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any
    #: Whether the range of the request has an end.
    limited = False

    def log_message(self, *_args: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):
            self.close_connection = True  # the client is gone, or a fault closed the connection

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()

    def parse_request(self) -> bool:
        page = self.server.fake.page
        if not super().parse_request():
            return False
        if page is None or not page.takes(self.command, self.path):
            return True
        self._note()
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(page.status)
        if page.content_type:
            self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)
        return False

    def _note(self) -> str:
        url = urlsplit(self.path)
        self.query = parse_qs(url.query, keep_blank_values=True)
        self.server.fake.requests.append((self.command, self.path, dict(self.headers)))
        return unquote(url.path)

    def do_GET(self) -> None:
        path, fake = self._note(), self.server.fake
        whole = fake.objects.get(path)
        if whole is None:
            self.send_error_document(404, "NoSuchKey")
            return
        if self.headers.get("If-Match") not in {None, etag_of(whole)}:
            self.send_error_document(412, "PreconditionFailed")
            return
        first, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")
        start, body = int(first), whole[int(first) : int(last) + 1 if last else None]
        self.limited = bool(last)
        fault = fake.faults.popleft() if fake.faults else fake.always
        if fault is None:
            self.send_object(body, start)
        else:
            fault(self, body, start)

    def send_object(
        self,
        body: bytes,
        start: int,
        *,
        sent: int | None = None,
        framed: bool = True,
        partial: bool = False,
        total: int | None = None,
        ignoring: bool = False,
    ) -> None:
        whole = self.server.fake.body(self)
        partial = partial or bool(start) or (self.limited and not ignoring)
        self.send_response(206 if partial else 200)
        headers = {"ETag": etag_of(whole), "Last-Modified": formatdate(1_700_000_000, usegmt=True)}
        for name, value in (headers | self.server.fake.headers).items():
            self.send_header(name, value)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{total or len(whole)}")
        if framed:
            self.send_header("Content-Length", str(len(body)))
        if sent is not None or not framed:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body if sent is None else body[:sent])

    def do_HEAD(self) -> None:
        """As every store: no word about which error it is."""
        body = self.server.fake.objects.get(self._note())
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        if body is not None:
            self.send_header("ETag", etag_of(body))
        self.end_headers()

    def do_PUT(self) -> None:
        path, fake = self._note(), self.server.fake
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._refused("PUT"):
            return
        if "partNumber" in self.query:
            fake.parts[int(self.query["partNumber"][0])] = body
        else:
            fake.objects[path] = body
        self._response(b"", etag=etag_of(body) if "partNumber" in self.query else fake.etag or etag_of(body))

    def do_POST(self) -> None:
        path, fake = self._note(), self.server.fake
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if "uploads" in self.query:
            if not self._refused("CREATE"):
                self._response(_result("InitiateMultipartUploadResult", "UploadId", "an-upload"))
        elif not self._refused("COMPLETE"):
            digests = b"".join(
                hashlib.md5(fake.parts[n], usedforsecurity=False).digest() for n in sorted(fake.parts)
            )
            etag = fake.etag or f"{etag_of(digests)[1:-1]}-{len(fake.parts)}"
            fake.objects[path] = b"".join(fake.parts[n] for n in sorted(fake.parts))
            self._response(_result("CompleteMultipartUploadResult", "ETag", etag))

    def do_DELETE(self) -> None:
        self._note()
        if not self._refused("DELETE"):
            self.server.fake.parts.clear()
            self.send_response(204)
            self.end_headers()

    def _refused(self, what: str) -> bool:
        status, code = self.server.fake.refuse.get(what, (0, ""))
        if status:
            self.send_error_document(status, code)
        return bool(status)

    def _response(self, body: bytes, etag: str | None = None) -> None:
        self.send_response(200)
        if etag:
            self.send_header("ETag", etag)
        for name, value in self.server.fake.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_error_document(self, status: int, code: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amz-request-id", "a-request")
        self.end_headers()
        self.wfile.write(body)
