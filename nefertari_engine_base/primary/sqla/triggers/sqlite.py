"""The triggers of SQLite: one for each table and event, fired for each row.

https://www.sqlite.org/lang_createtrigger.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from nefertari_engine_base.primary.sqla.triggers.selects import (
    Touches,
    of_class,
    touches,
)
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
    whens = {
        "update": _any(_differences(c for one in captures for c in one.watched)),
        # It is looked at for each row: only rows that get another key can replace any.
        "overwrite": _any(_differences(c for key in _unique_keys(table) for c in key)),
    }
    union = _union(captures)
    for event, rows in _selects(table, captures, secondaries).items():
        if rows:
            chosen = "UNION" if event in ("replace", "overwrite") else union
            yield _trigger(table, event, *_query(rows, chosen, whens.get(event, "")))


def _query(rows: Sequence[Touches], union: str, when: str) -> tuple[str, str]:
    """What gives the entries, and the condition of the trigger."""
    (first, *others) = rows
    if others or first.source:
        return f"\n  {union} ".join(map(str, rows)), when
    # A query of one row takes longer than its values.
    conditions = [f"({when})"] if when else []
    return f"VALUES ({first.columns})", " AND ".join([*conditions, *first.conditions])


def _union(captures: Sequence[Capture]) -> str:
    """How the entries of a row are put together: to compare them takes as long as to
    write them."""
    kinds = {(capture.root, capture.path) for capture in captures}
    alike = len(kinds) < len(captures) or any(c.referrers for c in captures)
    return "UNION" if alike else "UNION ALL"


def _trigger(table: sa.Table, event: str, query: str, when: str) -> Trigger:
    own, name = f"nefertari_{event}_{table.name}", table_name(table)
    trigger = quoted(own)
    condition = f" WHEN {when}" if when else ""
    source = (
        f"CREATE TRIGGER {trigger} {_MOMENTS[event]} ON {name}{condition} BEGIN\n"
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
) -> dict[str, list[Touches]]:
    """The entries to write, by event."""
    found: dict[str, list[Touches]] = {event: [] for event in _MOMENTS}
    are_alike = len({frozenset(capture.watched) for capture in captures}) == 1
    for secondary in secondaries:
        for capture in captures:
            # The trigger asks for them all.
            changed = "" if are_alike else _any(_differences(capture.watched))
            _add(found, capture, secondary, changed)
            # Rows that are replaced fire no other trigger.
            if capture.referrers is not None or not capture.only_updates:
                _add_replaced(found, table, capture, secondary)
    return found


def _add(
    found: dict[str, list[Touches]], capture: Capture, secondary: str, changed: str
) -> None:
    # Foreign keys are obeyed by connections that have switched them on, by no others:
    # rows that are referred to come and go.
    new = touches(capture, secondary, row("NEW"), _DIALECT)
    old = touches(capture, secondary, row("OLD"), _DIALECT)
    named = capture.referrers.referred if capture.referrers else capture.key
    other = _any(
        [
            *_differences(named),
            *(f"({c}) IS NOT TRUE" for c in of_class(capture, row("NEW"), _DIALECT)),
        ]
    )
    found["update"] += [new.where(changed), old.where(other, changed)]
    if not capture.only_updates:
        found["insert"].append(new)
        found["delete"].append(old)


def _add_replaced(
    found: dict[str, list[Touches]], table: sa.Table, capture: Capture, secondary: str
) -> None:
    """Rows that give way to another one by INSERT OR REPLACE fire no delete trigger.

    https://www.sqlite.org/lang_conflict.html
    """
    new, replaced = row("NEW"), row(_REPLACED)
    source = f"{table_name(table)} AS {_REPLACED}"
    touched = touches(capture, secondary, replaced, _DIALECT, source)
    for unique in _unique_keys(table):
        same = [f"{new(column)} = {replaced(column)}" for column in unique]
        is_own = not capture.referrers and set(capture.key) == set(unique)
        if not is_own or capture.classes:
            found["replace"].append(touched.where(*same))
        moved = _any(_differences(unique))
        found["overwrite"].append(touched.where(*same, moved))


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


def _differences(columns: Iterable[Any]) -> list[str]:
    # Whatever their collations say is equal.
    new, old = row("NEW"), row("OLD")
    return [
        f"{new(column)} COLLATE BINARY IS NOT {old(column)}"
        for column in dict.fromkeys(columns)
    ]


def _any(conditions: Sequence[str]) -> str:
    return " OR ".join(conditions)
