"""How far a copy is: a bar on a terminal, a line now and then elsewhere, nothing for machines."""

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
    """Bytes as people read them."""
    from rich.filesize import decimal  # noqa: PLC0415  # as below

    return decimal(count)


class Progress:
    """Of one thing after the other; this one shows nothing."""

    def __init__(self) -> None:
        self.what = ""
        self.objects = self.bytes = 0
        self._done = (0, 0)
        self._at = (0, 0)

    def begin(self, what: str, objects: int, size: int) -> None:
        """Something begins that will have moved so many objects and bytes."""
        self.what, self.objects, self.bytes = what, objects, size
        self._done = self._at = (0, 0)
        self.show(0, 0)

    def at(self, objects: int, size: int) -> None:
        """This run of rclone has moved so much."""
        self._at = (self._done[0] + objects, self._done[1] + size)
        self.show(min(self._at[0], self.objects), min(self._at[1], self.bytes))

    def next_run(self) -> None:
        """The run is over; what the next one moves comes on top."""
        self._done = self._at

    def show(self, objects: int, size: int) -> None:
        """Show that so much is done."""


class Lines(Progress):
    """A line at the start, and then every ten seconds."""

    _shown = 0.0

    def begin(self, what: str, objects: int, size: int) -> None:
        """As of `Progress`."""
        self._shown = 0.0
        super().begin(what, objects, size)

    def show(self, objects: int, done: int) -> None:
        """As of `Progress`."""
        if time.monotonic() - self._shown < _PAUSE:
            return
        self._shown = time.monotonic()
        click.echo(f"{self.what}: {objects:,} of {self.objects:,} objects, {size(done)} of {size(self.bytes)}")
        sys.stdout.flush()


class Bar(Progress):
    """A bar."""

    def __init__(self, bars: Bars) -> None:
        super().__init__()
        self._bars = bars
        self._task: TaskID | None = None

    def begin(self, what: str, objects: int, size: int) -> None:
        """As of `Progress`."""
        self._task = self._bars.add_task(what, total=max(size, 1), objects=f"0/{objects:,}")
        super().begin(what, objects, size)

    def show(self, objects: int, size: int) -> None:
        """As of `Progress`."""
        if self._task is not None:
            self._bars.update(self._task, completed=size, objects=f"{objects:,}/{self.objects:,}")


@contextmanager
def shown(*, as_json: bool) -> Iterator[Progress]:
    """The progress that fits where the output goes."""
    if as_json:
        yield Progress()
    elif not sys.stdout.isatty():
        yield Lines()
    else:
        from rich import progress as rich  # noqa: PLC0415  # 60 ms, for terminals alone

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
