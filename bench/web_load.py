"""Send requests to the web application over several connections, and verify every response.

    python -m bench.web_load <port> <GET or PUT> <job as JSON>

prints, as JSON, the time and the latencies of the requests, and what the server used for them. A wrong response is
an error. Each connection sends one request before the measurement, which opens it and one from server to store.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.job import CONNECTIONS, MIB, Job
from bench.usage import cpu_seconds
from bench.verify import NotDoneError

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class Connection:
    """A connection to the application, kept open between requests."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send a request, and return the status and the body of the response."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=MIB)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.writelines((head.encode(), body))
        headers = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(headers)
        return int(headers.split(b" ", 2)[1]), await reader.readexactly(int(length[1]) if length else 0)

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


@dataclass
class Load:
    """The requests to send, and their latencies and failures."""

    method: str
    contents: Sequence[bytes]
    connections: Sequence[Connection]
    #: Milliseconds from sending a request to the last byte of its response.
    latencies: list[float] = field(default_factory=list)
    #: What was wrong with responses.
    failures: list[str] = field(default_factory=list)

    async def send(self, count: int) -> None:
        """Send the first `count` requests, one at a time on each connection.

        Raises:
            NotDoneError: a response was wrong, or there was none.
        """
        numbers = iter(range(count))
        self.latencies.clear()
        await asyncio.gather(*(self._serve(connection, numbers) for connection in self.connections))
        if self.failures:
            raise NotDoneError(f"{len(self.failures):,} of {count:,} requests, the first: {self.failures[0]}")

    async def _serve(self, connection: Connection, numbers: Iterator[int]) -> None:
        for number in numbers:
            start = time.perf_counter()
            failure = await self._failure(connection, number)
            self.latencies.append(1000 * (time.perf_counter() - start))
            if failure:
                self.failures.append(f"{self.method} of object {number}: {failure}")
                connection.close()

    async def _failure(self, connection: Connection, number: int) -> str | None:
        """Send a request, and return what is wrong with the response, or None."""
        content = self.contents[number]
        request_body, expected = (b"", (200, content)) if self.method == "GET" else (content, (204, b""))
        try:
            status, body = await connection.request(self.method, f"/objects/{number}", request_body)
        except (OSError, EOFError) as error:
            return type(error).__name__
        if status != expected[0]:
            return f"status {status}"
        return None if body == expected[1] else f"{len(body):,} bytes that are not the content"


async def figures(port: int, method: str, contents: Sequence[bytes]) -> dict[str, float]:
    connections = [Connection(port) for _ in range(min(CONNECTIONS, len(contents)))]
    load = Load(method, contents, connections)
    await load.send(len(connections))
    before, cpu, start = await _usage(connections[0]), cpu_seconds(), time.perf_counter()
    await load.send(len(contents))
    wall, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    after = await _usage(connections[0])
    for connection in connections:
        connection.close()
    return {
        "wall": wall,
        "cpu": after["cpu"] - before["cpu"],
        "mib": after["mib"],
        "p50": percentile(load.latencies, 50),
        "p99": percentile(load.latencies, 99),
        "load_cpu": cpu,
    }


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that at least `percent` % of the values do not exceed."""
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


async def _usage(connection: Connection) -> dict[str, float]:
    _, body = await connection.request("GET", "/usage")
    usage: dict[str, float] = json.loads(body)
    return usage


def main() -> None:
    port, method, text = sys.argv[1:]
    contents = list(Job.from_json(text).contents().values())
    try:
        print(json.dumps(asyncio.run(figures(int(port), method, contents))))
    except NotDoneError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
