"""Statements of ours on a connection of the application's."""

from __future__ import annotations

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
