"""The paths of programs that come with a Python package, or are installed on the machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def find(name: str) -> str | None:
    """Return the path of the program in the folder of this Python, or else on PATH, or None."""
    path = Path(sys.executable).parent / name
    return str(path) if path.exists() else shutil.which(name)
