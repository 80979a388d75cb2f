"""Entries of the outbox as rows, and how they are inserted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from orjson import dumps
from sqlalchemy import ARRAY, String, Text, bindparam, func, insert, select
from sqlalchemy.engine import Connection, Dialect, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.dml import ReturningInsert

from nefertari_engine_base.primary.sqla import waking
from nefertari_engine_base.primary.sqla.asking import ask
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

#: Entries that are inserted with their numbers told.
MOST_TOLD = 100
#: Keys of one value.
_AT_ONCE = 10_000
_COLUMNS = ("secondary", "model", "path", "key")
_SAME = [bindparam(name, type_=String()) for name in _COLUMNS[:3]]
_OF_ARRAY = insert(outbox).from_select(
    _COLUMNS, select(*_SAME, func.unnest(bindparam("keys", type_=ARRAY(Text()))))
)
_each = func.json_each(bindparam("keys", type_=String())).table_valued("value")
_OF_JSON = insert(outbox).from_select(_COLUMNS, select(*_SAME, _each.c.value))


def entry_of(row: Row[Any] | tuple[Any, ...]) -> OutboxEntry:
    """The entry of a row that begins with :data:`ENTRY_COLUMNS`."""
    id_, secondary, model, key, path, cursor, attempts = tuple(row)[:7]
    return OutboxEntry(id_, Touch(secondary, model, key, path), cursor, attempts)


def rows_of(touches: Iterable[Touch]) -> list[dict[str, str]]:
    """Rows to insert for touches."""
    return [
        {
            "secondary": touch.secondary,
            "model": touch.model,
            "path": touch.path,
            "key": touch.key,
        }
        for touch in touches
    ]


def insert_entries(
    connection: Connection, touches: Sequence[Touch], announced: bool
) -> list[OutboxEntry]:
    """Insert entries in the connection's transaction.

    :param announced: whether its commit wakes workers; PostgreSQL alone can do that.
    """
    if len(touches) == 1:
        dialect = connection.dialect
        return insert_each(connection.connection, dialect, touches, announced)
    statement = _announcing(_INSERT) if announced else _INSERT
    return list(map(entry_of, ask(connection, statement, rows_of(touches))))


def insert_untold(
    connection: Connection, touches: Sequence[Touch], announced: bool
) -> None:
    """Insert any number of entries, of which nothing more is asked.

    Their keys are sent as one value: a row of parameters for each would cost a hundred
    times what the database needs to insert it.
    """
    groups: dict[tuple[str, str, str], list[str]] = {}
    for secondary, model, key, path in touches:
        groups.setdefault((secondary, model, path), []).append(key)
    is_postgresql = connection.dialect.name == "postgresql"
    statement = _OF_ARRAY if is_postgresql else _OF_JSON
    for (secondary, model, path), keys in groups.items():
        for start in range(0, len(keys), _AT_ONCE):
            chunk: Any = keys[start : start + _AT_ONCE]
            values = {
                "secondary": secondary,
                "model": model,
                "path": path,
                "keys": chunk if is_postgresql else dumps(chunk).decode(),
            }
            ask(connection, statement, values)
    if announced:
        waking.notify(connection)


def insert_each(
    connection: PoolProxiedConnection,
    dialect: Dialect,
    touches: Sequence[Touch],
    announced: bool,
    **options: Any,
) -> list[OutboxEntry]:
    """As :func:`insert_entries`, one by one.

    Most transactions change one document, and each waits for this statement. By the
    driver's cursor it costs half of what it costs as an expression.

    :param options: of the driver's ``execute``.
    """
    statement, names = insert_text(dialect, announced)
    entries = []
    cursor = connection.cursor()
    try:
        for touch, row in zip(touches, rows_of(touches), strict=True):
            values: Any = tuple(row[name] for name in names) if names else row
            cursor.execute(statement, values, **options)
            entries.append(OutboxEntry(cursor.fetchone()[0], touch))  # type: ignore[index]
    except dialect.loaded_dbapi.Error as error:
        # What the session's other statements raise: retries look for it.
        raise DBAPIError.instance(
            statement, values, error, dialect.loaded_dbapi.Error, dialect=dialect
        ) from error
    finally:
        cursor.close()
    return entries


@cache
def _announcing(statement: ReturningInsert[Any]) -> ReturningInsert[Any]:
    return statement.returning(waking.NOTIFICATION)


@cache
def insert_text(dialect: Dialect, announced: bool) -> tuple[str, tuple[str, ...]]:
    """The insert of one row, and the order of its values if they are positional."""
    statement = _announcing(_INSERT_ONE) if announced else _INSERT_ONE
    compiled = statement.compile(
        dialect=dialect, column_keys=["secondary", "model", "path", "key"]
    )
    return str(compiled), tuple(getattr(compiled, "positiontup", None) or ())
