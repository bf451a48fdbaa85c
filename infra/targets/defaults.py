"""The default settings of a bucket in a cloud."""

from __future__ import annotations

from dataclasses import replace

from infra.config.environment import ABORT_MULTIPART_DAYS, BucketConfig, EnvironmentConfig
from infra.config.identities import Role
from infra.targets.registry import TARGETS

#: Days for which replaced and deleted source videos can be restored.
_NONCURRENT = 30
#: Days for which any deleted object can be restored, where the cloud has soft delete.
_SOFT_DELETE = 7


def bucket(role: Role, config: EnvironmentConfig) -> BucketConfig:
    """Return the settings of a bucket: the configured ones, and a default for each other that the target has.

    The `in` bucket keeps versions, because source videos cannot be made again; frames and overlays can.
    """
    wanted, absent = config.bucket(role), TARGETS[config.target].refused
    if "buckets.versioning" not in absent and wanted.versioning is None and role == "in":
        wanted = replace(wanted, versioning=True)
    if wanted.versioning and wanted.noncurrent_days is None:
        wanted = replace(wanted, noncurrent_days=_NONCURRENT)
    if "buckets.softDeleteDays" not in absent and wanted.soft_delete_days is None:
        wanted = replace(wanted, soft_delete_days=0 if config.disposable else _SOFT_DELETE)
    return replace(wanted, abort_multipart_days=wanted.abort_multipart_days or ABORT_MULTIPART_DAYS)
