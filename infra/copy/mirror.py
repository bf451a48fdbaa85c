"""Carrying out the plan of one bucket, and proving what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core.storage import ObjectInfo
from infra.copy import rclone, uploads
from infra.copy.keys import is_marker, listed
from infra.copy.listing import contact, objects
from infra.copy.parts import batches
from infra.copy.plan import Plan, is_same
from infra.copy.process import Log, Outcome, run
from infra.copy.progress import Progress
from infra.copy.side import Side

_NOT_THERE = "is not there afterwards; rclone did not say why"
_NOT_REPLACED = "was not replaced; rclone did not say why"
_CHANGED = "is not what the source holds: it was changed on either side during the copy, or damaged on its way"
_DISTURBED = "was right before the copy, and was changed or deleted at the target meanwhile"


@dataclass
class Result:
    """One bucket after the copy."""

    plan: Plan
    copied: int = 0
    copied_bytes: int = 0
    #: How many objects were proven the same by their ETags, and how many by their bytes.
    by_md5: int = 0
    by_bytes: int = 0
    #: By key, why it is not, or not provably, the same.
    failed: dict[str, str] = field(default_factory=dict)
    #: Keys of the target alone that it listed before the copy, and lists no more.
    gone: list[str] = field(default_factory=list)
    #: Keys that the target lists now, and that the source does not have.
    new: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Mirror:
    """The two sides with what moves between them."""

    source: Side
    target: Side
    #: The path of rclone.
    program: str
    progress: Progress

    def settle(self, plan: Plan) -> dict[str, str]:
        """Read what ETags could not tell apart. Why some could not be read, by key."""
        same, differing, failed = self._compared(plan, plan.unsure)
        plan.same_by_bytes += same
        plan.differing += differing
        plan.unsure = []
        return failed

    def copy(self, plan: Plan, failed: Mapping[str, str], *, overwrite: bool) -> Result:
        """Copy what is missing, and with `overwrite` what differs; then prove everything.

        Raises:
            UnreachableError: a side does not answer any more.
        """
        result = Result(plan, failed=dict(failed))
        replaced = plan.differing if overwrite else []
        reasons: dict[str, str] = {}
        if plan.missing or replaced:
            wanted = [*plan.missing, *replaced]
            self.progress.begin(f"copying {plan.role}", len(wanted), sum(one.size for one in wanted))
            self._transfer(result, reasons, plan.missing, replace=False)
            self._transfer(result, reasons, replaced, replace=True)
        self._prove(result, reasons, [*plan.missing, *replaced])
        return result

    def _transfer(
        self, result: Result, reasons: dict[str, str], wanted: list[ObjectInfo], *, replace: bool
    ) -> None:
        plan = result.plan
        for size, batch in batches(self.source, plan.role, wanted):
            keys = [one.key for one in batch]
            if size is not None and (notice := uploads.discard(self.target, plan.role, keys)):
                result.notices.append(notice)
            arguments = rclone.copy_arguments(self.program, plan.source, plan.target, size, replace=replace)
            outcome = self._run(plan, arguments, size, keys)
            names = {listed(key): key for key in keys}
            reasons |= {names[name]: said for name, said in outcome.failures.items() if name in names}
            if outcome.code and outcome.said:
                reasons.setdefault("", outcome.said)

    def _prove(self, result: Result, reasons: Mapping[str, str], copied: Iterable[ObjectInfo]) -> None:
        plan = result.plan
        after = {one.key: one for one in objects(self.target, plan.role)}
        unsure = []
        for one in copied:
            other, before = after.get(one.key), plan.there.get(one.key)
            if other is None or other == before:
                what = _NOT_THERE if other is None else _NOT_REPLACED
                result.failed[one.key] = reasons.get(one.key) or reasons.get("") or what
            elif is_same(one, other):
                _count(result, one)
                result.by_md5 += 1
            elif one.size == other.size:
                unsure.append(one)
            else:
                result.failed[one.key] = _CHANGED
        if result.failed:
            contact(self.source, plan.role)  # that it is down is the better reason
        self._prove_by_bytes(result, unsure)
        self._prove_undisturbed(result, after)

    def _prove_by_bytes(self, result: Result, unsure: list[ObjectInfo]) -> None:
        same, differing, failed = self._compared(result.plan, unsure)
        for one in same:
            _count(result, one)
        result.by_bytes += len(same)
        result.failed |= dict.fromkeys((one.key for one in differing), _CHANGED) | failed

    def _prove_undisturbed(self, result: Result, after: Mapping[str, ObjectInfo]) -> None:
        """What was there before is there still: the target may have taken two keys for one."""
        plan = result.plan
        for one in (*plan.same, *plan.same_by_bytes):
            other = after.get(one.key)
            if other is None or other.etag != plan.there[one.key].etag:
                result.failed[one.key] = _DISTURBED
        result.by_md5 += sum(one.key not in result.failed for one in plan.same)
        result.by_bytes += sum(one.key not in result.failed for one in plan.same_by_bytes)
        result.gone = [key for key in plan.only_there if key not in after]
        ours = {one.key for some in (plan.missing, plan.differing) for one in some}
        result.new = [
            key for key, one in after.items() if key not in plan.there and key not in ours and not is_marker(one)
        ]

    def _compared(
        self, plan: Plan, unsure: list[ObjectInfo]
    ) -> tuple[list[ObjectInfo], list[ObjectInfo], dict[str, str]]:
        """The objects that have the same bytes on both sides, those that do not, and why others were not read."""
        if not unsure:
            return [], [], {}
        self.progress.begin(f"comparing {plan.role}", len(unsure), 2 * sum(one.size for one in unsure))
        arguments = rclone.check_arguments(self.program, plan.source, plan.target)
        outcome = self._run(plan, arguments, None, [one.key for one in unsure])
        signs = {line[2:]: line[:1] for line in outcome.output.split("\n")}
        by_sign: dict[str, list[ObjectInfo]] = {}
        for one in unsure:
            by_sign.setdefault(signs.get(listed(one.key), ""), []).append(one)
        same, differing = by_sign.pop("=", []), by_sign.pop("*", [])
        why = {
            one.key: outcome.failures.get(listed(one.key)) or outcome.said
            for some in by_sign.values()
            for one in some
        }
        return same, differing, {key: f"could not be compared by its bytes: {said}" for key, said in why.items()}

    def _run(self, plan: Plan, arguments: list[str], part_size: int | None, keys: list[str]) -> Outcome:
        def look() -> None:
            for side in (self.source, self.target):
                contact(side, plan.role)

        log = Log(self.progress, (self.source, self.target), look)
        outcome = run(arguments, rclone.environ(self.source, self.target, part_size), keys, log)
        self.progress.next_run()
        return outcome


def _count(result: Result, one: ObjectInfo) -> None:
    result.copied += 1
    result.copied_bytes += one.size
