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
from nefertari_engine_base.primary.sqla.triggers.captures import Capture, Columns
from nefertari_engine_base.primary.sqla.triggers.quoting import (
    PLAIN,
    quoted,
    row,
    table_name,
)
from nefertari_engine_base.primary.sqla.triggers.selects import touches
from nefertari_engine_base.primary.sqla.triggers.trigger import (
    Installed,
    Place,
    Survey,
    Trigger,
    check_kind,
)

_DIALECT = PLAIN["sqlite"]
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


def survey(connection: Connection, tables: Sequence[sa.Table]) -> Survey:
    """What the database has of tables and of our triggers; by one query."""
    # Names of SQLite are the same whatever their case.
    kinds: dict[str, str] = {}
    installed = {}
    for kind, name, table, source in connection.execute(_SURVEY):
        if kind == "trigger":
            drop = (f"DROP TRIGGER IF EXISTS {quoted(name)}",)
            installed[table, name] = Installed(table, name, source, True, drop)
        else:
            kinds[name.lower()] = kind
    places = {
        table: Place(table.name, kind=kinds[table.name.lower()])
        for table in (*tables, outbox)
        if table.schema is None and table.name.lower() in kinds
    }
    return Survey(places, places.get(outbox), installed=installed)


_SURVEY = sa.text(
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type IN "
    "('table', 'view') OR type = 'trigger' AND name GLOB 'nefertari_*' ORDER BY 1, 3, 2"
)


def wanted(
    found: Survey,
    table: sa.Table,
    captures: Sequence[Capture],
    secondaries: Sequence[str],
    announces: bool,
) -> Iterator[Trigger]:
    """The triggers that a table should have.

    :param announces: of no meaning here: workers of SQLite poll.
    :raises PrimaryError: if the table or the outbox is not there.
    :raises ConfigurationError: if the table cannot have triggers.
    """
    if table.schema is not None:
        raise ConfigurationError(
            f"{table} is in a database of its own: a trigger of SQLite cannot write "
            f"the outbox of another one. Leave this table to sessions."
        )
    place = found.tables.get(table)
    if place is None or found.outbox is None:
        raise PrimaryError(
            f"The database has no table {outbox.name if place else table.name}: run "
            f"nefertari-es setup first."
        )
    check_kind(place, captures)
    for event, rows in _selects(table, captures, secondaries).items():
        if rows:
            yield _trigger(table, event, rows)


def _trigger(table: sa.Table, event: str, rows: Sequence[str]) -> Trigger:
    own, name = f"nefertari_{event}_{table.name}", table_name(table)
    trigger = quoted(own)
    query = "\n  UNION ".join(rows)
    source = (
        f"CREATE TRIGGER {trigger} {_MOMENTS[event]} ON {name} BEGIN\n"
        f"  INSERT INTO {outbox.name} (secondary, model, path, key)\n  {query};\nEND"
    )
    first = quoted(next(iter(table.columns)).name)
    trials = {
        "insert": f"INSERT INTO {name} ({first}) SELECT {first} FROM {name}",
        "delete": f"DELETE FROM {name}",
        "update": f"UPDATE {name} SET {first} = {first}",
    }
    trials |= {"replace": trials["insert"], "overwrite": trials["update"]}
    drop = f"DROP TRIGGER IF EXISTS {trigger}"
    return Trigger(
        table=table.name,
        name=own,
        source=source,
        alternative=source,
        define=(),
        attach=(drop, source),
        drop=(drop,),
        # Names in a trigger are looked up when a statement that fires it is compiled.
        trial=f"EXPLAIN {trials[event]}",
    )


def _selects(
    table: sa.Table, captures: Sequence[Capture], secondaries: Sequence[str]
) -> dict[str, list[str]]:
    """The entries to write, by event."""
    found: dict[str, list[str]] = {event: [] for event in _MOMENTS}
    for secondary in secondaries:
        for capture in captures:
            _add(found, capture, secondary)
            # Rows that are replaced fire no other trigger.
            if capture.referrers is not None or not capture.only_updates:
                _add_replaced(found, table, capture, secondary)
    return found


def _add(found: dict[str, list[str]], capture: Capture, secondary: str) -> None:
    # Foreign keys are obeyed by connections that have switched them on, by no others:
    # rows that are referred to come and go.
    changes = _changes(capture)
    new = touches(capture, secondary, row("NEW"), _DIALECT)
    old = touches(capture, secondary, row("OLD"), _DIALECT)
    found["update"] += [f"{new} AND ({changes})", f"{old} AND ({changes})"]
    if not capture.only_updates:
        found["insert"].append(new)
        found["delete"].append(old)


def _add_replaced(
    found: dict[str, list[str]], table: sa.Table, capture: Capture, secondary: str
) -> None:
    """Rows that give way to another one by INSERT OR REPLACE fire no delete trigger.

    https://www.sqlite.org/lang_conflict.html
    """
    new, replaced = row("NEW"), row(_REPLACED)
    source = f"{table_name(table)} AS {_REPLACED}"
    touched = touches(capture, secondary, replaced, _DIALECT, source)
    for unique in _unique_keys(table):
        same = " AND ".join(f"{new(column)} = {replaced(column)}" for column in unique)
        if capture.referrers or set(capture.key) != set(unique):
            found["replace"].append(f"{touched} AND {same}")
        moved = " OR ".join(f"{new(c)} IS NOT {row('OLD')(c)}" for c in unique)
        found["overwrite"].append(f"{touched} AND {same} AND ({moved})")


def _unique_keys(table: sa.Table) -> list[Columns]:
    """The keys that rows may not share, always in the same order."""
    keys: list[Columns] = [
        tuple(constraint.columns)
        for constraint in table.constraints
        if isinstance(constraint, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
    ]
    # An index of an expression has no columns.
    keys += [tuple(index.columns) for index in table.indexes if index.unique]
    places = {column: number for number, column in enumerate(table.columns)}
    return sorted(
        (key for key in dict.fromkeys(keys) if key),
        key=lambda key: [places[column] for column in key],
    )


def _changes(capture: Capture) -> str:
    # Whatever their collations say is equal.
    new, old = row("NEW"), row("OLD")
    return " OR ".join(
        f"{new(column)} COLLATE BINARY IS NOT {old(column)}"
        for column in capture.watched
    )
