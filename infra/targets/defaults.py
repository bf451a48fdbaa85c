"""What a bucket in a cloud gets where the configuration leaves it open."""

from __future__ import annotations

from dataclasses import replace

from infra.config.environment import BucketConfig, EnvironmentConfig
from infra.config.identities import Role
from infra.targets.registry import TARGETS

#: Days until the parts of an unfinished upload go.
_ABORT_MULTIPART = 7
#: Days for which replaced and deleted source videos can be had back.
_NONCURRENT = 30
#: Days for which whatever was deleted can be had back, where the cloud has soft delete.
_SOFT_DELETE = 7


def bucket(role: Role, config: EnvironmentConfig) -> BucketConfig:
    """The bucket with every setting that the target has.

    Source videos cannot be made again, so the `in` bucket keeps versions; frames and overlays can.
    """
    wanted, absent = config.bucket(role), TARGETS[config.target].refused
    if "buckets.versioning" not in absent and wanted.versioning is None and role == "in":
        wanted = replace(wanted, versioning=True)
    if wanted.versioning and wanted.noncurrent_days is None:
        wanted = replace(wanted, noncurrent_days=_NONCURRENT)
    if "buckets.softDeleteDays" not in absent and wanted.soft_delete_days is None:
        wanted = replace(wanted, soft_delete_days=0 if config.disposable else _SOFT_DELETE)
    return replace(wanted, abort_multipart_days=wanted.abort_multipart_days or _ABORT_MULTIPART)
