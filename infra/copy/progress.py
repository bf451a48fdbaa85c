"""Show the progress of a copy: a bar on a terminal, lines elsewhere, nothing with ``--json``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

#: Seconds between two lines.
_PAUSE = 10.0


def size(count: int) -> str:
    """Return a number of bytes for people."""
    from rich.filesize import decimal  # noqa: PLC0415  # as below

    return decimal(count)


class Progress:
    """The progress of one step after the other. This class shows nothing."""

    def __init__(self) -> None:
        self.step = ""
        self.objects = self.bytes = 0
        self._earlier = (0, 0)
        self._current = (0, 0)

    def begin(self, step: str, objects: int, size: int) -> None:
        """Begin a step of so many objects and bytes."""
        self.step, self.objects, self.bytes = step, objects, size
        self._earlier = self._current = (0, 0)
        self.show(0, 0)

    def at(self, objects: int, size: int) -> None:
        """Update what the current run of rclone has done."""
        self._current = (self._earlier[0] + objects, self._earlier[1] + size)
        self.show(min(self._current[0], self.objects), min(self._current[1], self.bytes))

    def next_run(self) -> None:
        """Add the next run of rclone to the earlier ones of this step."""
        self._earlier = self._current

    def show(self, objects: int, size: int) -> None:
        """Show what is done of the step."""


class Lines(Progress):
    """A line at the start of a step, and one every ten seconds."""

    _shown = 0.0

    def begin(self, step: str, objects: int, size: int) -> None:
        """Do as `Progress.begin`."""
        self._shown = 0.0
        super().begin(step, objects, size)

    def show(self, objects: int, done: int) -> None:
        """Do as `Progress.show`."""
        if time.monotonic() - self._shown < _PAUSE:
            return
        self._shown = time.monotonic()
        click.echo(f"{self.step}: {objects:,} of {self.objects:,} objects, {size(done)} of {size(self.bytes)}")
        sys.stdout.flush()


class Bar(Progress):
    """A progress bar."""

    def __init__(self, bars: Bars) -> None:
        super().__init__()
        self._bars = bars
        self._task: TaskID | None = None

    def begin(self, step: str, objects: int, size: int) -> None:
        """Do as `Progress.begin`."""
        self._task = self._bars.add_task(step, total=max(size, 1), objects=f"0/{objects:,}")
        super().begin(step, objects, size)

    def show(self, objects: int, size: int) -> None:
        """Do as `Progress.show`."""
        if self._task is not None:
            self._bars.update(self._task, completed=size, objects=f"{objects:,}/{self.objects:,}")


@contextmanager
def shown(*, as_json: bool) -> Iterator[Progress]:
    """Yield the progress display for the current output."""
    if as_json:
        yield Progress()
    elif not sys.stdout.isatty():
        yield Lines()
    else:
        from rich import progress as rich  # noqa: PLC0415  # 60 ms, only for terminals

        columns = (
            rich.TextColumn("{task.description}"),
            rich.BarColumn(),
            rich.TextColumn("{task.fields[objects]} objects"),
            rich.DownloadColumn(),
            rich.TransferSpeedColumn(),
            rich.TimeRemainingColumn(),
        )
        with rich.Progress(*columns) as bars:
            yield Bar(bars)
