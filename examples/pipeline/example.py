"""The whole of it, from nothing to the page: what `make example` runs."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from examples.pipeline import video
from examples.pipeline.database import URL_VARIABLE
from examples.pipeline.errors import PipelineError, UsageError
from examples.pipeline.postgres import server
from examples.pipeline.processes import Processes, env_file, wait_for
from examples.pipeline.serving import INTAKE_VARIABLE, listener
from examples.pipeline.workspace import workspace
from infra.config import stack_files
from infra.config.environment import EMBEDDED
from infra.config.load import load_environment
from infra.errors import InfraError
from infra.targets.registry import TARGETS

IDENTITIES = ("ingest", "pipeline", "viewer")
#: Those that the corsOrigins of environments/Pulumi.example.yaml list.
_PORTS = (3000, 5173)
_SECONDS = 96
DAY = dt.date(2026, 11, 24)

Say = Callable[[str], None]


def example(environment: str, say: Say, *, once: bool = False) -> None:
    """Buckets and keys, a database, a video, both stages, a replay, the page; serves it until Ctrl-C.

    Args:
        environment: its configuration must name the identities ingest, pipeline and viewer.
        say: hears what happens.
        once: end when the page has answered.

    Raises:
        UsageError, PipelineError: with the sentence to show, and the exit code of what failed.
    """
    began = time.perf_counter()
    provision(environment)
    with _database(say) as url:
        processes = Processes(environment, {URL_VARIABLE: url})
        _stages(processes, say)
        with _page(processes) as (address, running):
            say(f"ready after {time.perf_counter() - began:.0f} s: {address}")
            if not once:
                say("Ctrl-C ends it; what is in the buckets stays")
                _watch(running)


def provision(environment: str) -> None:
    """Have the buckets, keys and env files of the environment; what there is already stays.

    Raises:
        UsageError: the environment's configuration is wrong, or lacks an identity.
        PipelineError: what makes them failed.
    """
    try:
        config = load_environment(environment)
    except InfraError as error:
        raise UsageError(str(error)) from error
    missing = [one for one in IDENTITIES if one not in config.names]
    if missing:
        raise UsageError(f"environment {environment} has no identity {', '.join(missing)}: add it to `identities`")
    if config.endpoint == EMBEDDED:
        _infra("store", "start")
        _infra("init", environment)
    elif not all(env_file(environment, one).exists() for one in IDENTITIES):
        if TARGETS[config.target].is_cloud:
            raise UsageError(
                f"environment {environment} is not deployed: `make up ENVIRONMENT={environment}` does it"
            )
        _infra("init", environment)


def _infra(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "infra", *arguments], cwd=stack_files.ROOT, check=False)
    if done.returncode:
        error = PipelineError(f"`./mpr {' '.join(arguments)}` failed: the message above says why")
        error.exit_code = done.returncode
        raise error


@contextmanager
def _database(say: Say) -> Iterator[str]:
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield given
        return
    with server() as url:
        say(f"PostgreSQL runs; in another shell: export {URL_VARIABLE}='{url}'")
        yield url


def _stages(processes: Processes, say: Say) -> None:
    with workspace() as folder:
        path = folder / "match.mp4"
        say(f"ffmpeg makes a video of {_SECONDS} s")
        video.generate(path, _SECONDS)
        chunks = processes.run("ingest", "upload", str(path), "--date", DAY.isoformat()).split()
    say(f"ingest uploaded {len(chunks)} chunks: {chunks[0]} ...")
    began = time.perf_counter()
    told = processes.run("pipeline", "work", "--once").splitlines()
    first = time.perf_counter() - began
    for line in told:
        say(f"  {line}")
    timelines = [line.partition(":")[0] for line in told]
    if not timelines:
        say("pipeline found nothing to do: the database knows every chunk")
        return
    began = time.perf_counter()
    processes.run("pipeline", "replay", *timelines)
    again = time.perf_counter() - began
    ratio = (
        f", {first / again:.1f} times faster"
        if all(" decoded " in line for line in told)
        else " (frames were cached)"
    )
    say(f"first run {first:.1f} s, replay on cached frames {again:.1f} s{ratio}")


@contextmanager
def _page(processes: Processes) -> Iterator[tuple[str, Sequence[subprocess.Popen[bytes]]]]:
    """The page, its signer of uploads and the worker, while the block runs."""
    port, signer = _free_port(_PORTS), _free_port([0])
    intake = f"http://127.0.0.1:{signer}"
    web = Processes(processes.environment, processes.variables | {INTAKE_VARIABLE: intake})
    address = f"http://localhost:{port}"
    with ExitStack() as stack:
        running = [
            stack.enter_context(processes.started("ingest", "intake", "--port", str(signer))),
            stack.enter_context(web.started("viewer", "web", "--port", str(port))),
            stack.enter_context(processes.started("pipeline", "work")),
        ]
        wait_for(intake, running[0])
        wait_for(f"{address}/api/chunks", running[1])
        yield address, running


def _free_port(ports: Sequence[int]) -> int:
    for port in ports:
        try:
            with listener(port) as bound:
                return int(bound.getsockname()[1])
        except UsageError:
            continue
    raise UsageError(
        f"the ports {' and '.join(map(str, ports))} are taken; the store lets pages of no other upload"
    )


def _watch(running: Sequence[subprocess.Popen[bytes]]) -> None:
    """Until Ctrl-C, or one of the processes has ended."""
    try:
        while all(one.poll() is None for one in running):
            time.sleep(0.5)
    except KeyboardInterrupt:
        return
    raise PipelineError("a process of the example ended: the lines above say why")
