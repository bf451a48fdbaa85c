"""Running rclone: its log is read as it comes, and it ends when this process does, however that ends."""

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

#: Seconds in which rclone discards the parts of uploads that it gives up.
_TO_END = 15.0
#: Seconds without any movement until somebody looks whether the stores are there: rclone tries for very long.
_STALLED = 20.0
#: Failures that are kept; the others are alike.
_MOST = 1000
#: What makes the same refusal another text for every object.
_OWN = re.compile(r"(RequestID|HostID): [^,]*, ")


@dataclass
class Outcome:
    """What came of one run."""

    code: int = 0
    #: By key, as `keys.listed` writes it.
    failures: dict[str, str] = field(default_factory=dict)
    #: What was said of no object in particular.
    said: str = ""
    output: str = ""


class Log:
    """What rclone says, line by line."""

    def __init__(self, progress: Progress, sides: Iterable[Side], look: Callable[[], object]) -> None:
        self.outcome = Outcome()
        self._progress = progress
        self._secrets = [secret for side in sides for secret in _secrets(side)]
        self._look = look
        self._moved: object = None
        self._at = time.monotonic()

    def line(self, text: str) -> None:
        """Take in a line of the log.

        Raises:
            UnreachableError: nothing moves, and a store does not answer.
        """
        try:
            entry: dict[str, Any] = json.loads(text)
        except ValueError:  # before the log is set up, and from a crash, of which the first line says most
            self.outcome.said = self.outcome.said or self._masked(text)
            return
        if "stats" in entry:
            self._stats(entry["stats"])
        elif entry.get("level") in {"error", "critical", "fatal", "emergency"}:
            self._failure(str(entry.get("object", "")), _OWN.sub("", self._masked(str(entry.get("msg", "")))))

    def _failure(self, name: str, message: str) -> None:
        if not name:
            self.outcome.said = message
        elif len(self.outcome.failures) < _MOST:
            self.outcome.failures[name] = message

    def _stats(self, stats: Mapping[str, Any]) -> None:
        self._progress.at(stats.get("transfers", 0) + stats.get("checks", 0), stats.get("bytes", 0))
        moved = [stats.get(name) for name in ("bytes", "transfers", "checks", "listed")]
        if moved != self._moved:
            self._moved, self._at = moved, time.monotonic()
        elif time.monotonic() - self._at > _STALLED:
            self._look()
            self._at = time.monotonic()

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())


def run(arguments: Sequence[str], environ: Mapping[str, str], keys: Iterable[str], log: Log) -> Outcome:
    """Run rclone on these keys to its end.

    After an interruption, or any other exception, it has ended too, and has discarded the parts of the uploads
    that it was at. If this process is killed, rclone dies of its next line, which has no reader any more.
    """
    # Files without a name: nothing is left of them after whatever end.
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
            start_new_session=True,  # a Ctrl-C is for this process, which passes it on
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
            # Reads on: it could not end while nobody takes what it says.
            process.communicate(timeout=_TO_END)
    finally:
        if process.poll() is None:
            process.kill()


def _secrets(side: Side) -> list[str]:
    settings = side.settings
    return [one for one in (settings.secret_access_key, settings.session_token, settings.access_key_id) if one]
