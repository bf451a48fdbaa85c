"""CPU time and peak memory of the current process."""

from __future__ import annotations

import resource
from pathlib import Path


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its ended child processes."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def peak_mib() -> float:
    """Return the peak memory of this process in MiB; getrusage would count that of its parent as well."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
