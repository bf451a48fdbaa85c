"""This library and other clients, compared on one real SeaweedFS in memory.

    python -m bench.transfers [--rounds N] [--only CASE] [--clients A,B] [--tls] [--quick] [--json FILE]

Every run is a process of its own. The clients take turns in every round, so that a slow moment of the machine
hits all of them; every round starts with another client. Each run has a new folder and a new prefix. The benchmark
looks there for the result, and a client that did not do the work has no row.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.cases import CASES, Case
from bench.certificate import create_certificate
from bench.job import BIG, MANY, MIB, QUICK, Job, Sizes, names
from bench.libraries import LIBRARIES
from bench.programs import PROGRAMS
from bench.report import table
from bench.results import JSON_HELP, Refusal, Run, part, save, without_paths
from bench.store import MEMORY, boto3_client, environment, store
from bench.verified import verified
from bench.verify import Found, NotDoneError, verify_contents, verify_files, verify_keys, verify_objects
from bench.versions import installed

#: Seconds that one run may take.
TIMEOUT = 300


@dataclass(frozen=True)
class Place:
    """A running store with the objects to download, and the files to upload."""

    #: The endpoint that the clients use, and the one over http by which the benchmark verifies.
    endpoint: str
    plain: str
    authority: Path | None
    #: Folder of the files to upload.
    files: Path
    source: str
    sizes: Sizes
    #: The command of a client process; tests replace it.
    command: tuple[str, ...] = (sys.executable, "-m", "bench.clients")

    @property
    def scheme(self) -> str:
        return self.endpoint.partition(":")[0]


def create_files(folder: Path, wanted: Sizes) -> Path:
    """Write the files to upload."""
    (folder / MANY).mkdir(parents=True)
    for name in names(wanted.objects):
        (folder / name).write_bytes(os.urandom(wanted.object_bytes))
    with (folder / BIG).open("wb") as file:
        for _ in range(wanted.big_bytes // MIB):
            file.write(os.urandom(MIB))
    return folder


def fill(place: Place) -> None:
    """Create the source bucket with the objects to download and to list."""
    boto3_client(place.plain).create_bucket(Bucket=place.source)
    job = _job(place, prefix="", uploads="", target="")
    command = [sys.executable, "-m", "bench.fill", job.to_json(), str(place.sizes.keys)]
    subprocess.run(command, env=environment(place.endpoint, place.authority), check=True)


def compare(place: Place, name: str, clients: Sequence[str], rounds: int) -> tuple[list[Run], list[Refusal]]:
    """Run the clients of a case in turns. A client that was refused once is not run again."""
    runs: list[Run] = []
    refusals: dict[str, Refusal] = {}
    for number in range(rounds):
        first = number % len(clients) if clients else 0
        for client in (*clients[first:], *clients[:first]):
            if client in refusals:
                continue
            try:
                runs.append(run(place, name, client, number + 1))
            except NotDoneError as error:
                refusals[client] = Refusal(name, client, place.scheme, without_paths(str(error)))
    return runs, list(refusals.values())


def run(place: Place, name: str, client: str, number: int) -> Run:
    """Run a client once, and verify what it did. Only the client's own process measures time."""
    if place.command == Place.command and not installed(client):
        raise NotDoneError("it is not installed on this machine")
    case = CASES[name]
    with tempfile.TemporaryDirectory(dir=MEMORY) as target, _uploads(place) as uploads:
        (Path(target) / MANY).mkdir()
        prefix = f"{uuid.uuid4().hex}/"
        job = _job(place, prefix=prefix, uploads=uploads, target=target)
        job = replace(job, big=case.big, in_memory=case.work == "many up, memory")
        job = _presigned(place, job)
        figures = _run_process(place, client, case, job)
        found = _verify(place, case, job, figures)
    wall, cpu, mib = figures["wall"], figures["cpu"], figures["mib"]
    return Run(name, client, place.scheme, number, wall, cpu, mib, found.objects, found.bytes)


def _job(place: Place, *, prefix: str, uploads: str, target: str) -> Job:
    return Job(place.endpoint, place.source, uploads, prefix, str(place.files), target, place.sizes.objects)


@contextmanager
def _uploads(place: Place) -> Iterator[str]:
    """Yield a new bucket. SeaweedFS deletes a bucket with its objects, and frees their memory at once."""
    client, bucket = boto3_client(place.plain), f"bench-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    try:
        # The first object makes SeaweedFS create the bucket's volumes.
        client.put_object(Bucket=bucket, Key="first", Body=b"x")
        client.delete_object(Bucket=bucket, Key="first")
        yield bucket
    finally:
        client.delete_bucket(Bucket=bucket)


def _presigned(place: Place, job: Job) -> Job:
    client = boto3_client(place.endpoint)
    get = {"Bucket": job.source, "Key": job.big}
    put = {"Bucket": job.uploads, "Key": job.prefix + BIG}
    return replace(
        job,
        get_url=client.generate_presigned_url("get_object", Params=get),
        put_url=client.generate_presigned_url("put_object", Params=put),
    )


def _run_process(place: Place, client: str, case: Case, job: Job) -> dict[str, Any]:
    command = [*place.command, client, case.work, job.to_json()]
    variables = environment(place.endpoint, place.authority)
    try:
        done = subprocess.run(
            command, env=variables, check=False, capture_output=True, text=True, errors="replace", timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise NotDoneError(f"it did not end within {TIMEOUT} s") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise NotDoneError(f"it failed: {' '.join(last)[:300]}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _verify(place: Place, case: Case, job: Job, figures: Mapping[str, Any]) -> Found:
    if case.work == "list":
        return verify_keys(figures["keys"], place.sizes.keys)
    if case.work.startswith("many"):
        expected = {name: job.file(name) for name in job.names()}
    else:
        expected = {case.big: job.file(BIG)}
    if case.work == "many down, memory":
        return verify_contents(figures["digests"], expected)
    if case.work in {"many up", "many up, memory", "big up"}:
        return verify_objects(boto3_client(place.plain), job.uploads, job.prefix, expected)
    return verify_files(Path(job.target), expected)


def content(
    runs: Sequence[Run], refusals: Sequence[Refusal], chosen: Mapping[str, Case], wanted: Sizes
) -> dict[str, Any]:
    """Return the figures as they are kept, with all that the tables need."""
    cases = {
        name: {"title": case.titled(wanted), "reference": case.reference, "verified": _verified(name, case)}
        for name, case in chosen.items()
    }
    return {
        "sizes": asdict(wanted),
        "cases": cases,
        "runs": [_rounded(asdict(run)) for run in runs],
        "refusals": [asdict(refusal) for refusal in refusals],
    }


def _verified(name: str, case: Case) -> dict[str, dict[str, str]]:
    by_scheme = {"http": case.clients, "https": case.clients_tls}
    texts = {scheme: verified(name, scheme) for scheme in by_scheme}
    return {
        scheme: {client: texts[scheme][client] for client in clients if client in texts[scheme]}
        for scheme, clients in by_scheme.items()
    }


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in figures.items()}


def measure(asked: argparse.Namespace, chosen: Mapping[str, Case], wanted: Sizes) -> dict[str, Any]:
    """Compare the clients in every chosen case, and print each table as soon as it is complete."""
    runs: list[Run] = []
    refusals: list[Refusal] = []
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        certificate = create_certificate(Path(folder))
        files = create_files(Path(folder) / "files", wanted)
        with store(certificate) as endpoints:
            place = Place(endpoints["http"], endpoints["http"], certificate[0], files, "bench-source", wanted)
            fill(place)
            for scheme in ("http", "https") if asked.tls else ("http",):
                here = replace(place, endpoint=endpoints[scheme])
                for name, case in chosen.items():
                    possible = case.clients if scheme == "http" else case.clients_tls
                    clients = [client for client in possible if client in (asked.clients or possible)]
                    more, refused = compare(here, name, clients, asked.rounds)
                    runs += more
                    refusals += refused
                    if clients:
                        print(table(content(runs, refusals, chosen, wanted), name, scheme), flush=True)
    return content(runs, refusals, chosen, wanted)


def main() -> None:
    asked = _arguments()
    chosen = {name: case for name, case in CASES.items() if asked.only in {None, name}}
    figures = measure(asked, chosen, QUICK if asked.quick else Sizes())
    if asked.json:
        used = [*dict.fromkeys(run["client"] for run in figures["runs"]), "SeaweedFS"]
        save(asked.json, "transfers", part(used, rounds=asked.rounds, **figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=CASES, help="measure this case alone")
    parser.add_argument(
        "--clients", type=lambda text: text.split(";"), help="these clients alone, separated by semicolons"
    )
    parser.add_argument("--tls", action="store_true", help="measure once more over https")
    parser.add_argument("--quick", action="store_true", help="small sizes: a test, not a measurement")
    parser.add_argument("--json", type=Path, help=JSON_HELP)
    asked = parser.parse_args()
    known = (*LIBRARIES, *PROGRAMS)
    unknown = set(asked.clients or ()) - set(known)
    if unknown:
        parser.error(f"unknown client: {', '.join(unknown)}. Clients: {'; '.join(known)}")
    return asked


if __name__ == "__main__":
    main()
