"""Describe a copy: lines for people, one object for programs, both with only the first object keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from core.storage import ObjectInfo
from infra.copy.mirror import Result
from infra.copy.plan import CopyPlan
from infra.copy.progress import size
from infra.copy.side import Side

#: The numbers of keys, and of reasons, that are shown to people and to programs.
_FEW, _SOME = 3, 20


def planned(plan: CopyPlan, source: Side, target: Side) -> Iterator[str]:
    """Yield the lines about one bucket before the copy."""
    yield f"{plan.role}: {plan.source} of {source.environment} -> {plan.target} of {target.environment}"
    yield f"  to copy: {amount(plan.missing)}"
    yield f"  there already, the same by MD5: {amount(plan.same)}"
    if plan.unsure:
        yield f"  only to be compared by their bytes: {amount(plan.unsure)}"
    if plan.differing:
        yield f"  other content under the same key: {differing(plan)}"
    for problem, keys in _by_reason(plan.left_out).items():
        yield f"  left out: {_objects(len(keys))} whose keys {problem}: {few(keys)}"
    if plan.only_at_target:
        yield f"  only at {target.environment}, left alone: {_objects(len(plan.only_at_target))}"


def done(result: Result, target: Side) -> Iterator[str]:
    """Yield the lines about one bucket after the copy."""
    plan = result.plan
    copied = (
        f"{_objects(result.copied)}, {size(result.copied_bytes)} copied" if result.copied else "nothing to copy"
    )
    how = f"{result.by_bytes:,} by the bytes, the others by MD5" if result.by_bytes else "all by MD5"
    yield f"{plan.role}: {copied}; {_objects(result.by_md5 + result.by_bytes)} verified, {how}"
    for notice in dict.fromkeys(result.notices):
        yield f"  notice: {notice}"
    if result.new:
        yield (
            f"  notice: {_objects(len(result.new))} came to {target.environment} meanwhile that are not the "
            f"source's: {few(result.new)}"
        )


def problems(result: Result, target: Side) -> Iterator[str]:
    """Yield a clause for each failure of the copy."""
    role = result.plan.role
    reasons = list(_by_reason(result.failed).items())
    for reason, keys in reasons[:_FEW]:
        yield f"{role}: {_objects(len(keys))}: {reason}: {few(keys)}"
    if others := sum(len(keys) for _, keys in reasons[_FEW:]):
        yield f"{role}: {_objects(others)} for {len(reasons) - _FEW} other reasons"
    if result.gone:
        gone = f"{_objects(len(result.gone))} that {target.environment} alone had"
        yield f"{role}: {gone}: gone since the copy began: {few(result.gone)}"


def left_out(plan: CopyPlan) -> Iterator[str]:
    """Yield a clause for each reason why objects of the source are not copied."""
    for reason, keys in _by_reason(plan.left_out).items():
        yield f"{plan.role}: {_objects(len(keys))} left out, whose keys {reason}: {few(keys)}"


def differing(plan: CopyPlan) -> str:
    """Return the number, size and first keys of the objects with other content at the target."""
    return f"{amount(plan.differing)}: {few(info.key for info in plan.differing)}"


def as_dict(plan: CopyPlan, result: Result | None) -> dict[str, object]:
    """Return what ``--json`` prints of one bucket."""
    values: dict[str, object] = {
        "source": plan.source,
        "target": plan.target,
        "to_copy": _numbers(plan.missing),
        "same": _numbers([*plan.same, *plan.same_by_bytes]),
        "unsure": _numbers(plan.unsure),
        "differing": _numbers(plan.differing) | {"first": [info.key for info in plan.differing[:_SOME]]},
        "left_out": {"objects": len(plan.left_out), "first": _first(plan.left_out)},
        "only_at_target": len(plan.only_at_target),
        "same_time_on_both_sides": plan.equal_times,
    }
    if result is not None:
        values |= {
            "copied": {"objects": result.copied, "bytes": result.copied_bytes},
            "verified": {"md5": result.by_md5, "bytes": result.by_bytes},
            "failed": {"objects": len(result.failed), "first": _first(result.failed)},
            "gone_at_target": {"objects": len(result.gone), "first": result.gone[:_SOME]},
            "new_at_target": {"objects": len(result.new), "first": result.new[:_SOME]},
            "notices": list(dict.fromkeys(result.notices)),
        }
    return values


def few(keys: Iterable[str]) -> str:
    """Return the first keys, quoted, so that no key can be taken for a part of the message."""
    shown = list(keys)
    return ", ".join(map(repr, shown[:_FEW])) + (", ..." if len(shown) > _FEW else "")


def _first(reasons: Mapping[str, str]) -> dict[str, str]:
    return dict(list(reasons.items())[:_SOME])


def _by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for key, reason in reasons.items():
        keys.setdefault(reason, []).append(key)
    return keys


def _numbers(objects: Sequence[ObjectInfo]) -> dict[str, object]:
    return {"objects": len(objects), "bytes": sum(info.size for info in objects)}


def amount(objects: Sequence[ObjectInfo]) -> str:
    """Return the number and the total size of objects."""
    return f"{_objects(len(objects))}, {size(sum(info.size for info in objects))}"


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count:,} objects"
