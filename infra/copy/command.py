"""`python -m infra copy`: copy both buckets of an environment to another, and verify them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

import click

from infra.config.identities import ROLES, Role
from infra.copy import distinct, rclone, report, side
from infra.copy.mirror import Mirror, Result
from infra.copy.plan import CopyPlan, make_plan
from infra.copy.progress import shown
from infra.copy.side import Side
from infra.environment_argument import ENVIRONMENT
from infra.errors import InfraError, UsageError


@click.command()
@click.argument("source", metavar="FROM", type=ENVIRONMENT)
@click.argument("target", metavar="TO", type=ENVIRONMENT)
@click.option("--dry-run", is_flag=True, help="Only show what would be copied.")
@click.option("--yes", is_flag=True, help="Copy without confirmation.")
@click.option("--overwrite", is_flag=True, help="Replace objects at TO that have other content and the same key.")
@click.option("--json", "as_json", is_flag=True, help="With --yes or --dry-run: print one JSON object at the end.")
def copy(source: str, target: str, *, dry_run: bool, yes: bool, overwrite: bool, as_json: bool) -> None:
    """Copy both buckets of environment FROM to those of environment TO.

    Shows what would be copied and asks for confirmation. Then copies what TO does not have, metadata included, and
    compares every object by its hash, or without one by its bytes. Never deletes at TO, and replaces nothing there
    without --overwrite. After an interruption, run it again: it copies what is missing. Uses the access key of
    `app` on both sides; needs rclone.
    """
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json needs --yes or --dry-run")
    if not (yes or dry_run or sys.stdin.isatty()):
        raise click.UsageError(
            "there is no terminal to confirm on: pass --yes to copy, or --dry-run to show the plan"
        )
    sides = side.read(source), side.read(target)
    distinct.require_two(*sides)
    for one in sides:
        one.require_store()
    program = rclone.find()
    results: list[Result] = []
    plans = [_planned(*sides, role, dry_run=dry_run, quiet=as_json) for role in ROLES]
    try:
        _require_agreement(plans, sides[1], overwrite=overwrite)
        if not dry_run:
            _confirm(plans, sides[1], yes=yes, overwrite=overwrite)
            with shown(as_json=as_json) as progress:
                _carry_out(Mirror(*sides, program, progress), plans, results, overwrite=overwrite)
    finally:
        _print(plans, results, sides[1], as_json=as_json)
    _require_success(plans, results, sides[1])


def _planned(source: Side, target: Side, role: Role, *, dry_run: bool, quiet: bool) -> CopyPlan:
    """Plan the copy of one bucket, and print the plan, unless source and target are the same bucket."""
    plan = make_plan(source, target, role)
    doubtful = distinct.may_be_one(source, target, role, plan.equal_times)
    if doubtful and not dry_run:
        distinct.probe(source, target, role)
    if not quiet:
        for line in report.planned(plan, source, target):
            click.echo(line)
        if doubtful and dry_run:
            click.echo("  notice: source and target may be the same bucket; a copy checks this before it starts")
    return plan


def _require_agreement(plans: Iterable[CopyPlan], target: Side, *, overwrite: bool) -> None:
    """Refuse to replace objects without ``--overwrite``."""
    clauses = [f"{plan.role}: {report.differing(plan)}" for plan in plans if plan.differing]
    if clauses and not overwrite:
        raise InfraError(
            f"{target.environment} has other content under the same keys ({'; '.join(clauses)}); nothing was "
            "copied: see which is right, and let --overwrite replace what is there, or delete it"
        )


def _confirm(plans: Sequence[CopyPlan], target: Side, *, yes: bool, overwrite: bool) -> None:
    wanted = [info for plan in plans for info in plan.missing]
    replaced = [info for plan in plans for info in (*plan.differing, *plan.unsure)] if overwrite else []
    if yes or not (wanted or replaced):
        return
    question = f"copy {report.amount(wanted)} to {target.environment}"
    if replaced:
        question += f", and replace there what differs of {report.amount(replaced)}"
    if not click.confirm(f"{question}?"):
        raise UsageError("nothing was copied")


def _carry_out(mirror: Mirror, plans: Sequence[CopyPlan], results: list[Result], *, overwrite: bool) -> None:
    # Both buckets are compared before an object is written to either.
    failed = [mirror.compare_unsure(plan) for plan in plans]
    _require_agreement(plans, mirror.target, overwrite=overwrite)
    for plan, unread in zip(plans, failed, strict=True):
        results.append(mirror.copy(plan, unread, overwrite=overwrite))


def _print(plans: Iterable[CopyPlan], results: Sequence[Result], target: Side, *, as_json: bool) -> None:
    if as_json:
        by_role = {result.plan.role: result for result in results}
        click.echo(json.dumps({plan.role: report.as_dict(plan, by_role.get(plan.role)) for plan in plans}))
        return
    for result in results:
        for line in report.done(result, target):
            click.echo(line)


def _require_success(plans: Iterable[CopyPlan], results: Iterable[Result], target: Side) -> None:
    clauses = [clause for result in results for clause in report.problems(result, target)]
    clauses += [clause for plan in plans for clause in report.left_out(plan)]
    if clauses:
        raise InfraError("\n  ".join(["the target does not have every object of the source, verified:", *clauses]))
