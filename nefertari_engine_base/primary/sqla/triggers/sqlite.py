"""The triggers of SQLite: one for each table and event, fired for each row.

https://www.sqlite.org/lang_createtrigger.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nefertari_engine_base.exceptions import ConfigurationError, PrimaryError
from nefertari_engine_base.primary.sqla.tables import outbox
from nefertari_engine_base.primary.sqla.triggers.captures import Capture
from nefertari_engine_base.primary.sqla.triggers.names import name_of
from nefertari_engine_base.primary.sqla.triggers.selects import (
    table_name,
    touches,
    touches_of_referrers,
)
from nefertari_engine_base.primary.sqla.triggers.trigger import Installed, Trigger

_REPLACED = "replaced"
_MOMENTS = {
    "insert": "AFTER INSERT",
    "update": "AFTER UPDATE",
    "delete": "AFTER DELETE",
    "replace": "BEFORE INSERT",
    "overwrite": "BEFORE UPDATE",
}


def prepare(connection: Connection) -> None:
    """Let nobody else write until the transaction ends: Python's driver begins none
    for statements that define something."""
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def wanted(
    connection: Connection,
    table: sa.Table,
    captures: Sequence[Capture],
    secondaries: Sequence[str],
    announces: bool,
) -> Iterator[Trigger]:
    """The triggers that a table should have.

    :param announces: of no meaning here: workers of SQLite poll.
    :raises PrimaryError: if the table or the outbox is not there.
    """
    dialect = connection.dialect
    if table.schema is not None:
        raise ConfigurationError(
            f"{table} is in a database of its own: a trigger of SQLite cannot write "
            f"the outbox of another one. Leave this table to sessions."
        )
    for needed in (table, outbox):
        if not sa.inspect(connection).has_table(needed.name):
            raise PrimaryError(
                f"The database has no table {needed.name}: run nefertari-es setup "
                f"first."
            )
    name = table_name(table, dialect)
    for event, rows in _selects(table, captures, secondaries, dialect).items():
        if rows:
            yield _trigger(table, name, event, rows, dialect)


def installed(connection: Connection) -> dict[tuple[str, str], Installed]:
    """Our triggers that are there, by table and name."""
    rows = connection.execute(_INSTALLED)
    quote = connection.dialect.identifier_preparer.quote
    return {
        (quote(table), quote(name)): Installed(
            quote(table), quote(name), source, True, (f"DROP TRIGGER {quote(name)}",)
        )
        for table, name, source in rows
    }


_INSTALLED = sa.text(
    "SELECT tbl_name, name, sql FROM sqlite_master "
    "WHERE type = 'trigger' AND name GLOB 'nefertari_*' ORDER BY 1, 2"
)


def _trigger(
    table: sa.Table, name: str, event: str, rows: Sequence[str], dialect: sa.Dialect
) -> Trigger:
    trigger = dialect.identifier_preparer.quote(f"nefertari_{event}_{table.name}")
    query = "\n  UNION ".join(rows)
    source = (
        f"CREATE TRIGGER {trigger} {_MOMENTS[event]} ON {name} BEGIN\n"
        f"  INSERT INTO {outbox.name} (secondary, model, path, key)\n  {query};\nEND"
    )
    first = dialect.identifier_preparer.quote(next(iter(table.columns)).name)
    trials = {
        "insert": f"INSERT INTO {name} ({first}) SELECT {first} FROM {name}",
        "delete": f"DELETE FROM {name}",
        "update": f"UPDATE {name} SET {first} = {first}",
    }
    trials |= {"replace": trials["insert"], "overwrite": trials["update"]}
    return Trigger(
        table=name,
        name=trigger,
        source=source,
        create=(f"DROP TRIGGER IF EXISTS {trigger}", source),
        # Names in a trigger are looked up when a statement that fires it is compiled.
        trial=f"EXPLAIN {trials[event]}",
    )


def _selects(
    table: sa.Table,
    captures: Sequence[Capture],
    secondaries: Sequence[str],
    dialect: sa.Dialect,
) -> dict[str, list[str]]:
    """The entries to write, by event."""
    found: dict[str, list[str]] = {event: [] for event in _MOMENTS}
    for secondary in secondaries:
        for capture in captures:
            if capture.referrers is not None:
                _add_referrers(found, capture, secondary, dialect)
            else:
                _add(found, capture, secondary, dialect)
            if not capture.only_updates:
                _add_replaced(found, table, capture, secondary, dialect)
    return found


def _add(
    found: dict[str, list[str]], capture: Capture, secondary: str, dialect: sa.Dialect
) -> None:
    changes = _changes(capture, dialect)
    new = touches(capture, secondary, "NEW", dialect)
    old = touches(capture, secondary, "OLD", dialect)
    found["update"] += [f"{new} AND ({changes})", f"{old} AND ({changes})"]
    if not capture.only_updates:
        found["insert"].append(new)
        found["delete"].append(old)


def _add_referrers(
    found: dict[str, list[str]], capture: Capture, secondary: str, dialect: sa.Dialect
) -> None:
    # Foreign keys are obeyed by connections that have switched them on, by no others.
    changes = _changes(capture, dialect)
    new = touches_of_referrers(capture, secondary, "NEW", dialect)
    old = touches_of_referrers(capture, secondary, "OLD", dialect)
    found["update"] += [f"{old} AND ({changes})", f"{new} AND ({changes})"]
    found["delete"].append(old)
    found["insert"].append(new)


def _add_replaced(
    found: dict[str, list[str]],
    table: sa.Table,
    capture: Capture,
    secondary: str,
    dialect: sa.Dialect,
) -> None:
    """Rows that give way to another one by INSERT OR REPLACE fire no delete trigger.

    https://www.sqlite.org/lang_conflict.html
    """
    write = touches if capture.referrers is None else touches_of_referrers
    source = table_name(table, dialect)
    replaced = write(capture, secondary, _REPLACED, dialect, source)
    for unique in _unique_keys(table):
        pairs = [
            (name_of(c, "NEW", dialect), name_of(c, _REPLACED, dialect)) for c in unique
        ]
        same = " AND ".join(f"{new} = {old}" for new, old in pairs)
        if capture.referrers or set(capture.key) != set(unique):
            found["replace"].append(f"{replaced} AND {same}")
        moved = " OR ".join(
            f"NEW.{column} IS NOT OLD.{column}"
            for column in (dialect.identifier_preparer.quote(c.name) for c in unique)
        )
        found["overwrite"].append(f"{replaced} AND {same} AND ({moved})")


def _unique_keys(table: sa.Table) -> list[tuple[sa.Column[object], ...]]:
    keys: list[tuple[sa.Column[object], ...]] = [
        tuple(constraint.columns)
        for constraint in table.constraints
        if isinstance(constraint, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
    ]
    keys += [tuple(index.columns) for index in table.indexes if index.unique]
    return [key for key in dict.fromkeys(keys) if key]


def _changes(capture: Capture, dialect: sa.Dialect) -> str:
    # Whatever their collations say is equal.
    pairs = [
        (name_of(c, "NEW", dialect), name_of(c, "OLD", dialect))
        for c in capture.watched
    ]
    return " OR ".join(f"{new} COLLATE BINARY IS NOT {old}" for new, old in pairs)
