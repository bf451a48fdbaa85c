"""A bucket's settings compared, and as plain properties for Pulumi. No store is asked here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.config import BucketConfig

#: The settings of a bucket, by the names that users write.
ATTRIBUTES = {
    "versioning": "versioning",
    "noncurrentDays": "noncurrent_days",
    "expire": "expire",
    "abortMultipartDays": "abort_multipart_days",
    "corsOrigins": "cors_origins",
}


def differing(actual: BucketConfig, wanted: BucketConfig) -> list[str]:
    """The settings in which a bucket differs from what is wanted, by the names that users write."""
    return [
        name
        for name, attribute in ATTRIBUTES.items()
        if not _same(getattr(actual, attribute), getattr(wanted, attribute))
    ]


def to_props(bucket: BucketConfig) -> dict[str, Any]:
    """The bucket as Pulumi properties, the same for the same bucket; what is not set is left out."""
    values = {name: getattr(bucket, attribute) for name, attribute in ATTRIBUTES.items()}
    values["expire"] = [
        {"prefix": one.prefix, "days": one.days} for one in sorted(bucket.expire, key=lambda one: one.prefix)
    ]
    values["corsOrigins"] = sorted(bucket.cors_origins)
    return {"name": bucket.name} | {name: value for name, value in values.items() if value not in (None, [])}


def from_props(props: Mapping[str, Any]) -> BucketConfig:
    """The bucket of Pulumi properties, whose numbers all come as floats."""
    from infra.config import BucketConfig, Expiry  # noqa: PLC0415  # comparing properties needs neither

    return BucketConfig(
        name=props["name"],
        versioning=props.get("versioning"),
        noncurrent_days=_whole(props.get("noncurrentDays")),
        expire=tuple(Expiry(prefix=one["prefix"], days=int(one["days"])) for one in props.get("expire", ())),
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
