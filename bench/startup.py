"""What the library costs before its first answer, beside boto3 alone. Prints figures, asserts nothing.

    python bench/startup.py [rounds]

Every figure is the median over fresh processes whose kinds take turns, so that a slow moment of the machine
hits them alike. The first uses end with the same request to one real SeaweedFS, started here.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from store import KEYS, store

REPO = Path(__file__).parent.parent
BUCKET = "bench-startup"
NAMES = "get_s3_client, list_objects, download_file, download_to_temp, upload_file, get_presigned_url"

KINDS = {
    "bare python": "pass",
    "import core.storage": "import core.storage",
    "from core.storage import (every function)": f"from core.storage import {NAMES}",
    "import boto3": "import boto3",
    "first use, core.storage": f"from core.storage import list_objects; list(list_objects('{BUCKET}', limit=1))",
    "first use, boto3 as it is": (
        "import boto3, os; boto3.client('s3', endpoint_url=os.environ['S3_ENDPOINT_URL'])"
        f".list_objects_v2(Bucket='{BUCKET}', MaxKeys=1)"
    ),
}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with store() as endpoints:
        environment = {
            **os.environ,
            **KEYS,
            "PYTHONPATH": str(REPO),
            "S3_ENDPOINT_URL": endpoints["http"],
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        setup = f"from core.storage import get_s3_client; get_s3_client().create_bucket(Bucket='{BUCKET}')"
        subprocess.run([sys.executable, "-c", setup], env=environment, check=True)
        report(measured(environment, rounds), rounds)


def measured(environment: dict[str, str], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every run of every kind; a round that only warms the caches comes first."""
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(rounds + 1):
        for kind, code in KINDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], env=environment, check=True)
            if number:
                times[kind].append(1000 * (time.perf_counter() - start))
    return times


def report(times: dict[str, list[float]], rounds: int) -> None:
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    bare = medians["bare python"]
    print(f"medians of {rounds} fresh processes each, ms")
    print(f"{'':44}{'whole':>8}{'over bare':>11}{'least':>8}")
    for kind, median in medians.items():
        print(f"{kind:44}{median:8.1f}{median - bare:11.1f}{min(times[kind]):8.1f}")
    ours, theirs = medians["first use, core.storage"], medians["first use, boto3 as it is"]
    print(f"first use / boto3's own, whole process: {ours / theirs:.2f}")
    print(f"first use / boto3's own, over bare:     {(ours - bare) / (theirs - bare):.2f}")


if __name__ == "__main__":
    main()
