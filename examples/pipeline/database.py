"""The rows: how far each job has come, and which objects it made. Rows hold keys and facts, never bytes.

Whoever writes a row does so after the store has the object. So a killed job leaves objects without rows, which its
next run writes again, and never a row without its object.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from examples.pipeline.errors import PipelineError, UnreachableError, UsageError

Stage = Literal["extract", "detect"]
State = Literal["running", "done", "failed"]
Connection = psycopg.Connection[tuple[Any, ...]]

URL_VARIABLE = "DATABASE_URL"
_SQL = Path(__file__).with_name("sql")
#: Any number that nobody else takes a lock on: two processes migrate one after the other.
_MIGRATING = 0x6D7072
_CONNECT = 5  # seconds


@dataclass(frozen=True)
class Checkpoint:
    """How far a job has come."""

    stage: Stage
    job_id: str
    timeline_id: str
    source: str
    state: State
    detail: dict[str, Any]
    #: When its last step was recorded; the database sets it.
    at: dt.datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Output:
    """An object that the store has, and the one that it was made from."""

    key: str
    source: str
    detail: dict[str, Any]


@contextmanager
def connected(*, read_only: bool = False) -> Iterator[Connection]:
    """A connection to the database in ``DATABASE_URL``; each statement or `transaction` of it is kept at once.

    Raises:
        UsageError: the variable is not set, or is no address of a database.
        UnreachableError: the database cannot be reached, or went away in the middle.
        PipelineError: its disk is full.
    """
    url = os.environ.get(URL_VARIABLE)
    if not url:
        raise UsageError(
            f"{URL_VARIABLE} is not set: name a PostgreSQL, or use the one that `make example` starts"
        )
    options = "-c default_transaction_read_only=on" if read_only else ""
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT, options=options) as connection:
            yield connection
    except psycopg.errors.DiskFull as error:
        raise PipelineError("the disk of the database is full: make room, then run this again") from error
    except psycopg.OperationalError as error:  # what it says may hold the address, and that a password
        raise UnreachableError(
            f"the database in {URL_VARIABLE} cannot be reached, or went away; start it, then run this again: what "
            "was done is kept"
        ) from error
    except psycopg.ProgrammingError as error:
        if error.sqlstate is None:  # not from the server: the address itself
            raise UsageError(f"{URL_VARIABLE} is no address such as postgresql://user@host/database") from None
        raise


def migrate(connection: Connection) -> None:
    """Bring the tables to their newest version. Safe to repeat, and from several processes at once."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_MIGRATING])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY, at timestamptz DEFAULT now())"
        )
        known = {name for (name,) in connection.execute("SELECT name FROM migration")}
        for file in sorted(_SQL.glob("*.sql")):
            if file.name not in known:
                connection.execute(file.read_bytes())
                connection.execute("INSERT INTO migration (name) VALUES (%s)", [file.name])


def checkpoint(connection: Connection, stage: Stage, job_id: str) -> Checkpoint | None:
    """How far a job has come; None if it never began."""
    with connection.cursor(row_factory=class_row(Checkpoint)) as cursor:
        return cursor.execute(f"{_SELECT} WHERE stage = %s AND job_id = %s", [stage, job_id]).fetchone()


def checkpoints(connection: Connection) -> list[Checkpoint]:
    """Every job, in the order of their last step."""
    with connection.cursor(row_factory=class_row(Checkpoint)) as cursor:
        return cursor.execute(f"{_SELECT} ORDER BY at").fetchall()


def outputs(connection: Connection, stage: Stage, job_id: str) -> list[Output]:
    """What a job made, in the order of the keys."""
    with connection.cursor(row_factory=class_row(Output)) as cursor:
        asked = "SELECT key, source, detail FROM stage_output WHERE stage = %s AND job_id = %s ORDER BY key"
        return cursor.execute(asked, [stage, job_id]).fetchall()


def record(connection: Connection, one: Checkpoint, made: Iterable[Output] = ()) -> None:
    """Note how far a job has come together with what it made: both, or neither. The store must have it all."""
    job = [one.stage, one.job_id]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_REACHED, [*job, one.timeline_id, one.source, one.state, Jsonb(one.detail)])
        cursor.executemany(_MADE, [[*job, row.key, row.source, Jsonb(row.detail)] for row in made])


def forget(connection: Connection, one: Checkpoint) -> None:
    """Delete a job, with the rows of what it made."""
    connection.execute("DELETE FROM checkpoint WHERE stage = %s AND job_id = %s", [one.stage, one.job_id])


_SELECT = "SELECT stage, job_id, timeline_id, source, state, detail, at FROM checkpoint"
_REACHED = """
    INSERT INTO checkpoint (stage, job_id, timeline_id, source, state, detail) VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (stage, job_id)
    DO UPDATE SET source = excluded.source, state = excluded.state, detail = excluded.detail, at = now()
"""
_MADE = """
    INSERT INTO stage_output (stage, job_id, key, source, detail) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (stage, job_id, key) DO UPDATE SET source = excluded.source, detail = excluded.detail
"""
