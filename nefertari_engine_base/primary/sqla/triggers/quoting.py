"""How names and values are written in the text of a trigger.

SQLAlchemy writes statements for a driver: where that one formats, each ``%`` is
doubled. What is stored in the database is read by nobody but the database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

#: Dialects that write text for the database itself.
PLAIN: dict[str, sa.Dialect] = {
    "postgresql": postgresql.dialect(paramstyle="named"),  # type: ignore[no-untyped-call]
    "sqlite": sqlite.dialect(paramstyle="named"),
}

#: Names a column in some row.
Row = Callable[[Any], str]


def quoted(name: str) -> str:
    """A name, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def table_name(table: sa.Table) -> str:
    """A table, as SQL names it."""
    parts = (table.schema, table.name) if table.schema else (table.name,)
    return ".".join(map(quoted, parts))


def row(alias: str) -> Row:
    """The row, or the rows, that go by an alias."""
    return lambda column: f"{alias}.{quoted(column.name)}"


def literal(value: Any, dialect: sa.Dialect, type_: Any = None) -> str:
    """A value, as SQL writes it."""
    if isinstance(value, str) and type_ is None:
        return _text(value, dialect)
    expression = sa.literal(value, type_)
    options = {"literal_binds": True}
    return str(expression.compile(dialect=dialect, compile_kwargs=options))


def _text(value: str, dialect: sa.Dialect) -> str:
    doubled = value.replace("'", "''")
    if "\\" in value and dialect.name == "postgresql":
        # Elsewhere it depends on a setting of the session what a backslash means.
        return "E'" + doubled.replace("\\", "\\\\") + "'"
    return f"'{doubled}'"
