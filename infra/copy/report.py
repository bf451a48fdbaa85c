"""What a copy tells: sentences for people, one object for machines. Of keys, the first few."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from core.storage import ObjectInfo
from infra.copy.mirror import Result
from infra.copy.plan import Plan
from infra.copy.progress import size
from infra.copy.side import Side

#: Keys, and reasons, that are shown to people, and to machines.
_FEW, _SOME = 3, 20


def planned(plan: Plan, source: Side, target: Side) -> Iterator[str]:
    """The lines about one bucket before the copy."""
    yield f"{plan.role}: {plan.source} of {source.environment} -> {plan.target} of {target.environment}"
    yield f"  to copy: {amount(plan.missing)}"
    yield f"  there already, the same by MD5: {amount(plan.same)}"
    if plan.unsure:
        yield f"  only to be compared by their bytes: {amount(plan.unsure)}"
    if plan.differing:
        yield f"  other content under the same key: {differing(plan)}"
    for problem, keys in _by_reason(plan.left_out).items():
        yield f"  left out: {_objects(len(keys))} whose keys {problem}: {few(keys)}"
    if plan.only_there:
        yield f"  only at {target.environment}, left alone: {_objects(len(plan.only_there))}"


def done(result: Result, target: Side) -> Iterator[str]:
    """The lines about one bucket after the copy."""
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
    """What is not as it should be after the copy, a clause each."""
    role = result.plan.role
    reasons = list(_by_reason(result.failed).items())
    for why, keys in reasons[:_FEW]:
        yield f"{role}: {_objects(len(keys))}: {why}: {few(keys)}"
    if others := sum(len(keys) for _, keys in reasons[_FEW:]):
        yield f"{role}: {_objects(others)} for {len(reasons) - _FEW} other reasons"
    if result.gone:
        gone = f"{_objects(len(result.gone))} that {target.environment} alone had"
        yield f"{role}: {gone}: gone since the copy began: {few(result.gone)}"


def left_out(plan: Plan) -> Iterator[str]:
    """What of the source is not copied at all, a clause for each reason."""
    for why, keys in _by_reason(plan.left_out).items():
        yield f"{plan.role}: {_objects(len(keys))} left out, whose keys {why}: {few(keys)}"


def differing(plan: Plan) -> str:
    """What has other content at the target."""
    return f"{amount(plan.differing)}: {few(one.key for one in plan.differing)}"


def as_dict(plan: Plan, result: Result | None) -> dict[str, object]:
    """For ``--json``."""
    found: dict[str, object] = {
        "source": plan.source,
        "target": plan.target,
        "to_copy": _numbers(plan.missing),
        "same": _numbers([*plan.same, *plan.same_by_bytes]),
        "unsure": _numbers(plan.unsure),
        "differing": _numbers(plan.differing) | {"first": [one.key for one in plan.differing[:_SOME]]},
        "left_out": {"objects": len(plan.left_out), "first": _first(plan.left_out)},
        "only_at_target": len(plan.only_there),
        "same_time_on_both_sides": plan.twins,
    }
    if result is not None:
        found |= {
            "copied": {"objects": result.copied, "bytes": result.copied_bytes},
            "verified": {"md5": result.by_md5, "bytes": result.by_bytes},
            "failed": {"objects": len(result.failed), "first": _first(result.failed)},
            "gone_at_target": {"objects": len(result.gone), "first": result.gone[:_SOME]},
            "new_at_target": {"objects": len(result.new), "first": result.new[:_SOME]},
            "notices": list(dict.fromkeys(result.notices)),
        }
    return found


def few(keys: Iterable[str]) -> str:
    """The first keys, quoted, so that no key can say something else."""
    shown = list(keys)
    return ", ".join(map(repr, shown[:_FEW])) + (", ..." if len(shown) > _FEW else "")


def _first(reasons: Mapping[str, str]) -> dict[str, str]:
    return dict(list(reasons.items())[:_SOME])


def _by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, reason in reasons.items():
        found.setdefault(reason, []).append(key)
    return found


def _numbers(objects: Sequence[ObjectInfo]) -> dict[str, object]:
    return {"objects": len(objects), "bytes": sum(one.size for one in objects)}


def amount(objects: Sequence[ObjectInfo]) -> str:
    """How many they are, and how large in all."""
    return f"{_objects(len(objects))}, {size(sum(one.size for one in objects))}"


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count:,} objects"
