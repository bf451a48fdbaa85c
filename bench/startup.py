"""Measure what the library costs before its first result, compared with boto3 alone.

    python -m bench.startup [--rounds N] [--json FILE]

Every figure is the median over new processes whose kinds take turns. The first listings send the same request to
one real SeaweedFS, started here.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from bench.report import markdown
from bench.results import JSON_HELP, part, save
from bench.store import boto3_client, environment, store

BUCKET = "bench-startup"
NAMES = "get_s3_client, list_objects, download_file, download_to_temp, upload_file, get_presigned_url"

#: The code of each process; the first is what the others are compared with.
KINDS = {
    "bare Python": "pass",
    "`import core.storage`": "import core.storage",
    "`from core.storage import` every function": f"from core.storage import {NAMES}",
    "`import boto3`": "import boto3",
    "first listing, `core.storage`": (
        f"from core.storage import list_objects; list(list_objects('{BUCKET}', limit=1))"
    ),
    "first listing, boto3": (
        "import boto3, os; boto3.client('s3', endpoint_url=os.environ['S3_ENDPOINT_URL'])"
        f".list_objects_v2(Bucket='{BUCKET}', MaxKeys=1)"
    ),
}


def measured(variables: dict[str, str], rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of every run of every kind; a first round fills the caches and does not count."""
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(rounds + 1):
        for kind, code in KINDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], env=variables, check=True)
            if number:
                times[kind].append(round(1000 * (time.perf_counter() - start), 2))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path, help=JSON_HELP)
    asked = parser.parse_args()
    with store() as endpoints:
        boto3_client(endpoints["http"]).create_bucket(Bucket=BUCKET)
        times = measured(environment(endpoints["http"]), asked.rounds)
    figures = part(["core.storage", "boto3", "SeaweedFS"], rounds=asked.rounds, milliseconds=times)
    print(markdown({"startup": figures}))
    if asked.json:
        save(asked.json, "startup", figures)


if __name__ == "__main__":
    main()
