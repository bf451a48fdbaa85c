"""The commands, and how each failure leaves them.

Exit codes: 0 done, 1 a chunk or a step failed, 2 wrong usage or configuration, 3 the store or the database could
not be reached, 130 interrupted.
"""

from __future__ import annotations

import argparse
import datetime as dt
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from core.storage import StorageError
from examples.pipeline.errors import PipelineError, UsageError, exit_code_of, sentence_of

_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit with the code of its result; a failure is one sentence on stderr."""
    for one in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, _ended)
    try:
        code = _run(_parser().parse_args(arguments))
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except (PipelineError, StorageError, OSError) as error:
        print(f"error: {sentence_of(error)}", file=sys.stderr)
        code = exit_code_of(error)
    sys.exit(code)


def _ended(number: int, _frame: FrameType | None) -> NoReturn:
    """Turn SIGTERM into SystemExit, so that a process cleans up before it ends."""
    sys.exit(128 + number)


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("example", help="the whole of it, from nothing to the page")
    one.add_argument("environment", nargs="?", default="example")
    one.add_argument("--once", action="store_true", help="end when the page has responded")
    one = commands.add_parser("upload", help="identity ingest: cut a video and upload its chunks")
    one.add_argument("video", type=Path)
    one.add_argument("--date", type=dt.date.fromisoformat, default=None, help="such as 2026-11-23; default: today")
    one = commands.add_parser("extract", help="identity pipeline: write the frames of a chunk into the cache")
    one.add_argument("chunk", help="its key")
    one = commands.add_parser("replay", help="identity pipeline: detect once more, on cached frames")
    one.add_argument("timeline", nargs="+")
    one.add_argument("--threshold", type=int, default=None, help="difference of brightness, 1 to 255")
    one.add_argument("--job", default=None, help="a job that ended early, to go on with")
    one = commands.add_parser("work", help="identity pipeline: both stages, for every new chunk")
    one.add_argument("--once", action="store_true", help="end when all chunks are done")
    one = commands.add_parser("web", help="identity viewer: serve the page")
    one.add_argument("--port", type=int, default=3000)
    one = commands.add_parser("intake", help="identity ingest: sign uploads")
    one.add_argument("--port", type=int, required=True)
    return parser


# What a command needs is imported when it is asked for: the page needs no numpy, and the uploader no database.
def _run(asked: argparse.Namespace) -> int:
    return int(globals()[f"_{asked.command}"](asked) or 0)


def _example(asked: argparse.Namespace) -> None:
    from examples.pipeline.example import example  # noqa: PLC0415  # as above

    example(asked.environment, _say, once=asked.once)


def _upload(asked: argparse.Namespace) -> None:
    from examples.pipeline.upload import upload  # noqa: PLC0415  # as above

    for key in upload(asked.video, asked.date or dt.datetime.now(dt.UTC).date()):
        _say(key)


def _extract(asked: argparse.Namespace) -> None:
    from examples.pipeline.database import connected, migrate  # noqa: PLC0415  # as above
    from examples.pipeline.extract import extract_frames, find  # noqa: PLC0415  # as above

    with connected() as connection:
        migrate(connection)
        _say(extract_frames(connection, find(asked.chunk)).timeline_id)


def _replay(asked: argparse.Namespace) -> None:
    from examples.pipeline import difference  # noqa: PLC0415  # as above
    from examples.pipeline.database import connected, migrate  # noqa: PLC0415  # as above
    from examples.pipeline.replay import replay  # noqa: PLC0415  # as above

    threshold = difference.THRESHOLD if asked.threshold is None else asked.threshold
    if not 1 <= threshold <= 255:  # noqa: PLR2004  # brightness has 8 bits
        raise UsageError(f"--threshold must be from 1 to 255, got {threshold}")
    if asked.job and len(asked.timeline) > 1:
        raise UsageError("--job goes on with one job, which has one timeline")
    with connected() as connection:
        migrate(connection)
        for timeline in asked.timeline:
            _say(f"{timeline}: job {replay(connection, timeline, threshold=threshold, job_id=asked.job)}")


def _work(asked: argparse.Namespace) -> int:
    from examples.pipeline.database import connected, migrate  # noqa: PLC0415  # as above
    from examples.pipeline.work import work, work_once  # noqa: PLC0415  # as above

    with connected() as connection:
        migrate(connection)
    if not asked.once:
        work(_say)
    return bool(work_once(_say))


def _web(asked: argparse.Namespace) -> None:
    from examples.pipeline.serving import serve  # noqa: PLC0415  # as above
    from examples.pipeline.web import app  # noqa: PLC0415  # as above

    serve(app, asked.port)


def _intake(asked: argparse.Namespace) -> None:
    from examples.pipeline.intake import app  # noqa: PLC0415  # as above
    from examples.pipeline.serving import serve  # noqa: PLC0415  # as above

    serve(app, asked.port)
