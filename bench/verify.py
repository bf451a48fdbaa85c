"""Look for the result of a run in the bucket or on the disk, without the help of the client."""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bench.job import MIB

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Number of files whose content is compared, at least; all of them if there are fewer.
SAMPLE = 20
_SEED = 7


class NotDoneError(Exception):
    """A client did not do its work; the message is the reason."""


@dataclass(frozen=True)
class Found:
    """What is there after a run."""

    objects: int
    bytes: int


def verify_files(folder: Path, expected: Mapping[str, Path]) -> Found:
    """Compare the files of a folder, by relative path, with those that they are copies of."""
    found = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return _compare("file", found, expected, lambda name: _file_digest(folder / name))


def verify_objects(client: S3Client, bucket: str, prefix: str, expected: Mapping[str, Path]) -> Found:
    """Compare the objects below a prefix, by the rest of their keys, with the files that they are copies of."""

    def digest(name: str) -> str:
        return _digest(client.get_object(Bucket=bucket, Key=prefix + name)["Body"])

    return _compare("object", sizes(client, bucket, prefix), expected, digest)


def verify_contents(found: Mapping[str, str] | None, expected: Mapping[str, Path]) -> Found:
    """Compare the hashes of contents in memory, by name, with the files that they are copies of."""
    if found is None:
        raise NotDoneError("it returned no content")
    if found.keys() != expected.keys():
        raise NotDoneError(f"it returned {len(found):,} contents instead of {len(expected):,}")
    for name, path in expected.items():
        if found[name] != _source_digest(path):
            raise NotDoneError(f"content {name} is not that of its source")
    return Found(len(found), sum(path.stat().st_size for path in expected.values()))


def verify_keys(reported: int | None, expected: int) -> Found:
    """Compare the number of keys that a listing returned."""
    if reported is None:
        raise NotDoneError("it returned no number of keys")
    if reported != expected:
        raise NotDoneError(f"it listed {reported:,} keys instead of {expected:,}")
    return Found(expected, 0)


def sizes(client: S3Client, bucket: str, prefix: str) -> dict[str, int]:
    """Return the sizes of the objects below a prefix, by the rest of their keys."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    objects = (found for page in pages for found in page.get("Contents", ()))
    return {found["Key"].removeprefix(prefix): found["Size"] for found in objects}


def sample(names: list[str]) -> list[str]:
    """Return the names whose content is compared: the same ones for every client."""
    count = max(SAMPLE, len(names) // 50)
    return sorted(names) if len(names) <= count else random.Random(_SEED).sample(sorted(names), count)  # noqa: S311


def _compare(
    kind: str, found: Mapping[str, int], expected: Mapping[str, Path], digest: Callable[[str], str]
) -> Found:
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing or extra:
        raise NotDoneError(
            f"{len(expected) - len(missing):,} of {len(expected):,} {kind}s are there, and {len(extra):,} others"
        )
    for name, path in expected.items():
        if found[name] != path.stat().st_size:
            raise NotDoneError(f"{kind} {name} has {found[name]:,} bytes instead of {path.stat().st_size:,}")
    for name in sample(list(expected)):
        if digest(name) != _source_digest(expected[name]):
            raise NotDoneError(f"{kind} {name} has other content than its source")
    return Found(len(found), sum(found.values()))


@functools.cache
def _source_digest(path: Path) -> str:
    return _file_digest(path)


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return _digest(file)


def _digest(stream: IO[bytes] | Any) -> str:
    digest = hashlib.sha256()
    while data := stream.read(MIB):
        digest.update(data)
    return digest.hexdigest()
