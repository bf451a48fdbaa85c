"""What a user types for `./mpr new`, and what its templates suggest in comments."""

from __future__ import annotations

import re

from infra.config.definitions import CONFIGURATION
from infra.config.setting import Section

#: What a user has to say for each target.
NEEDED = {
    "aws": {"region": "eu-west-1"},
    "gcp": {"project": "acme-media", "location": "EU"},
    "r2": {"account": "01234567890123456789012345678901"},  # a number, were it not quoted
    "minio": {},
    "seaweedfs": {},
    "s3": {"endpoint": "https://s3.example.com"},
}


def options(target: str, **others: str) -> list[str]:
    values = NEEDED[target] | others
    return ["--target", target, *(word for name, value in values.items() for word in (f"--{name}", value))]


def bucket_settings() -> set[str]:
    buckets = CONFIGURATION.keys["buckets"]
    assert isinstance(buckets, Section)
    role = buckets.keys["in"]
    assert isinstance(role, Section)
    return set(role.keys)


def with_suggestions(text: str) -> str:
    """The file with every setting that it suggests in a comment."""
    names = "|".join(["mpr-storage:[a-zA-Z]+", *bucket_settings()])
    return re.sub(rf"^( +)# (?=({names}): )", r"\1", text, flags=re.MULTILINE)
