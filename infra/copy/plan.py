"""What a copy of one bucket would do, from what both sides list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from core.storage import ObjectInfo
from infra.copy import distinct, keys
from infra.copy.listing import contact, objects
from infra.copy.side import Side
from infra.identities import Role


@dataclass
class Plan:
    """One bucket before the copy. Objects are those of the source; what the target holds is in `there`."""

    role: Role
    #: The names of the buckets.
    source: str
    target: str
    #: All of the target, by key.
    there: dict[str, ObjectInfo]
    #: The target has none.
    missing: list[ObjectInfo] = field(default_factory=list)
    #: The target has one with the same ETag: the same MD5, of the whole or of the same parts.
    same: list[ObjectInfo] = field(default_factory=list)
    #: The same size and another ETag, which on some stores, in other parts or under a KMS key says nothing.
    unsure: list[ObjectInfo] = field(default_factory=list)
    #: Other content under the same key.
    differing: list[ObjectInfo] = field(default_factory=list)
    #: Like `same`, by reading both.
    same_by_bytes: list[ObjectInfo] = field(default_factory=list)
    #: Why each of these keys is not copied.
    left_out: dict[str, str] = field(default_factory=dict)
    #: Keys that only the target has. They stay.
    only_there: list[str] = field(default_factory=list)
    #: How many objects have the same time on both sides, as they would if the two were one bucket.
    twins: int = 0


def make(source: Side, target: Side, role: Role) -> Plan:
    """List both buckets and compare.

    Raises:
        InfraError: keys or rights are missing on a side.
        UnreachableError: a side does not answer.
    """
    kind = contact(target, role)
    contact(source, role)
    # The source first: what is written to both meanwhile, or to one bucket that is both, is then never missing.
    wanted = list(objects(source, role))
    there = {one.key: one for one in objects(target, role)}
    plan = compare(Plan(role, source.bucket(role), target.bucket(role), there), wanted)
    if kind.hides_below_objects:
        leave_out_hidden(plan, wanted)
    return plan


def compare(plan: Plan, wanted: Iterable[ObjectInfo]) -> Plan:
    """Sort the objects of the source by what the target has of them."""
    seen = set()
    for one in wanted:
        seen.add(one.key)
        if not keys.is_marker(one):
            _sort(plan, one, plan.there.get(one.key))
    plan.only_there = [key for key, one in plan.there.items() if key not in seen and not keys.is_marker(one)]
    return plan


def _sort(plan: Plan, one: ObjectInfo, other: ObjectInfo | None) -> None:
    if other is not None and is_same(one, other):
        plan.twins += distinct.is_twin(one, other)
        plan.same.append(one)
    elif problem := keys.problem(one):
        plan.left_out[one.key] = problem
    elif other is None:
        plan.missing.append(one)
    elif other.size != one.size:
        plan.differing.append(one)
    else:
        plan.unsure.append(one)


def is_same(one: ObjectInfo, other: ObjectInfo) -> bool:
    """Whether the hashes that both stores made of what they hold are equal."""
    return bool(one.etag) and (one.size, one.etag) == (other.size, other.etag)


def leave_out_hidden(plan: Plan, wanted: Iterable[ObjectInfo]) -> None:
    """Leave out what the target would not list beside, or hide from, another object."""
    every = dict.fromkeys(one.key for one in wanted if not keys.is_marker(one))
    every |= dict.fromkeys(key for key in plan.there if not key.endswith("/"))
    hidden = keys.hidden((one.key for one in plan.missing), every)
    plan.left_out |= dict.fromkeys(hidden, keys.HIDDEN)
    plan.missing = [one for one in plan.missing if one.key not in hidden]
