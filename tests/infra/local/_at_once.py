"""Commands that begin at the same time, each in a process of its own."""

from __future__ import annotations

import io
import multiprocessing
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from infra import cli
from infra.config import stack_files
from infra.local import engine

_PRELOADED = ["infra.check.command", "infra.init", "infra.local.down", "infra.rotate.command", "infra.stores.iam"]


class Ended(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    stdout: str
    stderr: str


def at_once(root: Path, *commands: tuple[str, ...]) -> list[Ended]:
    """Run commands in the project at `root`, without Pulumi, and return their results in the same order."""
    context = multiprocessing.get_context(
        "forkserver"
    )  # with the modules imported, a process starts in milliseconds
    context.set_forkserver_preload(_PRELOADED)
    barrier, results = context.Barrier(len(commands)), context.Queue()
    processes = [
        context.Process(target=_run, args=(root, number, command, dict(os.environ), barrier, results))
        for number, command in enumerate(commands)
    ]
    for process in processes:
        process.start()
    try:
        ended = dict(results.get() for _ in processes)
    finally:
        for process in processes:
            process.join()
    return [ended[number] for number in range(len(commands))]


def _run(
    root: Path, number: int, command: tuple[str, ...], environ: dict[str, str], barrier: Any, results: Any
) -> None:
    os.environ.update(environ)
    os.chdir(root)
    stack_files.ROOT, stack_files.ENVIRONMENTS = root, root / "environments"
    engine.find = lambda: None
    engine.install = lambda _: None
    stdout, stderr = io.StringIO(), io.StringIO()
    barrier.wait()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        code = cli.run(list(command))
    results.put((number, Ended(code, stdout.getvalue(), stderr.getvalue())))
