"""Statements of ours on a connection: as SQLAlchemy's, or as texts of the driver's.

By the driver's cursor nobody hears of them, and they cost half as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.sql.base import Executable

#: What the application has told its connection is meant for its own statements: their
#: schemas, and how their rows are fetched.
#: https://docs.sqlalchemy.org/en/20/core/connections.html#sqlalchemy.engine.Connection.execution_options
_OWN = {"schema_translate_map": None, "stream_results": False, "yield_per": None}


def ask(
    connection: Connection, statement: Executable, values: Any = None, **options: Any
) -> CursorResult[Any]:
    """Execute a statement of ours in the connection's transaction.

    :param values: one dictionary of parameters, or a list of them.
    :param options: for the execution; the connection keeps its own.
    """
    return connection.execute(statement, values, execution_options=_OWN | options)


def fetch(
    connection: Connection, statement: str, parameters: Mapping[str, Any] | None = None
) -> Sequence[Any]:
    """The rows of a text that the driver executes in the connection's transaction."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, parameters)
        return cursor.fetchall()
    finally:
        cursor.close()


def run_unheard(connection: Connection, text: str) -> Any:
    """Execute a text by the driver's cursor: nobody hears of it, and what is held stays
    so. :return: its first row, if it has any."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text)
        return cursor.fetchone() if cursor.description else None
    finally:
        cursor.close()
