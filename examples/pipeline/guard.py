"""What both servers refuse before an application sees the request, and the headers of all their responses.

They listen on loopback, which protects them from other machines, but not from the browser of this one: if the host
name of a foreign page resolves to 127.0.0.1 (DNS rebinding), the browser lets that page read their responses. Its
requests have the foreign host name in the header Host.
"""

from __future__ import annotations

from collections.abc import Iterator

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The host names of this machine, as browsers send them.
_NAMES = ("localhost", "127.0.0.1", "[::1]")
_HTTP_PORT = 80
#: Bytes of a request body: the longest that is needed has the name of a file and a content type.
LONGEST_BODY = 8192
#: Of a response that is not a page: a browser that shows it loads and runs nothing.
_NOTHING = "default-src 'none'; frame-ancestors 'none'"


class Guard:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421 to a request for another host, and 413 to one with a long body; pass on all others."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = _with_headers(send)
        names = list(_own_names(scope["server"][1]))
        if [name.lower() for name in Headers(scope=scope).getlist("host")] not in [[name] for name in names]:
            await _refusal(421, _other_host(names))(scope, receive, guarded)
            return
        try:
            body = await _body(scope, receive)
        except ClientDisconnect:
            return
        if body is None:
            await _refusal(413, _TOO_LONG)(scope, receive, guarded)
            return
        await self._app(scope, _received(body, receive), guarded)


_TOO_LONG = (
    f"the body of the request has more than {LONGEST_BODY} bytes: send the name and the content type of a video "
    "as JSON; the video itself goes to the address in the response"
)


def _own_names(port: int) -> Iterator[str]:
    for name in _NAMES:
        yield f"{name}:{port}"
        if port == _HTTP_PORT:
            yield name


def _other_host(names: list[str]) -> str:
    return (
        f"the header Host names another server: this one answers for {', '.join(names)} only. "
        f"Open http://{names[0]} in the browser"
    )


def _refusal(status: int, sentence: str) -> JSONResponse:
    # The body of the request is not read, so the connection cannot be used again.
    return JSONResponse({"detail": sentence}, status, {"Connection": "close"})


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """Return the body of the request; None if it is too long."""
    announced = Headers(scope=scope).get("content-length", "0")
    if int(announced) > LONGEST_BODY:
        return None
    body = b""
    async for chunk in Request(scope, receive).stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            return None
    return body


def _received(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that has the body as its first message."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", _NOTHING)
            # The page consists of several files: a browser must not mix cached ones with those of another version.
            headers.setdefault("Cache-Control", "no-cache")
            headers["X-Content-Type-Options"] = "nosniff"
        await send(message)

    return sent
