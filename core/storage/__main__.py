"""The command line of the library, for the machine that it runs on: `python -m core.storage check`.

Exit codes: 0 ready, 1 a finding failed, 2 wrong usage or configuration, 3 the store could not be reached,
130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    from core.storage._readiness.check import check  # noqa: PLC0415  # not for --help

    try:
        findings = check(write=options.write, prefixes=dict(options.prefix), limit=options.timeout)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run it again\n")
        return _INTERRUPTED
    code = max((finding.code for finding in findings), default=0)
    if options.json:
        rows = [{"name": row.name, "status": row.status, "message": row.message} for row in findings]
        lines = [json.dumps({"ready": code == 0, "exit_code": code, "findings": rows})]
    else:
        lines = [f"{row.status:<7}  {row.name:<11}  {' '.join(row.message.split())}" for row in findings]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m core.storage", description="Object storage, from its env file."
    )
    commands = parser.add_subparsers(required=True, metavar="check")
    command = commands.add_parser(
        "check",
        help="check whether this environment works on this machine",
        description="Check whether this environment works on this machine (readiness check). Writes nothing.",
        epilog="exit codes: 0 ready, 1 a finding failed, 2 wrong usage or configuration, 3 store unreachable",
    )
    command.add_argument("--write", action="store_true", help="also put and delete a small object in each bucket")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument(
        "--timeout",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="the time limit of the check (default: %(default)g)",
    )
    command.add_argument(
        "--prefix",
        type=_prefix,
        action="append",
        default=[],
        metavar="ROLE=KEYS/",
        help="for an identity that may access only a prefix of the `in` or the `out` bucket; may be repeated",
    )
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number of seconds, got {text!r}")
    return seconds


def _prefix(text: str) -> tuple[str, str]:
    role, equals, prefix = text.partition("=")
    if role not in {"in", "out"} or not equals:
        raise argparse.ArgumentTypeError(f"expected in=KEYS/ or out=KEYS/, got {text!r}")
    return role, prefix


if __name__ == "__main__":
    sys.exit(main())
