"""One client process of `bench.transfers`.

    python -m bench.clients <client> <work> <job as JSON>

does the work once and prints, as JSON, what it cost, how many keys a listing returned, and hashes of contents in
memory. The import of a library and the construction of its client are outside the measured time; the start of a
program is inside.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.job import Cases, Job, digests
from bench.programs import PROGRAMS
from bench.usage import cpu_seconds, peak_mib


def main(clients: Mapping[str, Callable[[Job], Cases]]) -> None:
    client, name, text = sys.argv[1:]
    job = Job.from_json(text)
    work = clients[client](job)[name]
    cpu, start = cpu_seconds(), time.perf_counter()
    result = work(job)
    wall, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    peak = _peak_of_programs() if client in PROGRAMS else peak_mib()
    figures: dict[str, Any] = {"wall": wall, "cpu": cpu, "mib": peak, "keys": None, "digests": None}
    if name == "list":
        figures["keys"] = result
    elif client == "aiobotocore":  # a program that measures itself
        figures |= json.loads(str(result))
    elif name == "many down, memory" and isinstance(result, dict):
        figures["digests"] = digests(result)
    print(json.dumps(figures), flush=True)
    if client == "obstore, async":
        # Its threads abort some processes while the interpreter ends: PyO3/pyo3-async-runtimes#40.
        os._exit(0)


def _peak_of_programs() -> float:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _clients(client: str) -> Mapping[str, Callable[[Job], Cases]]:
    if client in PROGRAMS:
        return PROGRAMS
    from bench.libraries import LIBRARIES  # only here: see `bench.programs`

    return LIBRARIES


if __name__ == "__main__":
    main(_clients(sys.argv[1]))
