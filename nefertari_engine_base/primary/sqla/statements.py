"""Statements that change many rows: ``session.execute(update(Model)...)`` and the like.

Every statement of a session comes by here, those of ``Query.update`` too, and those on
the tables of mapped classes. The rows that an UPDATE or a DELETE will change are locked
and read before it, since it may change what its own WHERE tests; those that an INSERT
has made come by RETURNING.
https://docs.sqlalchemy.org/en/20/orm/session_events.html#execute-events
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import any_, event, literal, select, tuple_
from sqlalchemy.engine import Connection, Result
from sqlalchemy.orm import Mapper, ORMExecuteState, Session
from sqlalchemy.orm.context import FromStatement
from sqlalchemy.sql import ColumnElement

from nefertari_engine_base.exceptions import UncapturedStatement
from nefertari_engine_base.primary.sqla.announcing import Found, announce, forgo
from nefertari_engine_base.primary.sqla.cascades import (
    Cause,
    classes_changed_with,
    foresee,
    reaches_documents,
)
from nefertari_engine_base.primary.sqla.inserts import capture_insert
from nefertari_engine_base.primary.sqla.keys import key_array
from nefertari_engine_base.primary.sqla.link_tables import capture_links, links_of
from nefertari_engine_base.primary.sqla.references import lock_sqlite
from nefertari_engine_base.primary.sqla.rows import (
    NamedRow,
    RowReader,
    changed,
    deleted,
    is_followed,
    mapper_of,
    read_rows,
)
from nefertari_engine_base.primary.sqla.sources import SOURCES

#: Keys that are listed in a statement; more are sent as an array.
_MOST_LISTED = 1000


def _capture(state: ORMExecuteState) -> Result[Any] | None:
    """Listens to ``do_orm_execute``; its result is that of the statement."""
    if not (state.is_insert or state.is_update or state.is_delete):
        return None
    try:
        return _captured(state)
    except UncapturedStatement as error:
        # Nothing was executed yet.
        mapper = _mapper_of(state)
        assert mapper is not None
        connection = state.session.connection(bind_arguments={"mapper": mapper})
        models = classes_changed_with(mapper)
        if not forgo(state.session, connection, models):
            raise _with_way_out(error, models) from None
        return state.invoke_statement()


def _with_way_out(
    error: UncapturedStatement, models: Sequence[type]
) -> UncapturedStatement:
    publishers = {SOURCES[model].publisher for model in models}
    shown = {n for one in publishers for n in one.documents_of(models)}
    names = ", ".join(sorted(shown))
    return UncapturedStatement(
        f"{error} Or execute it in `with sync.suspended({names}):`, and run "
        f"`nefertari-es catch-up` afterwards."
    )


def _captured(state: ORMExecuteState) -> Result[Any] | None:
    reader = _reader_of(state)
    if reader is None:
        links = links_of(getattr(state.statement, "table", None))
        return capture_links(state, links) if links else None
    if state.is_insert:
        return capture_insert(state, reader)
    statement = _Statement(state, reader)
    return statement.delete() if state.is_delete else statement.update()


event.listen(Session, "do_orm_execute", _capture)


def _mapper_of(state: ORMExecuteState) -> Mapper[Any] | None:
    mapper = state.bind_mapper if state.is_orm_statement else None
    return mapper or mapper_of(getattr(state.statement, "table", None), unfollowed=True)


def _reader_of(state: ORMExecuteState) -> RowReader | None:
    statement: Any = state.statement
    mapper = _mapper_of(state)
    if mapper is None or not (is_followed(mapper) or _is_felt(state, mapper)):
        return None
    if isinstance(statement, FromStatement):
        raise UncapturedStatement(
            "A statement inside of select().from_statement() cannot be captured. "
            "Execute it by itself: session.scalars(insert(Model).returning(Model))."
        )
    if state.is_orm_statement:
        return RowReader(mapper, statement.entity_description["entity"])
    return RowReader(mapper, table=statement.table)


def _is_felt(state: ORMExecuteState, mapper: Mapper[Any]) -> bool:
    """Whether rows that documents depend on may follow those of the statement."""
    if state.is_insert:
        return False
    cause = Cause.DELETE if state.is_delete else Cause.NEW_KEY
    return reaches_documents(mapper, cause)


class _Target(NamedTuple):
    """A row that a statement will change.

    :attr new_key: the key that it will have.
    :attr row: ``None`` if no document depends on rows of its class.
    """

    key: tuple[Any, ...]
    new_key: tuple[Any, ...]
    row: NamedRow | None


class _Statement:
    """An UPDATE or a DELETE of rows that documents depend on."""

    def __init__(self, state: ORMExecuteState, reader: RowReader) -> None:
        self._state = state
        self._reader = reader
        self._session = state.session
        self._mapper: Mapper[Any] = reader.mapper
        self._bind = {"mapper": reader.mapper}

    @property
    def _connection(self) -> Connection:
        return self._session.connection(bind_arguments=self._bind)

    def delete(self) -> Result[Any]:
        """Execute a DELETE, and report what goes with its rows."""
        targets = self._lock_targets(())
        rows = [target.row for target in targets if target.row is not None]
        found = deleted(rows, self._connection)
        keys = [target.key for target in targets]
        found += foresee(self._connection, self._mapper, keys, Cause.DELETE)
        result = self._execute(keys)
        announce(self._session, self._connection, found)
        return result

    def update(self) -> Result[Any]:
        """Execute an UPDATE, and report which rows it has changed."""
        fields, assigned = self._assigned()
        reader = self._reader
        if fields is not None and not fields & reader.contents:
            return self._state.invoke_statement()
        is_keyed = fields is None or not fields.isdisjoint(reader.key_names)
        new_key = [
            assigned.get(name, column)
            for name, column in zip(reader.key_names, reader.key, strict=True)
        ]
        targets = self._lock_targets(new_key if is_keyed else ())
        found: list[Found] = []
        moved = [target.key for target in targets if target.new_key != target.key]
        if moved:
            found += foresee(self._connection, self._mapper, moved, Cause.NEW_KEY)
        result = self._execute([target.key for target in targets])
        rows = [(target.row, target.new_key) for target in targets if target.row]
        found += changed(self._connection, reader, rows, fields)
        announce(self._session, self._connection, found)
        return result

    # --- rows

    def _lock_targets(self, new_key: Sequence[Any]) -> list[_Target]:
        """The rows that the statement will change.

        :param new_key: expressions of the key that they will have, if it changes.
        """
        reader, state = self._reader, self._state
        lock_sqlite(self._connection)
        if state.is_executemany:
            return [_Target(row.key, row.key, row) for row in self._read_keyed()]
        statement = select(*reader.columns, *new_key)
        statement = statement.where(*state.statement._where_criteria)  # type: ignore[attr-defined]
        of = reader.entity if reader.table is None else reader.table
        values = self._session.execute(
            statement.with_for_update(of=of),
            state.parameters if isinstance(state.parameters, Mapping) else None,
            bind_arguments=self._bind,
            execution_options={"autoflush": _autoflush(state)},
        ).all()
        width, key = len(reader.columns), len(reader.key)
        return [
            _Target(row[:key], row[width:] or row[:key], reader.row(row[:width]))
            for row in dict.fromkeys(map(tuple, values))
        ]

    def _read_keyed(self) -> list[NamedRow]:
        parameters: Any = self._state.parameters
        names = self._reader.key_names
        keys = [tuple(row[name] for name in names) for row in parameters]
        return read_rows(self._connection, self._reader, keys)

    def _execute(self, keys: Sequence[tuple[Any, ...]]) -> Result[Any]:
        """Execute the statement for these rows and no others.

        At READ COMMITTED it would also change rows that another transaction has
        committed since they were read, and nobody would know of these.
        """
        state = self._state
        if self._connection.dialect.name == "sqlite" or state.is_executemany:
            return state.invoke_statement()
        synchronize = state.execution_options.get("synchronize_session")
        if len(keys) > _MOST_LISTED and synchronize == "evaluate":
            # In Python, no array can be evaluated.
            state.update_execution_options(synchronize_session="fetch")
        statement: Any = state.statement
        return state.invoke_statement(statement.where(self._is_one_of(keys)))

    def _is_one_of(self, keys: Sequence[tuple[Any, ...]]) -> ColumnElement[bool]:
        columns = self._reader.key
        if len(columns) == 1:
            values = [key[0] for key in keys]
            if len(keys) <= _MOST_LISTED:
                return columns[0].in_(values)  # type: ignore[no-any-return]
            return columns[0] == any_(key_array(columns[0].type, values))  # type: ignore[no-any-return]
        return tuple_(*columns).in_(list(keys))

    # --- values

    def _assigned(self) -> tuple[frozenset[str] | None, dict[str, Any]]:
        """The attributes that the statement sets, and expressions of their values.

        The attributes are ``None`` if they cannot be told.
        """
        statement, parameters = self._state.statement, self._state.parameters
        pairs: list[tuple[Any, Any]] = [
            *dict(getattr(statement, "_values", None) or {}).items(),
            *(getattr(statement, "_ordered_values", None) or ()),
        ]
        if isinstance(parameters, Mapping):
            pairs += [
                (name, value)
                for name, value in parameters.items()
                if name in self._mapper.attrs
            ]
        elif parameters:
            pairs += [(name, None) for row in parameters for name in row]
            pairs = [pair for pair in pairs if pair[0] not in self._reader.key_names]
        assigned: dict[str, Any] = {}
        for target, value in pairs:
            name = self._attribute(target)
            if name is None:
                return None, {}
            if not isinstance(value, ColumnElement):
                value = literal(value, self._mapper.attrs[name].columns[0].type)
            assigned[name] = value
        return frozenset(assigned) | self._set_by_update(), assigned

    def _attribute(self, target: Any) -> str | None:
        mapper = self._mapper
        if isinstance(target, str):
            if target in mapper.column_attrs:
                return target
            target = mapper.columns.get(target)
        target = getattr(target, "expression", target)
        for attribute in mapper.column_attrs:
            if any(
                target is column or target.shares_lineage(column)
                for column in attribute.columns
            ):
                return attribute.key
        return None

    def _set_by_update(self) -> frozenset[str]:
        """Attributes that every UPDATE sets, unless it says otherwise."""
        return frozenset(
            attribute.key
            for attribute in self._mapper.column_attrs
            for column in attribute.columns
            if getattr(column, "onupdate", None) is not None
            or getattr(column, "server_onupdate", None) is not None
        )


def _autoflush(state: ORMExecuteState) -> bool:
    return bool(state.execution_options.get("autoflush", True))
