"""Reads of models by nefertari's parameters, answered by SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sqlalchemy as sa
from pyramid.settings import asbool
from sqlalchemy.exc import DataError, StatementError
from sqlalchemy.orm import Mapper, Query, Session, class_mapper

from nefertari_engine_base.compat.errors import bad_request
from nefertari_engine_base.compat.paging import split_names
from nefertari_engine_base.compat.reading import Reading, Rows, chosen_fields, refusal
from nefertari_engine_base.primary.sqla.contract import containers
from nefertari_engine_base.primary.sqla.contract.sessions import current_session


class Reads(Reading):
    """A mixin: the class methods of models that read."""

    __not_inherited_by_secondary__ = True

    @classmethod
    def apply_sort(cls, query_set: Query[Any], _sort: Sequence[str]) -> Query[Any]:
        """A query, ordered by fields.

        :raises JHTTPBadRequest: for a name that is no column.
        """
        columns = class_mapper(cls).column_attrs
        for item in _sort:
            name = item.lstrip("+-")
            if name not in columns:
                raise bad_request(f"'{cls.__name__}' cannot be sorted by: {name}")
            column = getattr(cls, name)
            query_set = query_set.order_by(
                column.desc() if item.startswith("-") else column
            )
        return query_set

    @classmethod
    def _all(cls) -> Query[Any]:
        return current_session().query(cls)

    @classmethod
    def _of_keys(cls, keys: Sequence[Any]) -> Query[Any]:
        return cls._all().filter(_key(cls).in_(keys))

    @classmethod
    def _where(cls, query: Query[Any], name: str, value: Any) -> Query[Any]:
        return query.filter(_condition(cls, query.session, name, value))

    @classmethod
    def _page(cls, query: Query[Any], start: int, limit: int) -> Query[Any]:
        return query.offset(start).limit(limit)

    @classmethod
    def _first(cls, query: Query[Any]) -> Any:
        return query.limit(1).first()

    @classmethod
    def _explained(cls, query: Query[Any]) -> str:
        return str(query).replace("\n", "")

    @classmethod
    def _rows(cls, query: Query[Any], fields: Sequence[str]) -> Rows:
        chosen = chosen_fields(fields, class_mapper(cls).column_attrs.keys())
        key = class_mapper(cls).get_property_by_column(_key(cls)).key
        found = query.with_entities(
            getattr(cls, key), *(getattr(cls, name) for name in chosen)
        )
        return Rows(
            {
                **dict(zip(chosen, values, strict=True)),
                "_type": cls.__name__,
                "_pk": str(pk),
            }
            for pk, *values in found
        )

    @classmethod
    def _refused_values(cls, params: Mapping[str, Any]) -> AbstractContextManager[None]:
        return refused_values(cls, params)


def _key(model: type) -> Any:
    return class_mapper(model).primary_key[0]


def _condition(model: type, session: Session, name: str, value: Any) -> Any:
    path, _, suffix = name.partition("__")
    if suffix == "bool":
        value = asbool(value)
    elif suffix in ("in", "all"):
        value = split_names(value)
    mapper: Mapper[Any] = class_mapper(model)
    if path in mapper.relationships:
        return _related(getattr(model, path), mapper.relationships[path], value)
    column = getattr(model, path, None) if path != "id" else None
    if column is None:
        column = getattr(model, "id", None)
        column = _key(model) if column is None else column
    if isinstance(column.type, containers.List):
        wanted = value if isinstance(value, list | tuple) else [value]
        return _contains(session, column, wanted)
    if isinstance(value, list | tuple):
        return column.in_(value)
    return column.is_(None) if value is None else column == value


def _related(attribute: Any, relation: Any, value: Any) -> Any:
    if value is None or isinstance(value, relation.mapper.class_):
        return attribute.contains(value) if relation.uselist else attribute == value
    matches = relation.mapper.primary_key[0] == value
    return attribute.any(matches) if relation.uselist else attribute.has(matches)


def _contains(session: Session, column: Any, wanted: Sequence[Any]) -> Any:
    if session.get_bind().dialect.name == "postgresql":
        item = column.type.load_dialect_impl(session.get_bind().dialect)
        return sa.type_coerce(column, item).contains(list(wanted))
    items = sa.func.json_each(column).table_valued("value")
    return sa.and_(
        *(sa.exists().select_from(items).where(items.c.value == one) for one in wanted)
    )


@contextmanager
def refused_values(model: type, params: Mapping[str, Any]) -> Iterator[None]:
    """A value that a field or the database refuses is the question's fault.

    :raises JHTTPNotFound: for a question about one item, which so cannot exist.
    :raises JHTTPBadRequest: for any other.
    """
    try:
        yield
    except StatementError as error:
        cause = error.orig
        if not isinstance(error, DataError) and not isinstance(cause, ValueError):
            raise
        raise refusal(model, params, cause) from error
