"""Compare the settings of buckets, and convert them to Pulumi properties and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.config.environment import BucketConfig

#: The attributes of `BucketConfig`, by the names in the configuration.
ATTRIBUTES = {
    "versioning": "versioning",
    "noncurrentDays": "noncurrent_days",
    "expire": "expire",
    "abortMultipartDays": "abort_multipart_days",
    "corsOrigins": "cors_origins",
}


def differing(actual: BucketConfig, wanted: BucketConfig) -> list[str]:
    """Return the names of the settings in which a bucket differs from the wanted one."""
    return [
        name
        for name, attribute in ATTRIBUTES.items()
        if not _same(getattr(actual, attribute), getattr(wanted, attribute))
    ]


def to_props(bucket: BucketConfig) -> dict[str, Any]:
    """Return the bucket as Pulumi properties, always in the same order, without settings that have no value."""
    values = {name: getattr(bucket, attribute) for name, attribute in ATTRIBUTES.items()}
    values["expire"] = [
        {"prefix": expiry.prefix, "days": expiry.days}
        for expiry in sorted(bucket.expire, key=lambda expiry: expiry.prefix)
    ]
    values["corsOrigins"] = sorted(bucket.cors_origins)
    return {"name": bucket.name} | {name: value for name, value in values.items() if value not in (None, [])}


def from_props(props: Mapping[str, Any]) -> BucketConfig:
    """Return the bucket of Pulumi properties, in which every number is a float."""
    from infra.config.environment import BucketConfig, Expiry  # noqa: PLC0415  # comparing properties needs neither

    return BucketConfig(
        name=props["name"],
        versioning=props.get("versioning"),
        noncurrent_days=_whole(props.get("noncurrentDays")),
        expire=tuple(Expiry(prefix=rule["prefix"], days=int(rule["days"])) for rule in props.get("expire", ())),
        abort_multipart_days=_whole(props.get("abortMultipartDays")),
        cors_origins=tuple(props.get("corsOrigins", ())),
    )


def _same(actual: Any, wanted: Any) -> bool:
    if isinstance(actual, bool) or isinstance(wanted, bool):
        return wanted is None or bool(actual) == wanted
    if isinstance(wanted, tuple):
        return set(actual) == set(wanted)
    return bool(actual == wanted)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
