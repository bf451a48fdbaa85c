"""Compare clients in a FastAPI application under load.

    python -m bench.web [--rounds N] [--requests N] [--json FILE]

Every run is a new server process with one client, and a new process that sends the requests and verifies the
responses. The clients take turns in every round.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from bench.job import CONNECTIONS, Sizes
from bench.process import figures_of
from bench.programs import S3FS_PYTHON
from bench.report import markdown
from bench.results import JSON_HELP, Refusal, Run, part, rounded, save
from bench.store import MEMORY, boto3_client, store
from bench.testbed import Testbed, create_files, fill, temporary_bucket
from bench.turns import in_turns
from bench.verified import verified
from bench.verify import NotDoneError, verify_objects
from bench.versions import installed

METHODS = ("GET", "PUT")
#: The client that the ratios refer to.
REFERENCE = "aioboto3"
CLIENTS = ("core.storage.aio", REFERENCE, "boto3, threads")


@dataclass(frozen=True)
class WebRun(Run):
    """What the requests of one run took; CPU time and memory are those of the server."""

    #: Latencies in milliseconds.
    p50: float
    p99: float
    #: CPU seconds of the process that sent the requests.
    load_cpu: float


def server_command(client: str) -> list[str]:
    """Return the command of a server with this client; `compare` appends the arguments."""
    if not installed(client):
        raise NotDoneError("it is not installed on this machine")
    return [str(S3FS_PYTHON) if client == "aioboto3" else sys.executable, "-m", "bench.web_app"]


def compare(
    testbed: Testbed,
    method: str,
    clients: Sequence[str],
    rounds: int,
    command: Callable[[str], list[str]] = server_command,
) -> tuple[list[WebRun], list[Refusal]]:
    """Run the clients in turns with requests of one method; tests replace the command of the server."""
    runs, reasons = in_turns(
        clients, rounds, lambda client, number: run(testbed, method, client, number, command(client))
    )
    return runs, [Refusal(method, client, testbed.scheme, reason) for client, reason in reasons.items()]


def run(testbed: Testbed, method: str, client: str, number: int, command: Sequence[str]) -> WebRun:
    """Start a server, send it a request for each object, and look for the uploaded ones."""
    with temporary_bucket(testbed) as uploads:
        job = replace(testbed.job(prefix="web/", uploads=uploads), in_memory=True)
        variables = testbed.variables()
        with _server([*command, client, job.to_json()], variables) as (port, log):
            load = [sys.executable, "-m", "bench.web_load", str(port), method, job.to_json()]
            try:
                figures = figures_of(load, variables)
            except NotDoneError as error:
                raise NotDoneError(f"{error}{_last_line(log)}") from None
        files = {name: job.file(name) for name in job.names()}
        if method == "PUT":
            verify_objects(boto3_client(testbed.plain), uploads, job.prefix, files)
    size = sum(file.stat().st_size for file in files.values())
    return WebRun(
        case=method, client=client, scheme=testbed.scheme, round=number, objects=len(files), bytes=size, **figures
    )


@contextmanager
def _server(command: Sequence[str], variables: Mapping[str, str]) -> Iterator[tuple[int, IO[str]]]:
    """Run a server, and yield its port and what it wrote to stderr."""
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        # Connections wait in the queue of the socket until the server accepts them, and fail once it has ended.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            descriptor, port = listener.fileno(), listener.getsockname()[1]
            process = subprocess.Popen(
                [*command, str(descriptor)],
                env=variables,
                pass_fds=[descriptor],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            yield port, log
        finally:
            process.kill()  # it has no state, and its connections are closed
            process.wait()


def _last_line(log: IO[str]) -> str:
    log.seek(0)
    lines = log.read().strip().splitlines()
    return f"; the last line of the server: {lines[-1][:300]}" if lines else ""


def measure(testbed: Testbed, rounds: int) -> dict[str, Any]:
    """Return the figures of all clients, with all that the tables need."""
    runs: list[WebRun] = []
    refusals: list[Refusal] = []
    for method in METHODS:
        more, refused = compare(testbed, method, CLIENTS, rounds)
        runs += more
        refusals += refused
    objects, kilobytes = f"{testbed.sizes.objects:,}", f"{testbed.sizes.object_bytes / 1000:g}"
    cases = {
        method: {
            "title": f"{objects} {method} requests, objects of {kilobytes} KB",
            "reference": REFERENCE,
            "verified": {testbed.scheme: dict(verified(f"web {method}", testbed.scheme))},
        }
        for method in METHODS
    }
    return {
        "connections": CONNECTIONS,
        "sizes": asdict(testbed.sizes),
        "cases": cases,
        "runs": [rounded(asdict(run)) for run in runs],
        "refusals": [asdict(refusal) for refusal in refusals],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=2000, help="number of requests of each method")
    parser.add_argument("--json", type=Path, help=JSON_HELP)
    asked = parser.parse_args()
    sizes = Sizes(objects=asked.requests, big_bytes=0, keys=0)
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder, store() as endpoints:
        files = create_files(Path(folder) / "files", sizes)
        testbed = Testbed(endpoints["http"], endpoints["http"], None, files, "bench-source", sizes)
        fill(testbed)
        content = measure(testbed, asked.rounds)
    used = [*dict.fromkeys(run["client"] for run in content["runs"]), "fastapi", "uvicorn", "SeaweedFS"]
    figures = part(used, rounds=asked.rounds, **content)
    print(markdown({"web": figures}))
    if asked.json:
        save(asked.json, "web", figures)


if __name__ == "__main__":
    main()
