"""The whole of it on this machine: what `make example-cluster` runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from examples.pipeline import video
from examples.pipeline.example import DAY, provision
from examples.pipeline.processes import Processes
from examples.pipeline.workspace import workspace
from infra.config import stack_files

#: Of the video: four chunks, for two workers.
_SECONDS = 96

Say = Callable[[str], None]


def demo(environment: str, say: Say) -> int:
    """Provision buckets and keys, upload a video as `ingest`, and extract its frames as `pipeline`; the exit code.

    Raises:
        UsageError, PipelineError: with the sentence to show, and the exit code of what failed.
    """
    provision(environment)
    processes = Processes(environment)
    with workspace() as folder:
        path = folder / "match.mp4"
        say(f"ffmpeg makes a video of {_SECONDS} s")
        video.generate(path, _SECONDS)
        chunks = processes.run("ingest", "upload", str(path), "--date", DAY.isoformat()).split()
    say(f"ingest uploaded {len(chunks)} chunks")
    command = [sys.executable, "-m", "examples.cluster", "run", DAY.isoformat()]
    return subprocess.run(command, cwd=stack_files.ROOT, env=processes.environ("pipeline"), check=False).returncode
