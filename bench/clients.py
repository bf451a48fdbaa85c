"""One client process of `bench.transfers`.

    python -m bench.clients <client> <work> <job as JSON>

does the work once and prints, as JSON, what it cost, how many keys a listing returned, and hashes of contents in
memory. The import of a library and the construction of its client are outside the measured time; the start of a
program is inside.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.job import Cases, Job, digests
from bench.programs import PROGRAMS


def main(clients: Mapping[str, Callable[[Job], Cases]]) -> None:
    client, name, text = sys.argv[1:]
    job = Job.from_json(text)
    work = clients[client](job)[name]
    cpu, start = _cpu(), time.perf_counter()
    result = work(job)
    wall, cpu = time.perf_counter() - start, _cpu() - cpu
    peak = _peak_of_programs() if client in PROGRAMS else _peak()
    figures: dict[str, Any] = {"wall": wall, "cpu": cpu, "mib": peak, "keys": None, "digests": None}
    if name == "list":
        figures["keys"] = result
    elif isinstance(result, dict):  # the content, in memory
        figures["digests"] = digests(result)
    elif isinstance(result, str):  # of a program that measures itself
        figures |= json.loads(result)
    print(json.dumps(figures))


def _peak() -> float:
    """Return the peak memory of this process in MiB; getrusage would count that of its parent as well."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def _peak_of_programs() -> float:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _cpu() -> float:
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _clients(client: str) -> Mapping[str, Callable[[Job], Cases]]:
    if client in PROGRAMS:
        return PROGRAMS
    from bench.libraries import LIBRARIES  # only here: see `bench.programs`

    return LIBRARIES


if __name__ == "__main__":
    main(_clients(sys.argv[1]))
