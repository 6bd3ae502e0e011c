"""Rows as tuples whose types are the columns': SQLite's driver cannot know them, the statement's author does."""

from collections.abc import Callable, Mapping
from typing import Any

import apsw
import msgspec

from rota.protocol.problems import Internal
from rota.storage.stores.jobs import Outcome

Row = tuple[Any, ...]


def every(connection: apsw.Connection, statement: str, values: Mapping[str, Any]) -> list[Row]:
    """All rows."""
    return list(connection.execute(statement, values))


def first(connection: apsw.Connection, statement: str, values: Mapping[str, Any]) -> Row | None:
    """The first row, or None; a guarded move that found none changed nothing."""
    return connection.execute(statement, values).fetchone()


def only(connection: apsw.Connection, statement: str, values: Mapping[str, Any]) -> Row:
    """The row that must be there. Raises LookupError where it is not: a fault of our own."""
    row = first(connection, statement, values)
    if row is None:
        raise LookupError(statement)
    return row


def apart(connection: apsw.Connection, move: Callable[[], Outcome]) -> Outcome:
    """One move of a batch: a row that it fails on is left as it is, told as `Internal`, and spoils no other's.

    What concerns them all (the disk) is raised. Source: guarantees.md, F47.
    """
    connection.execute("SAVEPOINT move")
    try:
        outcome = move()
    except (LookupError, msgspec.DecodeError, apsw.ConstraintError) as error:
        connection.execute("ROLLBACK TO move")
        outcome = Outcome(problem=Internal(f"The row cannot be moved ({type(error).__name__}): {error}"))
    connection.execute("RELEASE move")
    return outcome
