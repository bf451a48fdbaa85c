"""Plan the copy of one bucket from the listings of both sides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from core.storage import ObjectInfo
from infra.config.identities import Role
from infra.copy import distinct, keys
from infra.copy.listing import contact, objects
from infra.copy.side import Side


@dataclass
class CopyPlan:
    """The copy of one bucket. Objects are those of the source, except those in `existing`."""

    role: Role
    #: The names of the buckets.
    source: str
    target: str
    #: All objects of the target, by key.
    existing: dict[str, ObjectInfo]
    #: The target has no such key.
    missing: list[ObjectInfo] = field(default_factory=list)
    #: The target has the key with the same ETag, which is the MD5 of the whole object or of the same parts.
    same: list[ObjectInfo] = field(default_factory=list)
    #: The same size, and another ETag: on some stores, with other parts or with a KMS key, that proves nothing.
    unsure: list[ObjectInfo] = field(default_factory=list)
    #: Other content under the same key.
    differing: list[ObjectInfo] = field(default_factory=list)
    #: Objects of `unsure` with the same bytes.
    same_by_bytes: list[ObjectInfo] = field(default_factory=list)
    #: The keys that are not copied, with the reasons.
    left_out: dict[str, str] = field(default_factory=dict)
    #: The keys that only the target has. They stay.
    only_at_target: list[str] = field(default_factory=list)
    #: The number of objects with the same time on both sides, as if the two were one bucket.
    equal_times: int = 0


def make_plan(source: Side, target: Side, role: Role) -> CopyPlan:
    """List both buckets and compare them.

    Raises:
        StorageError: a side does not respond, or its access key may not list the bucket.
    """
    kind = contact(target, role)
    contact(source, role)
    # The source first: what is written to both meanwhile, or to one bucket that is both, is then never missing.
    wanted = list(objects(source, role))
    existing = {info.key: info for info in objects(target, role)}
    plan = compare(CopyPlan(role, source.bucket(role), target.bucket(role), existing), wanted)
    if kind.hides_below_objects:
        leave_out_hidden(plan, wanted)
    return plan


def compare(plan: CopyPlan, wanted: Iterable[ObjectInfo]) -> CopyPlan:
    """Add the objects of the source to the plan, by what the target has under their keys."""
    seen = set()
    for info in wanted:
        seen.add(info.key)
        if not keys.is_marker(info):
            _add(plan, info, plan.existing.get(info.key))
    plan.only_at_target = [
        key for key, info in plan.existing.items() if key not in seen and not keys.is_marker(info)
    ]
    return plan


def _add(plan: CopyPlan, info: ObjectInfo, other: ObjectInfo | None) -> None:
    if other is not None and is_same(info, other):
        plan.equal_times += distinct.has_equal_time(info, other)
        plan.same.append(info)
    elif problem := keys.problem(info):
        plan.left_out[info.key] = problem
    elif other is None:
        plan.missing.append(info)
    elif other.size != info.size:
        plan.differing.append(info)
    else:
        plan.unsure.append(info)


def is_same(info: ObjectInfo, other: ObjectInfo) -> bool:
    """Return whether both stores computed the same hash of the object."""
    return bool(info.etag) and (info.size, info.etag) == (other.size, other.etag)


def leave_out_hidden(plan: CopyPlan, wanted: Iterable[ObjectInfo]) -> None:
    """Leave out the objects that the target would not list, or would hide others with."""
    all_keys = dict.fromkeys(info.key for info in wanted if not keys.is_marker(info))
    all_keys |= dict.fromkeys(key for key in plan.existing if not key.endswith("/"))
    hidden = keys.hidden((info.key for info in plan.missing), all_keys)
    plan.left_out |= dict.fromkeys(hidden, keys.HIDDEN)
    plan.missing = [info for info in plan.missing if info.key not in hidden]
