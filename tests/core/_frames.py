"""Frames for tests, writers in processes of their own, and what is in a bucket."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from core.storage import list_objects


def made(folder: Path, count: int, start: int = 0) -> list[Path]:
    """Frames with content that no others have."""
    folder.mkdir(exist_ok=True)
    found = [folder / f"{number}.jpg" for number in range(start, start + count)]
    for number, one in enumerate(found):
        one.write_bytes(os.urandom(500 + number))
    return found


def contents(paths: list[Path]) -> list[bytes]:
    return [one.read_bytes() for one in paths]


def stored(bucket: str) -> list[str]:
    return [one.key for one in list_objects(bucket)]


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
