"""Run one process of a benchmark."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from bench.verify import NotDoneError

#: Seconds that one run may take.
TIMEOUT = 300


def figures_of(command: Sequence[str], variables: Mapping[str, str]) -> dict[str, Any]:
    """Run a command with these environment variables, and return the figures that it prints as JSON.

    Raises:
        NotDoneError: the command failed or did not end in time.
    """
    try:
        done = subprocess.run(
            command, env=variables, check=False, capture_output=True, text=True, errors="replace", timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise NotDoneError(f"it did not end within {TIMEOUT} s") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise NotDoneError(f"it failed: {last[0][:300]}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures
