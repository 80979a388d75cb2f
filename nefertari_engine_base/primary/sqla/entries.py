"""Entries of the outbox as rows, and how they are inserted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import insert
from sqlalchemy.engine import Connection, Dialect, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import ReturningInsert

from nefertari_engine_base.primary.sqla import waking
from nefertari_engine_base.primary.sqla.tables import outbox
from nefertari_engine_base.values import OutboxEntry, Touch

#: How the columns of a claimed row make an entry.
ENTRY_COLUMNS = (
    outbox.c.id,
    outbox.c.secondary,
    outbox.c.model,
    outbox.c.key,
    outbox.c.path,
    outbox.c.cursor,
    outbox.c.attempts,
)

_INSERT = insert(outbox).returning(*ENTRY_COLUMNS)
_INSERT_ONE = insert(outbox).returning(outbox.c.id)


def entry_of(row: Row[Any] | tuple[Any, ...]) -> OutboxEntry:
    """The entry of a row that begins with :data:`ENTRY_COLUMNS`."""
    id_, secondary, model, key, path, cursor, attempts = tuple(row)[:7]
    return OutboxEntry(id_, Touch(secondary, model, key, path), cursor, attempts)


def row_of(touch: Touch) -> dict[str, str]:
    """The row to insert for a touch."""
    return {
        "secondary": touch.secondary,
        "model": touch.model,
        "path": touch.path,
        "key": touch.key,
    }


def rows_of(touches: Iterable[Touch]) -> list[dict[str, str]]:
    """Rows to insert for touches."""
    return list(map(row_of, touches))


def insert_entries(
    connection: Connection, touches: Sequence[Touch], announced: bool
) -> list[OutboxEntry]:
    """Insert entries in the connection's transaction.

    :param announced: whether its commit wakes workers; PostgreSQL alone can do that.
    """
    if len(touches) == 1:
        number = _insert_one(connection, row_of(touches[0]), announced)
        return [OutboxEntry(number, touches[0])]
    statement = _announcing(_INSERT) if announced else _INSERT
    return list(map(entry_of, connection.execute(statement, rows_of(touches))))


@cache
def _announcing(statement: ReturningInsert[Any]) -> ReturningInsert[Any]:
    return statement.returning(waking.NOTIFICATION)


def _insert_one(connection: Connection, row: Mapping[str, str], announced: bool) -> int:
    # Most transactions change one document, and each waits for this statement. By the
    # driver's cursor it costs half of what it costs as an expression.
    statement, names = insert_text(connection.dialect, announced)
    values: Any = tuple(row[name] for name in names) if names else row
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, values)
        number: int = cursor.fetchone()[0]  # type: ignore[index]
        return number
    except connection.dialect.loaded_dbapi.Error as error:
        raise wrapped(connection, error, statement, values) from error
    finally:
        cursor.close()


@cache
def insert_text(dialect: Dialect, announced: bool) -> tuple[str, tuple[str, ...]]:
    """The insert of one row, and the order of its values if they are positional."""
    statement = _announcing(_INSERT_ONE) if announced else _INSERT_ONE
    compiled = statement.compile(
        dialect=dialect, column_keys=["secondary", "model", "path", "key"]
    )
    return str(compiled), tuple(getattr(compiled, "positiontup", None) or ())


def wrapped(
    connection: Connection, error: Exception, statement: str | None, values: Any
) -> BaseException:
    """A driver's error as what the session's other statements raise: retries look
    for it."""
    dialect = connection.dialect
    driver = dialect.loaded_dbapi.Error
    return DBAPIError.instance(statement, values, error, driver, dialect=dialect)
