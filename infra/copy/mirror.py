"""Carry out the plan of one bucket, and verify the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core.storage import ObjectInfo
from infra.copy import rclone, uploads
from infra.copy.keys import is_marker, listed
from infra.copy.listing import contact, objects
from infra.copy.parts import batches
from infra.copy.plan import CopyPlan, is_same
from infra.copy.process import Log, RcloneOutcome, run
from infra.copy.progress import Progress
from infra.copy.side import Side

_MISSING = "is not there afterwards; rclone did not say why"
_NOT_REPLACED = "was not replaced; rclone did not say why"
_CHANGED = "is not what the source holds: it was changed on either side during the copy, or damaged in transfer"
_DISTURBED = "was right before the copy, and was changed or deleted at the target meanwhile"


@dataclass
class Result:
    """One bucket after the copy."""

    plan: CopyPlan
    copied: int = 0
    copied_bytes: int = 0
    #: The numbers of objects that were verified by their ETags and by their bytes.
    by_md5: int = 0
    by_bytes: int = 0
    #: The keys that differ or could not be verified, with the reasons.
    failed: dict[str, str] = field(default_factory=dict)
    #: The keys of `CopyPlan.only_at_target` that the target does not list any more.
    gone: list[str] = field(default_factory=list)
    #: The keys that the target lists now, and that the source does not have.
    new: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def count(self, info: ObjectInfo) -> None:
        """Count an object as copied."""
        self.copied += 1
        self.copied_bytes += info.size


@dataclass(frozen=True)
class Mirror:
    """A copy between two sides."""

    source: Side
    target: Side
    #: The path of rclone.
    program: str
    progress: Progress

    def compare_unsure(self, plan: CopyPlan) -> dict[str, str]:
        """Compare the unsure objects of the plan by their bytes; return the keys that failed, with the reasons."""
        same, differing, failed = self._compared(plan, plan.unsure)
        plan.same_by_bytes += same
        plan.differing += differing
        plan.unsure = []
        return failed

    def copy(self, plan: CopyPlan, failed: Mapping[str, str], *, overwrite: bool) -> Result:
        """Copy the missing objects, and with `overwrite` the differing ones, then verify every object.

        Raises:
            StorageError: a side does not respond any more.
        """
        result = Result(plan, failed=dict(failed))
        replaced = plan.differing if overwrite else []
        wanted = [*plan.missing, *replaced]
        reasons: dict[str, str] = {}
        if wanted:
            self.progress.begin(f"copying {plan.role}", len(wanted), sum(info.size for info in wanted))
            self._transfer(result, reasons, plan.missing, replace=False)
            self._transfer(result, reasons, replaced, replace=True)
        self._verify(result, reasons, wanted)
        return result

    def _transfer(
        self, result: Result, reasons: dict[str, str], wanted: list[ObjectInfo], *, replace: bool
    ) -> None:
        plan = result.plan
        for size, batch in batches(self.source, plan.role, wanted):
            keys = [info.key for info in batch]
            if size is not None and (notice := uploads.abort(self.target, plan.role, keys)):
                result.notices.append(notice)
            arguments = rclone.copy_arguments(self.program, plan.source, plan.target, size, replace=replace)
            outcome = self._run(plan, arguments, size, keys)
            names = {listed(key): key for key in keys}
            reasons |= {names[name]: reason for name, reason in outcome.failures.items() if name in names}
            if outcome.code and outcome.message:
                reasons.setdefault("", outcome.message)

    def _verify(self, result: Result, reasons: Mapping[str, str], copied: Iterable[ObjectInfo]) -> None:
        plan = result.plan
        after = {info.key: info for info in objects(self.target, plan.role)}
        unsure = []
        for info in copied:
            other, before = after.get(info.key), plan.existing.get(info.key)
            if other is None or other == before:
                default = _MISSING if other is None else _NOT_REPLACED
                result.failed[info.key] = reasons.get(info.key) or reasons.get("") or default
            elif is_same(info, other):
                result.count(info)
                result.by_md5 += 1
            elif info.size == other.size:
                unsure.append(info)
            else:
                result.failed[info.key] = _CHANGED
        if result.failed:
            contact(self.source, plan.role)  # a source that does not respond is the better reason
        self._verify_by_bytes(result, unsure)
        self._verify_undisturbed(result, after)

    def _verify_by_bytes(self, result: Result, unsure: list[ObjectInfo]) -> None:
        same, differing, failed = self._compared(result.plan, unsure)
        for info in same:
            result.count(info)
        result.by_bytes += len(same)
        result.failed |= dict.fromkeys((info.key for info in differing), _CHANGED) | failed

    def _verify_undisturbed(self, result: Result, after: Mapping[str, ObjectInfo]) -> None:
        """Check that the older objects are unchanged: the target may have folded two keys into one."""
        plan = result.plan
        for info in (*plan.same, *plan.same_by_bytes):
            other = after.get(info.key)
            if other is None or other.etag != plan.existing[info.key].etag:
                result.failed[info.key] = _DISTURBED
        result.by_md5 += sum(info.key not in result.failed for info in plan.same)
        result.by_bytes += sum(info.key not in result.failed for info in plan.same_by_bytes)
        result.gone = [key for key in plan.only_at_target if key not in after]
        known = {*plan.existing, *(info.key for infos in (plan.missing, plan.differing) for info in infos)}
        result.new = [key for key, info in after.items() if key not in known and not is_marker(info)]

    def _compared(
        self, plan: CopyPlan, unsure: list[ObjectInfo]
    ) -> tuple[list[ObjectInfo], list[ObjectInfo], dict[str, str]]:
        """Return the objects with the same bytes, those with other bytes, and the failed keys with the reasons."""
        if not unsure:
            return [], [], {}
        self.progress.begin(f"comparing {plan.role}", len(unsure), 2 * sum(info.size for info in unsure))
        arguments = rclone.check_arguments(self.program, plan.source, plan.target)
        outcome = self._run(plan, arguments, None, [info.key for info in unsure])
        signs = {line[2:]: line[:1] for line in outcome.output.split("\n")}
        by_sign: dict[str, list[ObjectInfo]] = {"=": [], "*": []}
        for info in unsure:
            by_sign.setdefault(signs.get(listed(info.key), ""), []).append(info)
        same, differing = by_sign.pop("="), by_sign.pop("*")
        failed = {}
        for info in (info for infos in by_sign.values() for info in infos):
            reason = outcome.failures.get(listed(info.key)) or outcome.message
            failed[info.key] = f"could not be compared by its bytes: {reason}"
        return same, differing, failed

    def _run(self, plan: CopyPlan, arguments: list[str], part_size: int | None, keys: list[str]) -> RcloneOutcome:
        sides = (self.source, self.target)

        def check_stores() -> None:
            for side in sides:
                contact(side, plan.role)

        log = Log(self.progress, sides, check_stores)
        outcome = run(arguments, rclone.environ(*sides, part_size), keys, log)
        self.progress.next_run()
        return outcome
