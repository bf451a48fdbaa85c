"""Extract the frames of all chunks of a day on a Dask cluster.

    python -m examples.cluster run DAY [--scheduler ADDRESS] [--workers N]
    python -m examples.cluster demo [ENVIRONMENT]

Exit codes: 0 done, 1 a chunk failed, 2 wrong usage or configuration, 3 the store or the scheduler could not be
reached, 130 interrupted.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys

from core.storage import StorageError
from examples.pipeline.errors import PipelineError, exit_code_of, sentence_of

_INTERRUPTED = 130


def main() -> int:
    """Run one command, and return its exit code; a failure is one sentence on stderr."""
    arguments = _parser().parse_args()
    try:
        if arguments.command == "demo":
            from examples.cluster.demo import demo  # noqa: PLC0415  # provisions, which `run` does not

            return demo(arguments.environment, _say)
        from examples.cluster.run import run  # noqa: PLC0415  # needs the name of a bucket, which `demo` provisions

        return run(arguments.day, _say, scheduler=arguments.scheduler, workers=arguments.workers)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (PipelineError, StorageError, OSError) as error:
        sys.stderr.write(f"error: {sentence_of(error)}\n")
        return exit_code_of(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.cluster", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("run", help="extract the frames of a day, as the identity of S3_ENV_FILE")
    command.add_argument("day", type=dt.date.fromisoformat, help="such as 2026-11-24")
    command.add_argument("--scheduler", help="tcp://host:8786; by default, worker processes on this machine")
    command.add_argument("--workers", type=int, default=2, help="worker processes on this machine (default: 2)")
    command = commands.add_parser("demo", help="provision an environment, upload a video, and extract its frames")
    command.add_argument("environment", nargs="?", default="example")
    return parser


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
