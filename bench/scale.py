"""Whether time is linear in the number of objects, and memory flat: many small ones down, and their listing.

python bench/scale.py [most]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from store import KEYS, MEMORY, store

REPO = Path(__file__).parent.parent
SIZE = 1000
RUN = """
import json, resource, sys, time
from core.storage import download_many, list_objects
count, start = 0, time.perf_counter()
for result in download_many(list_objects("scale", "small/", limit=int(sys.argv[1])), sys.argv[2]):
    assert result.ok
    count += 1
wall = time.perf_counter() - start
print(json.dumps({"count": count, "wall": wall, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""
FILL = """
import os, sys
from core.storage import get_s3_client, upload_many
get_s3_client().create_bucket(Bucket="scale")
source = sys.argv[2]
open(source, "wb").write(os.urandom(int(sys.argv[3])))
for result in upload_many((source, "scale", f"small/{n // 1000:03}/{n:06}") for n in range(int(sys.argv[1]))):
    assert result.ok
"""


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory(dir=MEMORY) as name, store() as endpoints:
        region = {"AWS_REGION": "us-east-1", "PYTHONPATH": str(REPO)}
        environment = {**os.environ, **KEYS, **region, "S3_ENDPOINT_URL": endpoints["http"]}
        python(FILL, environment, str(most), f"{name}/source", str(SIZE))
        print(f"{'objects':>9}{'s':>8}{'us each':>9}{'peak MiB':>10}")
        for count in (most // 8, most // 4, most // 2, most):
            with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
                found = json.loads(python(RUN, environment, str(count), folder))
            each = 1e6 * found["wall"] / found["count"]
            print(f"{found['count']:9}{found['wall']:8.1f}{each:9.0f}{found['mib']:10.0f}", flush=True)


def python(code: str, environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
