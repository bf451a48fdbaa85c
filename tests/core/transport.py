"""Count, lose, change and refuse the requests of `core.storage`.

The one file of the tests that knows how the library sends a request. The fixtures at its end change what has no
public name either: pauses, time limits and sizes.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from core.storage import Settings
from core.storage._boto import clients
from core.storage._frames import write
from core.storage._http import limits, request, retry
from core.storage._http.connection import Connection
from core.storage._http.framing import Response
from core.storage._http.request import Request
from core.storage._listing import list_objects
from core.storage._transfer import multipart, upload

MIB = 1024 * 1024
Meant = Callable[[Request], bool]


def requests_of(operation: str, *, key: str | None = None, prefix: str | None = None, query: str = "") -> Meant:
    """Match the requests of an operation of the S3 API, for one key, below a prefix, or with this in the query."""

    def meant(request: Request) -> bool:
        return (
            request.operation == operation
            and key in {None, request.key}
            and (request.key or "").startswith(prefix or "")
            and query in request.query
        )

    return meant


class Transport:
    """Every request of this process on its way to the store."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        #: The requests that were made, attempts that are retried included, by operation.
        self.requests: Counter[str] = Counter()
        #: The same, in order.
        self.sent: list[Request] = []
        self._rules: list[_Rule] = []
        self._real = request._responded
        monkeypatch.setattr(request, "_responded", self._responded)

    def lose(self, meant: Meant, times: int = 1) -> list[int]:
        """Send such requests and lose the responses; return the list that their statuses will be added to."""
        lost: list[int] = []

        def losing(_request: Request, send: Send) -> AnyResponse:
            response = send()
            response.read()
            response.close()
            lost.append(response.status)
            raise ConnectionResetError("the response was lost")

        self.handle(meant, losing, times)
        return lost

    def respond(
        self,
        meant: Meant,
        status: int,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        times: int | None = None,
    ) -> None:
        """Send such requests nowhere and respond with this instead."""

        def responding(request: Request, _send: Send) -> AnyResponse:
            return response(status, body, headers or {}, request)

        self.handle(meant, responding, times)

    def change(self, meant: Meant, body: bytes, headers: Mapping[str, str], times: int | None = None) -> None:
        """Send such requests, and put this in the place of a successful response."""

        def changing(request: Request, send: Send) -> AnyResponse:
            real = send()
            real.read()
            real.close()
            return response(200, body, headers, request)

        self.handle(meant, changing, times)

    def refuse(self, meant: Meant, status: int, code: str, times: int | None = None) -> None:
        """Respond to such requests with an error document of S3."""
        self.respond(meant, status, f"<Error><Code>{code}</Code></Error>".encode(), times=times)

    def fail(self, meant: Meant, error: BaseException, times: int | None = None) -> None:
        """Raise the error in the place of such requests."""

        def failing(_request: Request, _send: Send) -> AnyResponse:
            raise error

        self.handle(meant, failing, times)

    def after(self, meant: Meant, action: Callable[[], object], times: int = 1) -> None:
        """Call the action once such a request has its response."""

        def followed(_request: Request, send: Send) -> AnyResponse:
            real = send()
            action()
            return real

        self.handle(meant, followed, times)

    def handle(self, meant: Meant, handler: _Handler, times: int | None = None) -> None:
        """Have the handler respond to such requests, so many times; the first rule that matches wins."""
        self._rules.append(_Rule(meant, handler, times))

    async def _responded(self, settings: Settings, request: Request) -> Response:
        self.requests[request.operation] += 1
        self.sent.append(request)
        rule = next((one for one in self._rules if one.takes(request)), None)
        if rule is None:
            return await self._real(settings, request)
        loop = asyncio.get_running_loop()

        def send(changed: Request | None = None) -> Received:
            return Received(_waited(self._real(settings, changed or request), loop), loop)

        try:
            found = await asyncio.to_thread(rule.handler, request, send)
        except KeyboardInterrupt:  # as a person does it: in the main thread, and the request goes on until then
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            await asyncio.sleep(60)
            raise
        return found.response if isinstance(found, Received) else found


def _waited(coroutine: Any, loop: asyncio.AbstractEventLoop) -> Any:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


class Received:
    """A response of the real store, for a handler, which does not run in the event loop."""

    def __init__(self, response: Response, loop: asyncio.AbstractEventLoop) -> None:
        self.response = response
        self.status = response.status
        self.headers = response.headers
        self._loop = loop

    def read(self) -> bytes:
        return bytes(_waited(self.response.read(), self._loop))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self.response.close)


AnyResponse = Response | Received
#: Sends the request, or a changed one, to the store.
Send = Callable[..., Received]
#: Gets the request, and what sends it.
_Handler = Callable[[Request, Send], AnyResponse]


class _Rule:
    def __init__(self, meant: Meant, handler: _Handler, times: int | None) -> None:
        self.handler = handler
        self._meant = meant
        self._left = times

    def takes(self, request: Request) -> bool:
        if self._left == 0 or not self._meant(request):
            return False
        self._left = None if self._left is None else self._left - 1
        return True


class _Body:
    """Stands in for the connection that the body of a response is read from."""

    watch = None

    def __init__(self, body: bytes) -> None:
        self._rest = body

    async def piece(self, most: int) -> memoryview:
        piece, self._rest = self._rest[:most], self._rest[most:]
        return memoryview(piece)

    async def into(self, buffer: memoryview) -> int:
        piece = await self.piece(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        pass


def response(status: int, body: bytes, headers: Mapping[str, str], request: Request) -> Response:
    """Make a response to a request that was sent nowhere."""
    lower = {name.lower(): value for name, value in headers.items()}
    body_of: Any = _Body(body)
    whole = {"": "HTTP/1.1", "content-length": str(len(body)), **lower}
    return Response(body_of, status, whole, bodiless=request.operation == "HeadObject")


@pytest.fixture
def transport(monkeypatch) -> Transport:
    """The requests that this process makes from now on."""
    return Transport(monkeypatch)


@pytest.fixture
def heads(monkeypatch) -> list[str]:
    """The request lines and headers as they are sent from now on, with the signatures."""
    sent: list[str] = []
    real = Connection.request

    async def request(connection: Connection, head: bytes, *arguments: Any, **more: Any) -> Any:
        sent.append(head.decode())
        return await real(connection, head, *arguments, **more)

    monkeypatch.setattr(Connection, "request", request)
    return sent


@pytest.fixture
def pauses(monkeypatch) -> list[int]:
    """No time passes before another attempt; the numbers of the failures that would have been waited after."""
    taken: list[int] = []

    async def pause(failure: int) -> float:
        taken.append(failure)
        return 0.0

    monkeypatch.setattr(retry, "pause", pause)
    return taken


@pytest.fixture
def small_parts(monkeypatch) -> None:
    """Parts of 5 MiB, the least that stores take, above 6 MiB: no test needs a large file."""
    monkeypatch.setattr(upload, "THRESHOLD", 6 * MIB)
    monkeypatch.setattr(multipart, "_PART", 5 * MIB)


@pytest.fixture
def always_parts(monkeypatch) -> None:
    """Every file goes in parts, whatever its size: for doubles, which take small ones."""
    monkeypatch.setattr(upload, "THRESHOLD", 0)


@pytest.fixture
def one_connection_for_parts(monkeypatch) -> None:
    """Parts go one after the other."""
    monkeypatch.setattr(multipart, "_CONNECTIONS", 1)


@pytest.fixture
def page_size(monkeypatch) -> Callable[[int], None]:
    """Set how many keys a page of a listing has."""
    return lambda size: monkeypatch.setattr(list_objects, "PAGE", size)


@pytest.fixture
def read_timeout(monkeypatch) -> Callable[[float], None]:
    """Set after how many seconds without a byte a connection counts as broken."""

    def set_timeout(seconds: float) -> None:
        monkeypatch.setattr(limits, "READ_TIMEOUT", seconds)  # of our own requests
        monkeypatch.setattr(clients, "READ_TIMEOUT", seconds)  # of botocore's

    return set_timeout


@pytest.fixture
def runs_are_left_over_at_once(monkeypatch) -> Callable[[], None]:
    """Have `FrameCache.sweep` take runs for ended as soon as it is called, and not a day later."""
    return lambda: monkeypatch.setattr(write, "_LEFT_OVER", -1)
