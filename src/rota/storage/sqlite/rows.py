"""Rows as tuples whose types are the columns': SQLite's driver cannot know them, the statement's author does."""

from collections.abc import Mapping
from typing import Any

import apsw

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
