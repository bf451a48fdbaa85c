"""This library and its peers side by side, on one real SeaweedFS in memory.

    python bench/transfers.py [--rounds N] [--only CASE] [--clients A,B] [--tls] [--write]

Clients take turns in every round, each in a fresh process, so that a slow moment of the machine hits them alike;
figures are medians. `--write` puts the tables and a picture into docs/. Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import datetime as dt
import ipaddress
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chart import picture
from clients import BIG, CLIENTS, MANY
from store import KEYS, MEMORY, store

REPO = Path(__file__).parent.parent
MIB = 1024 * 1024


@dataclass(frozen=True)
class Case:
    """Work that clients are compared by."""

    title: str
    #: Whom the ratios are of: 1.00.
    limit: str
    clients: tuple[str, ...]


_LIBRARIES = ("core.storage", "boto3", "boto3, tuned", "obstore", "minio-py", "s5cmd", "rclone", "s3fs")
CASES = {
    "many down": Case("2,000 objects of 100 KB down", "obstore", (*_LIBRARIES, "s3transfer, one pool")),
    "many up": Case("2,000 objects of 100 KB up", "obstore", (*_LIBRARIES, "s3transfer, one pool")),
    "big down": Case("1 object of 512 MiB down", "plain GET", (*_LIBRARIES, "curl", "plain GET")),
    "big down, verified": Case(
        "The same, uploaded by this library: with a hash", "plain GET", ("core.storage", "plain GET")
    ),
    "big up": Case("1 object of 512 MiB up", "curl", (*_LIBRARIES, "curl")),
    "list": Case(
        "List 12,000 keys", "obstore", ("core.storage", "boto3", "obstore", "minio-py", "s5cmd", "rclone", "s3fs")
    ),
}
#: Where TLS makes a difference that http does not show.
OVER_TLS = ("many down", "big down", "big up")
OBJECTS, SIZE, BIG_SIZE, KEYS_LISTED = 2000, 100_000, 512 * MIB, 12_000
#: Figures of one client in one case: seconds, seconds of CPU, MiB of memory at its peak.
Figures = Mapping[str, float]


def main() -> None:
    asked = _arguments()
    tables = []
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        folder = Path(name)
        certificate = _certificate(folder)
        fill(folder)
        for scheme in ["http", "https"] if asked.tls else ["http"]:
            # A store each: what is overwritten in one stays in memory for long.
            with store(certificate) as endpoints:
                environment = _environment(endpoints[scheme], certificate[0])
                run("fill", "fill", folder, environment)
                for case in [asked.only] if asked.only else OVER_TLS if scheme == "https" else CASES:
                    found = measured(case, folder, environment, asked)
                    tables.append((f"{CASES[case].title}, {scheme}", CASES[case].limit, found))
                    print(table(*tables[-1]), flush=True)
    if asked.write:
        _write(tables, asked.rounds)


def fill(folder: Path) -> None:
    """The files to upload."""
    (folder / MANY).mkdir()
    for number in range(OBJECTS):
        (folder / f"{MANY}{number:05}.jpg").write_bytes(os.urandom(SIZE))
    with (folder / BIG).open("wb") as file:
        for _ in range(BIG_SIZE // MIB):
            file.write(os.urandom(MIB))


def measured(
    case: str, folder: Path, environment: Mapping[str, str], asked: argparse.Namespace
) -> dict[str, Figures]:
    clients = [one for one in CASES[case].clients if one in (asked.clients or CASES[case].clients) and there(one)]
    runs: dict[str, list[Figures]] = {one: [] for one in clients}
    for number in range(asked.rounds + 1):  # the first round only warms up
        for client in clients:
            with _emptied(folder):
                figures = run(client, case, folder, environment)
            if number and figures:
                runs[client].append(figures)
    return {
        client: {name: statistics.median(one[name] for one in found) for name in found[0]}
        for client, found in runs.items()
        if found
    }


def there(client: str) -> bool:
    """Whether the machine has what the client needs."""
    if client == "s3fs":
        return (REPO / ".local" / "s3fs" / "made").exists()
    return client not in {"curl", "s5cmd", "rclone"} or shutil.which(client, path=_path()) is not None


def run(client: str, case: str, folder: Path, environment: Mapping[str, str]) -> Figures:
    command = [sys.executable, str(Path(__file__).with_name("clients.py")), client, case, str(folder)]
    done = subprocess.run(command, env=environment, check=False, capture_output=True)
    if done.returncode:
        print(f"{client} failed at {case}: {done.stderr.decode().strip().splitlines()[-1:]}", file=sys.stderr)
    figures: Figures = json.loads(done.stdout or b"{}")
    return figures


@contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        down = folder / "down"
        shutil.rmtree(down, ignore_errors=True) if down.is_dir() else down.unlink(missing_ok=True)


def table(title: str, limit: str, found: Mapping[str, Figures]) -> str:
    """The figures as Markdown, the fastest first."""
    base = found.get(limit, {"wall": float("nan"), "cpu": float("nan")})
    lines = [f"### {title}", "", f"| client | s | x {limit} | CPU s | x | peak MiB |", "|---|---|---|---|---|---|"]
    for client, one in sorted(found.items(), key=lambda row: row[1]["wall"]):
        name = f"**{client}**" if client == "core.storage" else client
        lines.append(
            f"| {name} | {one['wall']:.2f} | {one['wall'] / base['wall']:.2f} | {one['cpu']:.2f} | "
            f"{one['cpu'] / base['cpu']:.2f} | {one['mib']:.0f} |"
        )
    return "\n".join([*lines, ""])


def _write(tables: list[tuple[str, str, dict[str, Figures]]], rounds: int) -> None:
    docs = REPO / "docs"
    (docs / "bench.svg").write_text(picture(tables))
    start = (
        "# Measured beside its peers\n\n"
        f"`make bench` on {os.cpu_count()} cores: medians of {rounds} rounds; store and files in memory, on "
        "loopback.\nRatios are to the client that heads the column. What a program takes to start counts; what a "
        "library takes\nto be imported does not. Of many objects, `core.storage` and rclone check the hashes; "
        "of a big one in parts,\nnobody can, unless this library uploaded it. [How](../bench/)\n\n"
        "![The same as bars](bench.svg)\n\n"
    )
    (docs / "bench.md").write_text(start + "\n".join(table(*one) for one in tables))


def _environment(endpoint: str, authority: Path) -> dict[str, str]:
    bundle = {"AWS_CA_BUNDLE": str(authority)} if endpoint.startswith("https") else {}
    region = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1")
    return {
        "PATH": _path(),
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(REPO),
        "S3_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "BENCH_OBJECTS": str(OBJECTS),
        "BENCH_LISTED": str(KEYS_LISTED),
        **KEYS,
        **region,
        **bundle,
    }


def _path() -> str:
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for loopback that is its own authority, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    files = folder / "bench.crt", folder / "bench.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--clients", type=lambda text: text.split(","))
    parser.add_argument("--tls", action="store_true", help="once more over https")
    parser.add_argument("--write", action="store_true", help="write docs/bench.md and docs/bench.svg")
    asked = parser.parse_args()
    unknown = set(asked.clients or ()) - set(CLIENTS)
    if unknown:
        parser.error(f"no such client: {', '.join(unknown)}; there are {', '.join(CLIENTS)}")
    return asked


if __name__ == "__main__":
    main()
