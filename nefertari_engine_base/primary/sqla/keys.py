"""Primary keys in statements: rows of given keys, and keys page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from sqlite3 import sqlite_version_info
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    VARCHAR,
    ColumnElement,
    Integer,
    Select,
    String,
    Unicode,
    any_,
    bindparam,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.engine import Connection, Row
from sqlalchemy.orm import aliased
from sqlalchemy.types import TypeEngine

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.schema import ModelSchema, RelationSchema

INTEGERS = frozenset({Kind.INTEGER, Kind.SMALL_INTEGER, Kind.BIG_INTEGER})

#: Keys of a statement. SQLite binds each of them, PostgreSQL is sent arrays.
#: https://www.sqlite.org/limits.html#max_variable_number
MOST_KEYS = 5_000
_MOST_BOUND_VALUES = 32_766 if sqlite_version_info >= (3, 32) else 999

_KEYS = "document_keys"


def columns_of(entity: Any, names: Sequence[str]) -> list[Any]:
    """Attributes of a mapped class or an alias of it."""
    return [getattr(entity, name) for name in names]


def has_document(schema: ModelSchema) -> list[Any]:
    """The condition under which a row has a document, if there is one."""
    return [] if schema.condition is None else [schema.condition]


class KeyedSelect:
    """A statement for the rows of given keys, built once for each kind of database.

    :param statement: without the condition on the keys.
    :param columns: what the keys are compared with.
    """

    def __init__(self, statement: Select[Any], columns: Sequence[Any]) -> None:
        self._columns = columns
        self._statement = statement
        self._statements: dict[str, Select[Any]] = {}

    def prepare(
        self, dialect: str, keys: Sequence[Any]
    ) -> Iterator[tuple[Select[Any], dict[str, Any]]]:
        """Statements and parameters that together ask for all of the keys.

        :param dialect: name of the database's dialect.
        :param keys: tuples, or values if there is one column.
        """
        arrays, width = dialect == "postgresql", len(self._columns)
        statement = self._statements.get(dialect)
        if statement is None:
            condition = (_in_arrays if arrays else _in_list)(self._columns)
            statement = self._statement.where(condition)
            self._statements[dialect] = statement
        size = MOST_KEYS if arrays else min(MOST_KEYS, _MOST_BOUND_VALUES // width)
        for start in range(0, len(keys), size):
            chunk = keys[start : start + size]
            if arrays and width > 1:
                parts = zip(*chunk, strict=True)
                yield statement, _numbered(_KEYS, [list(part) for part in parts])
            else:
                yield statement, {_KEYS: chunk}


def fetch_keyed(
    connection: Connection, statement: Select[Any], columns: Sequence[Any],
    keys: Iterable[Sequence[Any]],
) -> Iterator[Row[Any]]:  # fmt: skip
    """The rows whose columns have one of these keys.

    :param keys: tuples, also if there is one column.
    """
    chosen: list[Any] = list(keys)
    if len(columns) == 1:
        chosen = [key[0] for key in chosen]
    source = KeyedSelect(statement, columns)
    for prepared, values in source.prepare(connection.dialect.name, chosen):
        yield from connection.execute(prepared, values).all()


def _in_list(columns: Sequence[Any]) -> ColumnElement[bool]:
    keys: Any = bindparam(_KEYS, expanding=True)
    condition: ColumnElement[bool]
    condition = (columns[0] if len(columns) == 1 else tuple_(*columns)).in_(keys)
    return condition


def _in_arrays(columns: Sequence[Any]) -> ColumnElement[bool]:
    # A list of values is another statement for each length, to be rendered by
    # SQLAlchemy, translated by the driver and planned by the server again; that
    # takes longer than to fetch the rows.
    if len(columns) == 1:
        keys: Any = bindparam(_KEYS, type_=_array_of(columns[0].type))
        return cast("ColumnElement[bool]", columns[0] == any_(keys))
    names = [f"part_{number}" for number in range(len(columns))]
    arrays = [
        bindparam(f"{_KEYS}_{number}", type_=_array_of(column.type))
        for number, column in enumerate(columns)
    ]
    rows = func.unnest(*arrays).table_valued(*names).render_derived()
    return tuple_(*columns).in_(select(*(rows.c[name] for name in names)))


def key_array(type_: TypeEngine[Any], keys: Sequence[Any]) -> Any:
    """Keys of one column as one value, which PostgreSQL takes any number in."""
    return literal(keys, _array_of(type_))


def _array_of(type_: TypeEngine[Any]) -> ARRAY[Any]:
    if type(type_) in (String, Unicode, VARCHAR):
        # A cast to VARCHAR(80)[] cuts a longer key off, and so finds another row.
        type_ = String()
    return ARRAY(type_)


def key_getter(positions: Sequence[int]) -> Callable[[Any], Any]:
    """From a row to the key at these positions: a tuple, or the value of one."""
    return itemgetter(*positions)


def parse_ids(schema: ModelSchema, ids: Sequence[str]) -> list[Any]:
    """Keys of document ids: tuples, or values if the key has one part.

    :raises InvalidDocumentId:
    """
    if len(schema.primary_key) > 1:
        return [schema.parse_id(id_) for id_ in ids]
    if schema.key_fields[0].kind in INTEGERS:
        try:
            return list(map(int, ids))  # as parse_id does, a thousand at a time
        except ValueError:
            pass
    return [schema.parse_id(id_)[0] for id_ in ids]


class KeyPages:
    """Ids of a model's documents, page by page in the order of the primary key.

    The order is that of the database's own index, and is used for nothing else than
    to go on behind the last id of a page.
    """

    def __init__(self, schema: ModelSchema) -> None:
        self._schema = schema
        self._statements: dict[tuple[str, bool], Select[Any]] = {}
        self._owners: dict[str, KeyedSelect] = {}

    def all(self, connection: Connection, after: str | None, limit: int) -> list[str]:
        """See
        :meth:`~nefertari_engine_base.primary.sqla.loading.Loader.list_ids`."""
        return self._page(connection, "", (), after, limit)

    def owners(
        self, connection: Connection, path: str, key: str, after: str | None, limit: int
    ) -> list[str]:
        """See
        :meth:`~nefertari_engine_base.primary.sqla.loading.Loader.find_owners`."""
        schema = self._schema.follow(path)[-1].document
        return self._page(connection, path, schema.parse_id(key), after, limit)

    def owners_of_all(
        self, connection: Connection, path: str, keys: Sequence[str]
    ) -> list[str]:
        """Ids of the documents that embed any of these rows; in no order."""
        schema = self._schema.follow(path)[-1].document
        source = self._owners.get(path)
        if source is None:
            model = self._schema.model
            statement, columns = _reaching(
                select(*columns_of(model, self._schema.primary_key)),
                model,
                self._schema.follow(path),
            )
            source = self._owners[path] = KeyedSelect(statement.distinct(), columns)
        document_id, parsed = self._schema.document_id, parse_ids(schema, keys)
        found: dict[str, None] = {}
        for statement, values in source.prepare(connection.dialect.name, parsed):
            rows = connection.execute(statement, values)
            found.update(dict.fromkeys(map(document_id, rows)))
        return list(found)

    def _page(
        self,
        connection: Connection,
        path: str,
        key: Sequence[Any],
        after: str | None,
        limit: int,
    ) -> list[str]:
        values = {"page_limit": limit, **_numbered("page_key", key)}
        if after is not None:
            values |= _numbered("page_after", self._schema.parse_id(after))
        statement = self._statements.get((path, after is not None))
        if statement is None:
            statement = self._build(path, after is not None)
            self._statements[path, after is not None] = statement
        document_id = self._schema.document_id
        return [document_id(row) for row in connection.execute(statement, values)]

    def _build(self, path: str, goes_on: bool) -> Select[Any]:
        model = self._schema.model
        key = columns_of(model, self._schema.primary_key)
        statement = select(*key)
        if path:
            relations = self._schema.follow(path)
            statement, columns = _reaching(statement, model, relations)
            bound = _bound("page_key", columns)
            statement = statement.where(
                *(column == value for column, value in zip(columns, bound, strict=True))
            )
            if any(relation.many for relation in relations):
                statement = statement.distinct()
        if goes_on:
            after = _bound("page_after", key)
            statement = statement.where(
                tuple_(*key) > tuple_(*after) if len(key) > 1 else key[0] > after[0]
            )
        limit = bindparam("page_limit", type_=Integer())
        return statement.order_by(*key).limit(limit)


def _reaching(
    statement: Select[Any], entity: Any, relations: Sequence[RelationSchema]
) -> tuple[Select[Any], list[Any]]:
    """Owners, joined with what leads to a row at the end of the relations, and the
    columns that hold the key of that row."""
    *steps, last = relations
    for relation in steps:
        statement, entity = _joined(statement, entity, relation)
    if last.owner_fields:
        # The reference is the key; there is no need to look at the row.
        columns = columns_of(entity, last.owner_fields)
    else:
        statement, entity = _joined(statement, entity, last)
        columns = columns_of(entity, last.document.primary_key)
    return statement, columns


def _joined(
    statement: Select[Any], entity: Any, relation: RelationSchema
) -> tuple[Select[Any], Any]:
    target: Any = aliased(relation.document.model)
    return statement.join(getattr(entity, relation.name).of_type(target)), target


def _bound(prefix: str, columns: Sequence[Any]) -> list[Any]:
    return [
        bindparam(f"{prefix}_{number}", type_=column.type)
        for number, column in enumerate(columns)
    ]


def _numbered(prefix: str, values: Sequence[Any]) -> dict[str, Any]:
    return {f"{prefix}_{number}": value for number, value in enumerate(values)}
