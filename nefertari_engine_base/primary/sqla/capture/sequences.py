"""The numbers that PostgreSQL gives to new rows.

https://www.postgresql.org/docs/current/functions-sequence.html
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from nefertari_engine_base.primary.sqla.asking import ask


def last_number(connection: Any, column: Any) -> int | None:
    """The last number that PostgreSQL has given to rows, by the column that has them.

    :return: ``None`` if it has given none, or if no sequence of the column's gives them
        one after the other.
    """
    known = connection.engine.dialect.__dict__.setdefault("_nefertari_sequences", {})
    table = name_of(column.table, connection)
    if (table, column.name) not in known:
        values = {"table": table, "column": column.name}
        known[table, column.name] = ask(connection, _SEQUENCE, values).scalar()
    sequence = known[table, column.name]
    if sequence is None:
        return None
    found = ask(connection, _LAST, {"sequence": sequence}).scalar()
    return None if found is None else int(found)


# One that gives numbers in advance to each session gives them in no order.
_SEQUENCE = sa.text(
    "SELECT seqrelid::regclass::text FROM pg_sequence "
    "WHERE seqrelid = pg_get_serial_sequence(:table, :column)::regclass "
    "AND seqcache = 1 AND seqincrement > 0 AND NOT seqcycle"
)
_LAST = sa.text("SELECT pg_sequence_last_value(CAST(:sequence AS text)::regclass)")


def name_of(table: Any, connection: Any) -> str:
    """A table, as the connection's statements name it."""
    name: str = connection.dialect.identifier_preparer.format_table(table)
    return name
