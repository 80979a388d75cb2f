"""Primary keys in statements: rows of given keys, and keys page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, bindparam, select, tuple_
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

from nefertari_engine_base.schema import ModelSchema, RelationSchema

#: Parameter of :func:`key_in`: a list of values, of tuples for a composite key.
KEYS = "document_keys"

#: Bound values of a statement. SQLite allows 999 before its version 3.32:
#: https://www.sqlite.org/limits.html#max_variable_number
MOST_VALUES = 900


def columns_of(entity: Any, names: Sequence[str]) -> list[Any]:
    """Attributes of a mapped class or an alias of it."""
    return [getattr(entity, name) for name in names]


def key_in(columns: Sequence[Any]) -> ColumnElement[bool]:
    """Whether the columns hold one of the keys of the parameter :data:`KEYS`.

    The list is expanded when the statement is executed, so that statements of any
    length share one compilation.
    """
    keys: Any = bindparam(KEYS, expanding=True)
    condition: ColumnElement[bool]
    condition = (columns[0] if len(columns) == 1 else tuple_(*columns)).in_(keys)
    return condition


def key_values(keys: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Keys as :func:`key_in` wants them."""
    return [key[0] if len(key) == 1 else key for key in keys]


def key_getter(positions: Sequence[int]) -> Callable[[Any], Any]:
    """From a row to the key at these positions, as :func:`key_in` wants it."""
    return itemgetter(*positions)


def chunks(keys: Sequence[Any], width: int) -> Iterator[Sequence[Any]]:
    """Keys in lists that a statement can hold.

    :param width: columns of a key.
    """
    size = max(1, MOST_VALUES // width)
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


class KeyPages:
    """Ids of a model's documents, page by page in the order of the primary key.

    The order is that of the database's own index, and is used for nothing else than
    to go on behind the last id of a page.
    """

    def __init__(self, schema: ModelSchema) -> None:
        self._schema = schema
        self._statements: dict[tuple[str, bool], Select[Any]] = {}

    def all(self, connection: Connection, after: str | None, limit: int) -> list[str]:
        """See :meth:`~...loading.Loader.list_ids`."""
        return self._page(connection, "", (), after, limit)

    def owners(
        self, connection: Connection, path: str, key: str, after: str | None, limit: int
    ) -> list[str]:
        """See :meth:`~...loading.Loader.find_owners`."""
        schema = _relations(self._schema, path)[-1].document
        return self._page(connection, path, schema.parse_id(key), after, limit)

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
            relations = _relations(self._schema, path)
            statement = _reaching(statement, model, relations)
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
) -> Select[Any]:
    """Owners that reach the row ``page_key`` at the end of the relations."""
    *steps, last = relations
    for relation in steps:
        statement, entity = _joined(statement, entity, relation)
    if last.owner_fields:
        # The reference is the key; there is no need to look at the row.
        columns = columns_of(entity, last.owner_fields)
    else:
        statement, entity = _joined(statement, entity, last)
        columns = columns_of(entity, last.document.primary_key)
    bound = _bound("page_key", columns)
    return statement.where(
        *(column == value for column, value in zip(columns, bound, strict=True))
    )


def _joined(
    statement: Select[Any], entity: Any, relation: RelationSchema
) -> tuple[Select[Any], Any]:
    target: Any = aliased(relation.document.model)
    return statement.join(getattr(entity, relation.name).of_type(target)), target


def _relations(schema: ModelSchema, path: str) -> tuple[RelationSchema, ...]:
    relations = []
    for name in path.split("."):
        relation = schema.relations[name]
        relations.append(relation)
        schema = relation.document
    return tuple(relations)


def _bound(prefix: str, columns: Sequence[Any]) -> list[Any]:
    return [
        bindparam(f"{prefix}_{number}", type_=column.type)
        for number, column in enumerate(columns)
    ]


def _numbered(prefix: str, values: Sequence[Any]) -> dict[str, Any]:
    return {f"{prefix}_{number}": value for number, value in enumerate(values)}
