"""Show whether time is linear in the number of small objects to list and download, and memory constant.

python -m bench.scale [--most N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.report import markdown
from bench.results import JSON_HELP, part, save
from bench.store import MEMORY, environment, store

SIZE = 1000
RUN = """
import json, sys, time
from core.storage import download_many, list_objects
start = time.perf_counter()
for result in download_many(list_objects("scale", "small/", limit=int(sys.argv[1])), sys.argv[2]):
    if result.error:
        raise result.error
wall = time.perf_counter() - start
# Not ru_maxrss: on Linux that includes the process that started this one, up to the exec.
with open("/proc/self/status") as status:
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
print(json.dumps({"wall": wall, "mib": int(peak) / 1024}))
"""
FILL = """
import sys
from core.storage import get_s3_client, upload_many
get_s3_client().create_bucket(Bucket="scale")
keys = (f"small/{number // 1000:03}/{number:06}" for number in range(int(sys.argv[2])))
for result in upload_many((sys.argv[1], "scale", key) for key in keys):
    if result.error:
        raise result.error
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=200_000)
    parser.add_argument("--json", type=Path, help=JSON_HELP)
    asked = parser.parse_args()
    figures = part(["core.storage", "SeaweedFS"], object_bytes=SIZE, runs=measured(asked.most))
    print(markdown({"scale": figures}))
    if asked.json:
        save(asked.json, "scale", figures)


def measured(most: int) -> list[dict[str, Any]]:
    """Download an eighth, a quarter, half and all of the objects, each into a folder of its own."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder, store() as endpoints:
        source = Path(folder, "source")
        source.write_bytes(os.urandom(SIZE))
        _python(FILL, endpoints["http"], str(source), str(most))
        return [_download(endpoints["http"], most // share) for share in (8, 4, 2, 1)]


def _download(endpoint: str, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        figures = json.loads(_python(RUN, endpoint, str(count), folder))
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        if [path.stat().st_size for path in files] != [SIZE] * count:
            raise RuntimeError(
                f"{len(files):,} files of {count:,} are there, or some have another size than {SIZE}"
            )
    return {"objects": count, "wall": round(figures["wall"], 3), "mib": round(figures["mib"], 1)}


def _python(code: str, endpoint: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environment(endpoint), check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


if __name__ == "__main__":
    main()
