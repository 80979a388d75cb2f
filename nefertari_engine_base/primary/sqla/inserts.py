"""Statements that make many rows: INSERT, and INSERT that updates what is there.

https://docs.sqlalchemy.org/en/20/orm/queryguide/dml.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, literal_column, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Result
from sqlalchemy.orm import ORMExecuteState

from nefertari_engine_base.exceptions import PrimaryError, UncapturedStatement
from nefertari_engine_base.primary.sqla.announcing import Found, announce
from nefertari_engine_base.primary.sqla.references import lock_sqlite
from nefertari_engine_base.primary.sqla.rows import (
    NamedRow,
    RowReader,
    created,
    read_rows,
    updated,
)

_DO_UPDATE = (postgresql.dml.OnConflictDoUpdate, sqlite.dml.OnConflictDoUpdate)

# Of a row that is new no transaction has locked a version before.
# https://www.postgresql.org/docs/current/ddl-system-columns.html
_WAS_THERE = literal_column("(xmax::text <> '0')", Boolean())


def capture_insert(state: ORMExecuteState, reader: RowReader) -> Result[Any]:
    """Execute an INSERT, and report the rows that it has made or changed.

    :raises UncapturedStatement: if the rows that it changes cannot be known.
    """
    statement: Any = state.statement
    _refuse_replace(statement)
    connection = state.session.connection(bind_arguments={"mapper": reader.mapper})
    clause = statement._post_values_clause
    if _is_of_one_row(state):
        # SQLAlchemy has fetched its key anyway, and offers it to the caller.
        result = state.invoke_statement()
        key: Any = result.inserted_primary_key  # type: ignore[attr-defined]
        rows = read_rows(connection, reader, [tuple(key)])
        found = [created(row) for row in rows]
    elif not isinstance(clause, _DO_UPDATE):
        result, values = returning(state, reader.columns)
        found = [created(row) for row in reader.rows(values)]
    else:
        upsert = _Upsert(state, reader, connection, clause)
        result, found = upsert.execute()
    announce(state.session, connection, found)
    return result


def returning(
    state: ORMExecuteState, columns: Sequence[Any]
) -> tuple[Result[Any], list[Any]]:
    """The statement's result for who has executed it, and these columns of its rows."""
    statement: Any = state.statement
    asked = bool(statement._returning)
    result: Any = state.invoke_statement(statement.returning(*columns))
    if not asked:
        return result, result.all()
    width = len(result.keys()) - len(columns)
    frozen = result.freeze()
    values = [tuple(row)[width:] for row in frozen().all()]
    return frozen().columns(*range(width)), values


def _is_of_one_row(state: ORMExecuteState) -> bool:
    statement: Any = state.statement
    return not (
        state.is_executemany
        or isinstance(state.parameters, list | tuple)
        or statement._returning
        or statement._multi_values
        or statement.select is not None
        or statement._post_values_clause is not None
    )


def _refuse_replace(statement: Any) -> None:
    prefixes = " ".join(str(prefix) for prefix, _ in statement._prefixes).upper()
    if "REPLACE" in prefixes:
        raise UncapturedStatement(
            "INSERT OR REPLACE deletes rows without telling which: their documents "
            "would stay. Use sqlalchemy.dialects.sqlite.insert() with "
            "on_conflict_do_update()."
        )


class _Upsert:
    """INSERT ... ON CONFLICT DO UPDATE."""

    def __init__(
        self,
        state: ORMExecuteState,
        reader: RowReader,
        connection: Connection,
        clause: Any,
    ) -> None:
        self._state = state
        self._statement: Any = state.statement
        self._reader = reader
        self._connection = connection
        self._clause = clause

    def execute(self) -> tuple[Result[Any], list[Found]]:
        """Its result, and what is to be reported of its rows."""
        reader = self._reader
        columns = list(reader.columns)
        before: dict[str, NamedRow] = {}
        moves = self._moves()
        if moves:
            before = {row.id: row for row in self._rows_before()}
            if self._connection.dialect.name == "postgresql":
                columns.append(_WAS_THERE)
        result, values = returning(self._state, columns)
        found = []
        for value in values:
            for row in reader.rows([value[: len(reader.columns)]]):
                old = before.get(row.id)
                if old is None and len(value) > len(reader.columns) and value[-1]:
                    raise PrimaryError(
                        f"{row.source.name} {row.id} was inserted by another "
                        f"transaction meanwhile: roll back, and try again."
                    )
                found.append(updated(row, None, _previous(old, row)))
        return result, found

    def _moves(self) -> bool:
        """Whether existing rows may get other references, or another key."""
        names = {*self._reader.references, *self._reader.key_names}
        mapper = self._reader.mapper
        targets = dict(self._clause.update_values_to_set)
        assigned = {getattr(target, "key", target) for target in targets}
        return any(
            name in assigned
            or any(column.key in assigned for column in mapper.attrs[name].columns)
            for name in names
            if name in mapper.attrs
        )

    def _rows_before(self) -> list[NamedRow]:
        """The rows that are there already, by what the conflict is about."""
        lock_sqlite(self._connection)
        targets = self._targets()
        wanted = [
            tuple(_value(row, column) for column in targets) for row in self._values()
        ]
        reader = self._reader
        statement = select(*reader.columns).with_for_update()
        statement = statement.where(tuple_(*targets).in_(wanted))
        return reader.rows(self._connection.execute(statement).all())

    def _targets(self) -> list[Any]:
        table = self._statement.table
        elements = self._clause.inferred_target_elements
        if elements:
            names = [getattr(element, "key", element) for element in elements]
            if all(name in table.c for name in names):
                return [table.c[name] for name in names]
        name = self._clause.constraint_target
        for constraint in table.constraints:
            if name is not None and constraint.name == name:
                return list(constraint.columns)
        raise UncapturedStatement(_UNKNOWN_ROWS)

    def _values(self) -> Iterable[Mapping[Any, Any]]:
        statement, parameters = self._statement, self._state.parameters
        if isinstance(parameters, Mapping):
            return [{**(statement._values or {}), **parameters}]
        if parameters:
            return list(parameters)
        if statement._multi_values:
            return [row for rows in statement._multi_values for row in rows]
        if statement._values:
            return [statement._values]
        raise UncapturedStatement(_UNKNOWN_ROWS)


_UNKNOWN_ROWS = (
    "This INSERT ... ON CONFLICT DO UPDATE may give rows other references, and which "
    "rows these are cannot be known before it: the documents that show them now would "
    "stay as they are. Give its values as values, and the columns of the conflict by "
    "index_elements."
)


def _value(row: Mapping[Any, Any], column: Any) -> Any:
    for name, value in row.items():
        if name == column.key or getattr(name, "key", None) == column.key:
            return getattr(value, "value", value)
    raise UncapturedStatement(_UNKNOWN_ROWS)


def _previous(old: NamedRow | None, row: NamedRow) -> dict[str, Any]:
    if old is None:
        return {}
    return {
        name: value
        for name, value in old.references.items()
        if row.references.get(name) != value
    }
