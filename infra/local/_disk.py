"""The disk that the store lies on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from infra.errors import InfraError, UsageError
from infra.local._layout import Layout

_MEGABYTE = 1_000_000
#: Below this much free space the store is not started: its own metadata could be cut off in the middle.
MINIMUM_FREE = 200 * _MEGABYTE
#: SeaweedFS takes no more objects when less than this share of the whole disk is free.
_RESERVED_SHARE = 0.01


def prepare(layout: Layout) -> None:
    """Make the store's private folders, with mode 0700.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        for folder in (layout.folder, layout.data, layout.config):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        layout.lock.open("ab").close()
    except OSError as error:
        raise UsageError(f"the store cannot keep its data in {layout.folder}: {error.strerror}") from error


def check_space(folder: Path, report: Callable[[str], None]) -> None:
    """Refuse a disk that is full; `report` hears of one that is nearly so.

    Raises:
        InfraError: less than 200 MB are free.
    """
    disk = shutil.disk_usage(folder)
    if disk.free < MINIMUM_FREE:
        raise InfraError(
            f"only {disk.free // _MEGABYTE} MB are free on the disk of {folder}, and the store needs"
            f" {MINIMUM_FREE // _MEGABYTE} MB to start; free some space and start it again"
        )
    if disk.free < disk.total * _RESERVED_SHARE:
        report("less than 1 % of the disk is free: the store can be read, but takes no new objects")


def size(folder: Path) -> int:
    """The bytes that the files below `folder` occupy on the disk; files that vanish meanwhile count nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        total += sum(_occupied(Path(parent, name)) for name in names)
    return total


def _occupied(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except FileNotFoundError:
        return 0
