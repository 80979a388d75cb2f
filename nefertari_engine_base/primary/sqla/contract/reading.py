"""Reads of models by nefertari's parameters, answered by the database.

Collections that nefertari's views show are read from the secondary; this is what
writes, authentication and an application's own code ask, so it has to be true now.
``_query_secondary=True`` asks the secondary instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from pyramid.settings import asbool
from sqlalchemy.exc import DataError, StatementError
from sqlalchemy.orm import Mapper, Query, Session, class_mapper

from nefertari_engine_base.compat.errors import bad_request, not_found
from nefertari_engine_base.compat.paging import limits, split_names
from nefertari_engine_base.primary.sqla.contract import containers
from nefertari_engine_base.primary.sqla.contract.relations import relations_of
from nefertari_engine_base.primary.sqla.contract.sessions import current_session

_CONTROLS = frozenset(
    {
        *("_start", "_limit", "_page", "_fields", "_count", "_sort", "_explain", "q"),
        *("_search_fields", "_refresh_index", "_strict", "_raise_on_empty"),
        *("_item_request", "_query_secondary", "query_set"),
    }
)


class Rows(list[Any]):
    """Some fields of rows, as dictionaries.

    :attr _nefertari_meta: see :meth:`Reads.get_collection`.
    """

    _nefertari_meta: dict[str, Any]


class Reads:
    """A mixin: the class methods of models that read."""

    __not_inherited_by_secondary__ = True

    @classmethod
    def get_collection(cls, **params: Any) -> Any:
        """Rows that match, as a query that can be refined.

        :param _limit: with ``_start`` or ``_page``, a page; otherwise all.
        :param _sort: names of fields, ``-`` before them for descending.
        :param _fields: names of fields: the answer is a list of dictionaries then.
        :param _count: if it is there, the answer is the number of matches.
        :param _explain: if it is there, the answer is the SQL.
        :param _strict: ``False`` ignores names that are no fields.
        :param _raise_on_empty: whether it is an error that nothing matches.
        :param query_set: a query to begin with.
        :param _query_secondary: ask the secondary.
        :return: a query of SQLAlchemy; its ``_nefertari_meta`` has ``total``, ``start``
            and ``fields``.
        :raises JHTTPBadRequest: for a bad name or value.
        :raises JHTTPNotFound: if nothing matches, and that is an error.
        """
        if params.pop("_query_secondary", False):
            from nefertari_engine_base.compat.facade import ES

            return ES(cls.__name__).get_collection(**params)
        with refused_values(cls, params):
            query = cls._filtered(params)
            total = query.count()
            if "_count" in params:
                return total
            query = cls.apply_sort(query, split_names(params.get("_sort")))
            start = 0
            if params.get("_limit") is not None:
                start, limit = limits(params)
                query = query.offset(start).limit(limit)
            if "_explain" in params:
                return str(query).replace("\n", "")
            if params.get("_raise_on_empty") and not total:
                raise cls._not_found(params)
        fields = split_names(params.get("_fields"))
        answer: Any = _rows(cls, query, fields) if fields else query
        answer._nefertari_meta = {"total": total, "start": start, "fields": fields}
        return answer

    @classmethod
    def get_item(cls, **params: Any) -> Any:
        """The first row that matches.

        :raises JHTTPNotFound: if there is none, or a value is none of its field; with
            ``_raise_on_empty=False`` the answer is ``None`` instead.
        """
        if params.pop("_query_secondary", False):
            from nefertari_engine_base.compat.facade import ES

            return ES(cls.__name__).get_item(**params)
        required = params.pop("_raise_on_empty", True)
        with refused_values(cls, {**params, "_item_request": True}):
            found = cls._filtered(params).limit(1).first()
        if found is None and required:
            raise cls._not_found(params)
        return found

    @classmethod
    def get_by_ids(cls, ids: Iterable[Any], **params: Any) -> Any:
        """The rows of these primary keys that match; parameters as
        :meth:`get_collection`."""
        session = current_session()
        chosen = session.query(cls).filter(_key(cls).in_(list(ids)))
        return cls.get_collection(query_set=chosen, **params)

    @classmethod
    def filter_objects(
        cls, objects: Iterable[Any], first: bool = False, **params: Any
    ) -> Any:
        """Those of some objects, documents of the secondary included, that match now.

        :param first: return the first one. :raises JHTTPNotFound: if there is none.
        """
        name = class_mapper(cls).get_property_by_column(_key(cls)).key
        ids = [getattr(item, name, None) for item in objects]
        query: Any = (
            current_session()
            .query(cls)
            .filter(_key(cls).in_([id_ for id_ in ids if id_ is not None]))
        )
        if params:
            query = cls.get_collection(query_set=query, **params)
        if not first:
            return query
        found = query.first()
        if found is None:
            raise cls._not_found(params)
        return found

    @classmethod
    def count(cls, query_set: Any) -> int:
        """How many rows a query has."""
        return int(query_set.count())

    # --- steps that an application may use by themselves ------------------------

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
    def check_fields_allowed(cls, fields: Iterable[str]) -> None:
        """:raises JHTTPBadRequest: naming those that are no fields of the model."""
        allowed = set(cls.fields_to_query())
        wrong = sorted({f.split("__")[0].strip("+-") for f in fields} - allowed)
        if wrong:
            raise bad_request(
                f"'{cls.__name__}' object does not have fields: {', '.join(wrong)}"
            )

    @classmethod
    def filter_fields(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the parameters that name fields."""
        allowed = set(cls.fields_to_query())
        return {n: v for n, v in params.items() if n.split("__")[0] in allowed}

    @classmethod
    def fields_to_query(cls) -> list[str]:
        """Names that a query may have: fields, and parameters of reads."""
        named = ["id", "_limit", "_page", "_sort", "_fields", "_count", "_start"]
        return [*dict.fromkeys([*named, *cls.native_fields()])]

    @classmethod
    def native_fields(cls) -> list[str]:
        """Names of columns, then of relations."""
        columns = class_mapper(cls).column_attrs
        return [*columns.keys(), *relations_of(cls)]

    @classmethod
    def has_field(cls, field: str) -> bool:
        """Whether the model has a field of this name."""
        return field in cls.native_fields()

    # --- how ----------------------------------------------------------------------

    @classmethod
    def _filtered(cls, params: Mapping[str, Any]) -> Query[Any]:
        session = current_session()
        query = params.get("query_set")
        query = session.query(cls) if query is None else query
        named = {
            name: value
            for name, value in params.items()
            if name not in _CONTROLS and not name.startswith("__") and value != "_all"
        }
        if params.get("_strict", True):
            shown = split_names(params.get("_fields"))
            cls.check_fields_allowed(
                [*named, *shown, *split_names(params.get("_sort"))]
            )
        else:
            named = cls.filter_fields(named)
        for name, value in named.items():
            query = query.filter(_condition(cls, session, name, value))
        return query

    @classmethod
    def _not_found(cls, params: Mapping[str, Any]) -> Exception:
        shown = {n: v for n, v in params.items() if n not in _CONTROLS}
        return not_found(f"'{cls.__name__}({shown})' resource not found")


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


def _rows(model: type, query: Query[Any], fields: Sequence[str]) -> Rows:
    """Rows as dictionaries of the fields that were asked for."""
    left_out = {name[1:] for name in fields if name.startswith("-")}
    named = [name for name in fields if not name.startswith("-")]
    columns = class_mapper(model).column_attrs
    chosen = [
        name
        for name in (named or columns.keys())
        if name not in left_out and name in columns
    ]
    key = class_mapper(model).get_property_by_column(_key(model)).key
    found = query.with_entities(
        getattr(model, key), *(getattr(model, name) for name in chosen)
    )
    return Rows(
        {
            **dict(zip(chosen, values, strict=True)),
            "_type": model.__name__,
            "_pk": str(pk),
        }
        for pk, *values in found
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
        if params.get("_item_request"):
            name = model.__name__
            raise not_found(f"'{name}({dict(params)})' resource not found") from error
        raise bad_request(str(cause)) from error
