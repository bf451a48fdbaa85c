"""Compare the env files of an identity on a store with the deployed stack, or without one with the plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from core.storage.settings import Settings
from infra.config.identities import Identity
from infra.config.slots import Slots
from infra.config.stack_files import short
from infra.drift.deployment import Deployment
from infra.drift.difference import Change, Difference, Repair, differences_of
from infra.env import compare as env
from infra.env import files, key_info
from infra.env.stack import Stack
from infra.plan import Plan
from infra.stores.keys import IdentityManager, is_accepted


def compare(
    plan: Plan, manager: IdentityManager, identity: Identity, deployment: Deployment, *, repaired_first: bool
) -> Iterator[Difference]:
    """Yield the differences of an identity's env files.

    With `repaired_first`, only their content is compared: the identity or its access keys differ, and the rest
    follows from that.
    """
    stack = deployment.stack or Stack({identity.name: _planned(plan, manager, identity)}, None)
    repair = deployment.repair
    if repaired_first:  # the same deployment writes the env file; the state may have an access key that is gone
        repair = repair._replace(write=repair.deploy)
    differences = list(described([env.compare_file(plan.config.environment, identity.name, stack)], repair))
    yield from differences
    if differences or repaired_first:
        return
    main, slots = files.path(plan.config.environment, identity.name), plan.config.slots_of(identity.name)
    secondary = files.slot_file(main, slots.other)
    for file, changes in ((main, [*_primary(plan, main, slots)]), (secondary, [*_secondary(secondary, slots)])):
        yield from differences_of(f"env file {short(file)}", changes, deployment.repair.deploy)
        if changes:
            break  # the same deployment repairs both


def described(comparisons: Iterable[env.FileComparison], repair: Repair) -> Iterator[Difference]:
    """Yield the differences that `infra.env.compare` found."""
    for comparison in comparisons:
        if not comparison.reasons:
            continue
        command = repair.deploy if comparison.reasons[0] == "undeployed" else repair.write
        yield Difference(
            f"env file {comparison.file}",
            ", ".join(comparison.variables) or "file",
            "as deployed",
            comparison.problem,
            f"move it away, then {command}" if comparison.must_be_moved else command,
        )


def _planned(plan: Plan, manager: IdentityManager, identity: Identity) -> Settings:
    """Return the settings of the plan with the access key in the env file, which the store then accepts or not."""
    key = files.access_key(files.path(plan.config.environment, identity.name))
    if plan.config.has_external_keys:
        key = manager.create_key(plan.store, identity.name)  # returns the externally managed one
    return plan.settings(identity, key)


def _primary(plan: Plan, file: Path, slots: Slots) -> Iterator[Change]:
    key, slot = files.access_key(file), key_info.read(file).slot
    if slot != slots.current:
        yield Change("key", f"that of slot {slots.current}", f"that of slot {slot}")
    if key and not is_accepted(plan.store, key):
        yield Change("key", "one that the store accepts", f"{key.masked}, which it refuses")


def _secondary(file: Path, slots: Slots) -> Iterator[Change]:
    if slots.rotating and not file.exists():
        yield Change("file", f"with the key of slot {slots.other}", "missing")
    if file.exists() and not slots.rotating:
        yield Change("file", "none", "left over")
