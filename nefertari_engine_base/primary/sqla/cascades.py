"""What the database will do by itself when rows go or get another key.

``ON DELETE CASCADE`` and its likes change rows that neither a session nor a statement
names, and afterwards nobody can tell which they were. So they are looked up before.
https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import ForeignKeyConstraint, Table, and_, inspect, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Mapper

from nefertari_engine_base.primary.sqla.announcing import Found
from nefertari_engine_base.primary.sqla.keys import fetch_keyed
from nefertari_engine_base.primary.sqla.references import lock_sqlite
from nefertari_engine_base.primary.sqla.rows import (
    NamedRow,
    RowReader,
    deleted,
    mapper_of,
    updated,
)
from nefertari_engine_base.primary.sqla.sources import SOURCES


class Cause(Enum):
    """What happens to the rows that others refer to."""

    DELETE = "ondelete"
    NEW_KEY = "onupdate"


#: What the database does to referring rows, where it does anything.
_RULES = ("CASCADE", "SET NULL", "SET DEFAULT")

_Key = tuple[Any, ...]
_Rule = tuple[ForeignKeyConstraint, str]


def foresee(
    connection: Connection, mapper: Mapper[Any], keys: Sequence[_Key], cause: Cause
) -> list[Found]:
    """What is to be reported of rows that the database will change by itself.

    The rows that go and those that follow them are locked: a row that another
    transaction makes refer to them would otherwise follow unseen. Its foreign key has
    to wait for the lock.

    :param keys: primary keys of the rows that go, or get another key.
    """
    if not reaches_documents(mapper, cause):
        return []
    lock_rows(connection, mapper, keys)
    found: list[Found] = []
    seen: set[tuple[Table, _Key]] = set()
    todo = [(table, key, list(keys), cause) for table, key in tables_of(mapper)]
    while todo:
        table, key, chosen, cause = todo.pop()
        for constraint, rule in _referring(table, cause):
            child = constraint.table
            assert isinstance(child, Table)
            rows = _Children(connection, constraint)
            below = rows.find(key, chosen)
            new = [key for key in below if (child, key) not in seen]
            seen.update((child, key) for key in new)
            if new:
                found += rows.report(new, cause, rule)
                if cause is Cause.DELETE and rule == "CASCADE":
                    todo.append((child, list(child.primary_key), new, cause))
    return found


def lock_rows(
    connection: Connection, mapper: Mapper[Any], keys: Sequence[_Key]
) -> None:
    """Lock rows, in every table that they are in, so that nobody begins to refer to
    them.

    https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS
    """
    if connection.dialect.name == "sqlite":
        lock_sqlite(connection)
        return
    for _, key in tables_of(mapper):
        for _ in fetch_keyed(connection, select(*key).with_for_update(), key, keys):
            pass


def reaches_documents(mapper: Mapper[Any], cause: Cause) -> bool:
    """Whether there is anything to foresee."""
    return any(_referring(table, cause) for table, _ in tables_of(mapper))


def classes_changed_with(mapper: Mapper[Any]) -> list[type]:
    """Classes that documents depend on and whose rows a statement on rows of this one
    may change, by cascades of the database too."""
    tables = [table for table in mapper.tables if isinstance(table, Table)]
    for one in mapper.self_and_descendants:
        tables += [t for t in one.tables if isinstance(t, Table) and t not in tables]
    for table in tables:
        for cause in Cause:
            for constraint, _ in _referring(table, cause):
                child = constraint.table
                if isinstance(child, Table) and child not in tables:
                    tables.append(child)
    return [
        model
        for model in list(SOURCES)
        if not set(tables).isdisjoint(inspect(model).tables)
    ]


def tables_of(mapper: Mapper[Any]) -> Iterator[tuple[Table, list[Any]]]:
    """The tables that a row of a class is in, with its key there."""
    names = [mapper.get_property_by_column(part).key for part in mapper.primary_key]
    for table in mapper.tables:
        if isinstance(table, Table):
            own = [
                next((c for c in mapper.attrs[name].columns if c.table is table), None)
                for name in names
            ]
            if all(column is not None for column in own):
                yield table, own


#: What was found of a table, as long as the same models are followed and its metadata
#: has the same tables: every delete of a session asks.
_REFERRING: WeakKeyDictionary[Table, dict[Any, list[_Rule]]] = WeakKeyDictionary()


def _referring(table: Table, cause: Cause) -> list[_Rule]:
    """The constraints by which a change of this table's rows reaches documents."""
    known = _REFERRING.setdefault(table, {})
    state = (cause, len(table.metadata.tables), frozenset(SOURCES.keys()))
    if state not in known:
        if len(known) > len(Cause):
            known.clear()
        known[state] = list(_find_referring(table, cause))
    return known[state]


def _find_referring(table: Table, cause: Cause) -> Iterator[_Rule]:
    for other in table.metadata.tables.values():
        for constraint in other.foreign_key_constraints:
            rule = str(getattr(constraint, cause.value) or "").upper()
            if (
                constraint.referred_table is table
                and rule in _RULES
                and _leads_to_documents(other, frozenset())
            ):
                yield constraint, rule


def _leads_to_documents(table: Table, passed: frozenset[Table]) -> bool:
    if mapper_of(table) is not None:
        return True
    return any(
        constraint.referred_table is table
        and constraint.ondelete
        and other not in passed
        and _leads_to_documents(other, passed | {table})
        for other in table.metadata.tables.values()
        for constraint in other.foreign_key_constraints
    )


class _Children:
    """The rows that refer to others by one constraint."""

    def __init__(
        self, connection: Connection, constraint: ForeignKeyConstraint
    ) -> None:
        self._connection = connection
        self._constraint = constraint
        self._table = constraint.table
        self._parent = constraint.referred_table.alias()
        self._mapper = mapper_of(self._table)

    def find(self, key: Sequence[Any], keys: Sequence[_Key]) -> list[_Key]:
        """Primary keys of the rows that refer to rows of these keys."""
        own = list(self._table.primary_key)
        if not own:
            return []
        statement = select(*own).select_from(self._table)
        statement = statement.join(
            self._parent,
            and_(
                *(
                    element.parent == self._parent.c[element.column.key]
                    for element in self._constraint.elements
                )
            ),
        )
        referred = [self._parent.c[column.key] for column in key]
        statement = statement.with_for_update(of=self._table)
        return [
            tuple(row)
            for row in fetch_keyed(self._connection, statement, referred, keys)
        ]

    def report(self, keys: Sequence[_Key], cause: Cause, rule: str) -> list[Found]:
        """What is to be reported of these rows."""
        if self._mapper is None:
            return []
        assert isinstance(self._table, Table)
        reader = RowReader(self._mapper, table=self._table)
        columns = list(self._table.primary_key)
        values = fetch_keyed(self._connection, select(*reader.columns), columns, keys)
        rows = reader.rows(values)
        if cause is Cause.DELETE and rule == "CASCADE":
            return deleted(rows, self._connection)
        return [self._moved(row, rule) for row in rows]

    def _moved(self, row: NamedRow, rule: str) -> Found:
        assert self._mapper is not None
        names = frozenset(
            self._mapper.get_property_by_column(column).key
            for column in self._constraint.columns
        )
        previous = {n: v for n, v in row.references.items() if n in names}
        # What a row refers to after SET DEFAULT and CASCADE is found at delivery.
        known = {n: v for n, v in row.references.items() if n not in names}
        if rule == "SET NULL":
            known |= dict.fromkeys(previous)
        moved = NamedRow(row.source, row.id, row.key, known)
        return updated(moved, names, previous)
