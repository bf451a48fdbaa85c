"""Where a program is that a wheel brings, or the machine has."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def find(name: str) -> str | None:
    """The path of the program beside this Python, else of the one on PATH; None where there is neither."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)
