"""Run rclone, read its log, and end it when this process ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, Any

from infra.copy.keys import listed
from infra.copy.progress import Progress
from infra.copy.side import Side

#: Seconds in which rclone aborts its unfinished uploads.
_TO_END = 15.0
#: Seconds without progress until the stores are checked: rclone itself retries for a long time.
_STALLED = 20.0
#: The number of failures that are kept.
_MOST = 1000
#: The parts of a message that differ for every object.
_IDS = re.compile(r"(RequestID|HostID): [^,]*, ")


@dataclass
class RcloneOutcome:
    """The result of a run."""

    code: int = 0
    #: Messages by object key, as `keys.listed` spells it.
    failures: dict[str, str] = field(default_factory=dict)
    #: The last message about no object in particular.
    message: str = ""
    output: str = ""


class Log:
    """The log of rclone, line by line."""

    def __init__(self, progress: Progress, sides: Iterable[Side], check_stores: Callable[[], object]) -> None:
        self.outcome = RcloneOutcome()
        self._progress = progress
        self._secrets = [secret for side in sides for secret in _secrets(side)]
        self._check_stores = check_stores
        self._counts: object = None
        self._changed = time.monotonic()

    def line(self, text: str) -> None:
        """Read a line of the log.

        Raises:
            StorageError: there is no progress, and a store does not respond.
        """
        try:
            entry: dict[str, Any] = json.loads(text)
        except ValueError:  # from before the log is set up, or from a crash, of which the first line tells most
            self.outcome.message = self.outcome.message or self._masked(text)
            return
        if "stats" in entry:
            self._stats(entry["stats"])
        elif entry.get("level") in {"error", "critical", "fatal", "emergency"}:
            self._failure(str(entry.get("object", "")), _IDS.sub("", self._masked(str(entry.get("msg", "")))))

    def _failure(self, name: str, message: str) -> None:
        if not name:
            self.outcome.message = message
        elif len(self.outcome.failures) < _MOST:
            self.outcome.failures[name] = message

    def _stats(self, stats: Mapping[str, Any]) -> None:
        self._progress.at(stats.get("transfers", 0) + stats.get("checks", 0), stats.get("bytes", 0))
        counts = [stats.get(name) for name in ("bytes", "transfers", "checks", "listed")]
        if counts != self._counts:
            self._counts, self._changed = counts, time.monotonic()
        elif time.monotonic() - self._changed > _STALLED:
            self._check_stores()
            self._changed = time.monotonic()

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())


def run(arguments: Sequence[str], environ: Mapping[str, str], keys: Iterable[str], log: Log) -> RcloneOutcome:
    """Run rclone on these object keys, and wait for its end.

    An interruption, or any other exception, ends rclone first, which aborts its unfinished uploads. If this
    process is killed, rclone ends at its next line of output, because the pipe is closed.
    """
    # Files without a name: no end of this process leaves them behind.
    with TemporaryFile() as names, TemporaryFile() as output:
        names.writelines(f"{listed(key)}\n".encode() for key in keys)
        names.seek(0)
        process = subprocess.Popen(
            arguments,
            env=dict(environ),
            stdin=names,
            stdout=output,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches only this process, which passes it on
        )
        with process:
            try:
                _follow(process.stderr, log)
                process.wait()
            finally:
                _end(process)
        output.seek(0)
        log.outcome.output = output.read().decode(errors="replace")
    log.outcome.code = process.returncode
    return log.outcome


def _follow(lines: IO[str] | None, log: Log) -> None:
    for line in lines or ():
        log.line(line)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_TO_END)  # reads on: a full pipe would keep rclone from ending
    finally:
        if process.poll() is None:
            process.kill()


def _secrets(side: Side) -> list[str]:
    settings = side.settings
    values = (settings.secret_access_key, settings.session_token, settings.access_key_id)
    return [value for value in values if value]
