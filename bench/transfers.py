"""This library and other clients, compared on one real SeaweedFS in memory.

    python -m bench.transfers [--rounds N] [--only CASE] [--clients A,B] [--tls] [--quick] [--json FILE]

Every run is a process of its own. The clients take turns in every round, so that a slow phase of the machine
hits all of them; every round starts with another client. Each run has a new folder and a new prefix. The benchmark
looks there for the result, and a client that did not do the work has no row.
"""

from __future__ import annotations

import argparse
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.cases import CASES, Case
from bench.certificate import create_certificate
from bench.job import BIG, MANY, QUICK, Job, Sizes
from bench.libraries import LIBRARIES
from bench.process import figures_of
from bench.programs import PROGRAMS
from bench.report import table
from bench.results import JSON_HELP, Refusal, Run, part, rounded, save
from bench.store import MEMORY, boto3_client, store
from bench.testbed import Testbed, create_files, fill, temporary_bucket
from bench.turns import in_turns
from bench.verified import verified
from bench.verify import Found, NotDoneError, verify_contents, verify_files, verify_keys, verify_objects
from bench.versions import installed


def compare(testbed: Testbed, name: str, clients: Sequence[str], rounds: int) -> tuple[list[Run], list[Refusal]]:
    """Run the clients of a case in turns."""
    runs, reasons = in_turns(clients, rounds, lambda client, number: run(testbed, name, client, number))
    return runs, [Refusal(name, client, testbed.scheme, reason) for client, reason in reasons.items()]


def run(testbed: Testbed, name: str, client: str, number: int) -> Run:
    """Run a client once, and verify what it did. Only the client's own process measures time."""
    if testbed.command == Testbed.command and not installed(client):
        raise NotDoneError("it is not installed on this machine")
    case = CASES[name]
    with tempfile.TemporaryDirectory(dir=MEMORY) as target, temporary_bucket(testbed) as uploads:
        (Path(target) / MANY).mkdir()
        prefix = f"{uuid.uuid4().hex}/"
        job = testbed.job(prefix=prefix, uploads=uploads, target=target)
        job = replace(job, big=case.big, in_memory=case.work == "many up, memory")
        job = _presigned(testbed, job)
        figures = figures_of([*testbed.command, client, case.work, job.to_json()], testbed.variables())
        found = _verify(testbed, case, job, figures)
    wall, cpu, mib = figures["wall"], figures["cpu"], figures["mib"]
    return Run(name, client, testbed.scheme, number, wall, cpu, mib, found.objects, found.bytes)


def _presigned(testbed: Testbed, job: Job) -> Job:
    client = boto3_client(testbed.endpoint)
    get = {"Bucket": job.source, "Key": job.big}
    put = {"Bucket": job.uploads, "Key": job.prefix + BIG}
    return replace(
        job,
        get_url=client.generate_presigned_url("get_object", Params=get),
        put_url=client.generate_presigned_url("put_object", Params=put),
    )


def _verify(testbed: Testbed, case: Case, job: Job, figures: Mapping[str, Any]) -> Found:
    if case.work == "list":
        return verify_keys(figures["keys"], testbed.sizes.keys)
    if case.work.startswith("many"):
        expected = {name: job.file(name) for name in job.names()}
    else:
        expected = {case.big: job.file(BIG)}
    if case.work == "many down, memory":
        return verify_contents(figures["digests"], expected)
    if case.work in {"many up", "many up, memory", "big up"}:
        return verify_objects(boto3_client(testbed.plain), job.uploads, job.prefix, expected)
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
        "runs": [rounded(asdict(run)) for run in runs],
        "refusals": [asdict(refusal) for refusal in refusals],
    }


def _verified(name: str, case: Case) -> dict[str, dict[str, str]]:
    by_scheme = {"http": case.clients, "https": case.clients_tls}
    texts = {scheme: verified(name, scheme) for scheme in by_scheme}
    return {
        scheme: {client: texts[scheme][client] for client in clients if client in texts[scheme]}
        for scheme, clients in by_scheme.items()
    }


def measure(asked: argparse.Namespace, chosen: Mapping[str, Case], wanted: Sizes) -> dict[str, Any]:
    """Compare the clients in every chosen case, and print each table as soon as it is complete."""
    runs: list[Run] = []
    refusals: list[Refusal] = []
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        certificate = create_certificate(Path(folder))
        files = create_files(Path(folder) / "files", wanted)
        with store(certificate) as endpoints:
            testbed = Testbed(endpoints["http"], endpoints["http"], certificate[0], files, "bench-source", wanted)
            fill(testbed)
            for scheme in ("http", "https") if asked.tls else ("http",):
                here = replace(testbed, endpoint=endpoints[scheme])
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
