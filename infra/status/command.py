"""`python -m infra status`: show what exists of all environments, or of one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra import timestamps
from infra.command_name import COMMAND
from infra.config.environment import EMBEDDED
from infra.config.load import load_environment
from infra.environment_argument import ENVIRONMENT
from infra.errors import InfraError, UnreachableError
from infra.status import details, overview
from infra.status.facts import BucketFacts, EnvironmentFacts, IdentityFacts

_COLUMNS = ("environment", "target", "deployed", "buckets", "identities", "env files", "problem")


@click.command()
@click.argument("environment", required=False, type=ENVIRONMENT)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(environment: str | None, *, as_json: bool) -> int:
    """Show what exists of an environment, or one line for each environment. Changes nothing.

    Of one environment: what deployed it and when, its buckets with their contents, its identities with the age of
    their access keys, its env files, and whether it differs from its configuration. It does not start the embedded
    store. Exits 3 if that environment cannot be reached, and 2 if its configuration is wrong.
    """
    if environment is None:
        _show_all(as_json=as_json)
        return 0
    found = details.read(load_environment(environment))
    if as_json:
        click.echo(json.dumps(found.as_dict()))
    else:
        _show(found)
    return _exit_code(found.problems)


def _exit_code(problems: Sequence[InfraError]) -> int:
    if any(isinstance(problem, UnreachableError) for problem in problems):
        return UnreachableError.exit_code
    return problems[0].exit_code if problems else 0


def _show_all(*, as_json: bool) -> None:
    environments, problem = overview.read()
    if problem:
        click.echo(f"the stacks cannot be read: {problem}", err=True)
    if as_json:
        click.echo(json.dumps({"environments": [found.as_dict() for found in environments]}))
        return
    rows = [_row(found) for found in environments]
    if not rows:
        click.echo(f"there are no environments: create one with `{COMMAND} new <environment> --target <target>`")
    elif not Console().is_terminal:
        for row in rows:
            click.echo(_line(row))
    else:
        _show_table(_COLUMNS, rows)


def _row(found: EnvironmentFacts) -> tuple[str, ...]:
    return (
        found.environment,
        _target(found),
        _deployed(found) if found.target or found.deployed_at else "",
        ", ".join(bucket.name for bucket in found.buckets),
        ", ".join(map(_with_age, found.identities)),
        _files(found),
        "; ".join(_one_line(problem) for problem in found.problems),
    )


def _line(row: tuple[str, ...]) -> str:
    """Return a row of the table as text: what is empty is left out."""
    named = [f"{name} {cell}" for name, cell in zip(_COLUMNS[3:], row[3:], strict=True) if cell]
    return f"{row[0]}: {'; '.join([*filter(None, row[1:3]), *named])}"


def _files(found: EnvironmentFacts) -> str:
    """Return the states of the env files: one word if all are alike."""
    states = {file.identity: "written" if file.state == "not compared" else file.state for file in found.env_files}
    if len(set(states.values())) <= 1:
        return next(iter(states.values()), "")
    return ", ".join(f"{identity} {state}" for identity, state in states.items())


def _show(found: EnvironmentFacts) -> None:
    for notice in found.notices:
        click.echo(notice, err=True)
    rows = [
        ("environment", found.environment),
        ("target", _target(found)),
        ("deployed", _deployed(found)),
        *(("bucket", _bucket(bucket)) for bucket in found.buckets),
        *(("identity", _identity(identity)) for identity in found.identities),
        *(
            ("env file", f"{file.file}: {file.state}" + (f"; {file.next}" if file.next else ""))
            for file in found.env_files
        ),
        ("drift", ": ".join(filter(None, [found.drift, found.drift_reason and _one_line(found.drift_reason)]))),
        *(("problem", _one_line(problem)) for problem in found.problems if str(problem) != found.drift_reason),
    ]
    if Console().is_terminal:
        _show_table(None, rows)
    else:
        width = max(len(name) for name, _ in rows)
        click.echo("\n".join(f"{name:{width}}  {value}" for name, value in rows))


def _show_table(columns: Sequence[str] | None, rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(show_header=columns is not None, show_lines=True)
    for name in columns or rows[0]:
        table.add_column(name, overflow="fold")
    for first, *others in rows:
        table.add_row(Text(first, "bold"), *map(Text, others))
    Console().print(table)


def _target(found: EnvironmentFacts) -> str:
    if found.target is None:
        return ""
    if found.endpoint is None:
        return found.target
    return f"{found.target}, {'the embedded store' if found.endpoint == EMBEDDED else found.endpoint}"


def _deployed(found: EnvironmentFacts) -> str:
    if found.deployed_by in {"not deployed", "unknown"}:
        return found.deployed_by
    by = f"by {found.deployed_by}"
    return f"{timestamps.to_text(found.deployed_at)} {by}" if found.deployed_at else by


def _bucket(bucket: BucketFacts) -> str:
    role = f" ({bucket.role})" if bucket.role else ""
    start = f"{bucket.name}{role}: {bucket.origin}"
    if bucket.note and bucket.origin == "stays behind":
        return f"{bucket.name}{role} {bucket.note}"
    contents = [str(bucket.contents)] if bucket.contents else []
    return ", ".join([start, *contents, *([bucket.note] if bucket.note else [])])


def _identity(identity: IdentityFacts) -> str:
    parts = list(_key(identity))
    return f"{identity.name}: {', '.join(parts)}"


def _key(identity: IdentityFacts) -> Iterator[str]:
    if identity.key is None:
        yield "no access key here"
        return
    age = identity.info.age_days if identity.info else None
    yield f"key {identity.key}" + (f" in slot {identity.info.slot}" if identity.info else "")
    yield "age unknown" if age is None else f"{age} day{'' if age == 1 else 's'} old"
    if identity.rotation:
        yield f"in a rotation: {identity.rotation}"


def _with_age(identity: IdentityFacts) -> str:
    age = identity.info.age_days if identity.info else None
    return identity.name if age is None else f"{identity.name} ({age} d)"


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
