"""Queries that the primary answers: instances that match, a page of them or by id.

An answer has the same order and the same meaning as the secondary's: text is compared
by its bytes, rows without a value come last, equal ones follow their primary key, and
several filters on one embedded to-many relation must be met by one and the same row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DataError, DBAPIError, StatementError
from sqlalchemy.orm import (
    Session,
    aliased,
    class_mapper,
    joinedload,
    load_only,
    selectinload,
)
from sqlalchemy.orm.interfaces import ORMOption

from nefertari_engine_base.exceptions import QueryError
from nefertari_engine_base.primary.sqla.filtering import conditions
from nefertari_engine_base.primary.sqla.keys import (
    KeyedSelect,
    columns_of,
    has_document,
    parse_ids,
)
from nefertari_engine_base.primary.sqla.ordering import byte_order
from nefertari_engine_base.query.answerable import check_answerable
from nefertari_engine_base.schema import ModelSchema, RelationSchema
from nefertari_engine_base.values import Page, Query, Sort

_NOT_EAGER = frozenset({"dynamic", "write_only"})


def search(session: Session, schema: ModelSchema, query: Query) -> Page[Any]:
    """Instances that match, with what their documents embed loaded eagerly.

    :raises QueryError: for full-text search and aggregations, which only a secondary
        answers, and for values that the database does not take.
    """
    statement = build_select(schema, query, _dialect(session, schema))
    with _refused_values():
        items = session.scalars(statement).unique().all()
    total = query.start + len(items)
    is_last_page = query.limit is None or len(items) < query.limit
    if not is_last_page or (query.start and not items):
        total = count(session, schema, query)
    return Page(items, total, query.start, query.limit, fields=query.fields)


def count(session: Session, schema: ModelSchema, query: Query) -> int:
    """How many rows match, before ``limit`` and ``start``. :raises QueryError:"""
    check_answerable(schema, query)
    statement = select(func.count()).select_from(schema.model)
    if query.documents_only:
        statement = statement.where(*has_document(schema))
    dialect = _dialect(session, schema)
    with _refused_values():
        return session.scalars(
            statement.where(*conditions(schema, schema.model, query.filters, dialect))
        ).one()


def get_by_ids(
    session: Session,
    schema: ModelSchema,
    ids: Sequence[str],
    documents_only: bool = False,
) -> dict[str, Any]:
    """The instances that exist of these ids, in no particular order, by one query
    and one for each embedded to-many relation.

    :param documents_only: leave out those that have no document.

    :raises InvalidDocumentId: for an id that cannot be one of the model.
    """
    keys = dict(zip(parse_ids(schema, ids), ids, strict=True))
    key_of = attrgetter(*schema.primary_key)
    composite = len(schema.primary_key) > 1
    instances: dict[str, Any] = {}
    with _refused_values():
        dialect = _dialect(session, schema).name
        for statement, values in _by_keys(schema).prepare(dialect, list(keys)):
            if documents_only:
                statement = statement.where(*has_document(schema))
            for instance in session.scalars(statement, values).unique():
                key = key_of(instance)
                id_ = keys.get(key)
                if id_ is None:  # another spelling of the key
                    id_ = schema.document_id(key if composite else (key,))
                instances[id_] = instance
    return instances


def build_select(schema: ModelSchema, query: Query, dialect: Dialect) -> Select[Any]:
    """The statement that :func:`search` executes. :raises QueryError:"""
    check_answerable(schema, query)
    statement: Select[Any] = select(schema.model).where(
        *conditions(schema, schema.model, query.filters, dialect)
    )
    if query.documents_only:
        statement = statement.where(*has_document(schema))
    statement = statement.order_by(
        *(_sort_key(schema, sort) for sort in query.sort),
        *columns_of(schema.model, schema.primary_key),
    )
    if query.start:
        statement = statement.offset(query.start)
    return statement.limit(query.limit).options(*_loading(schema, query))


def _dialect(session: Session, schema: ModelSchema) -> Dialect:
    return session.get_bind(class_mapper(schema.model)).dialect


@contextmanager
def _refused_values() -> Iterator[None]:
    """Values that a driver or a type refuses are the query's fault.

    :raises QueryError:
    """
    try:
        yield
    except (DataError, OverflowError) as error:
        raise QueryError(f"The database refuses a value: {error}") from error
    except StatementError as error:
        if isinstance(error, DBAPIError):
            raise
        raise QueryError(f"A value cannot be sent to the database: {error}") from error


# --- order -----------------------------------------------------------------------


def _sort_key(schema: ModelSchema, sort: Sort) -> Any:
    relations, field = schema.find(sort.field)
    if relations:
        key = _embedded_value(schema, relations, field.name, sort.descending)
    else:
        key = byte_order(getattr(schema.model, field.name))
    return _directed(key, sort.descending)


def _directed(key: Any, descending: bool) -> Any:
    return (key.desc() if descending else key.asc()).nulls_last()


def _embedded_value(
    schema: ModelSchema,
    relations: Sequence[RelationSchema],
    name: str,
    descending: bool,
) -> Any:
    """The value of an embedded row to sort by: of many, the first in that order."""
    owner: Any = aliased(schema.model)
    entity, joins = owner, []
    for relation in relations:
        target: Any = aliased(relation.document.model)
        joins.append(getattr(entity, relation.name).of_type(target))
        entity = target
    value = byte_order(getattr(entity, name))
    statement = select(value).select_from(owner)
    for join in joins:
        statement = statement.join(join)
    same_row = (
        getattr(owner, part) == getattr(schema.model, part)
        for part in schema.primary_key
    )
    return (
        statement.where(*same_row)
        .order_by(_directed(value, descending))
        .limit(1)
        .correlate(*class_mapper(schema.model).tables)
        .scalar_subquery()
    )


# --- what is loaded --------------------------------------------------------------


def _loading(schema: ModelSchema, query: Query) -> list[ORMOption]:
    if query.ids_only:
        return [load_only(*columns_of(schema.model, schema.primary_key))]
    return _eager(schema) if query.fields is None else _chosen(schema, query.fields)


def _eager(*schemas: ModelSchema) -> list[ORMOption]:
    """Options that load what any of these descriptions of one model's rows embeds, and
    what computed fields read."""
    schema = schemas[0]
    below: dict[str, list[RelationSchema]] = {}
    for each in schemas:
        for relation in (*each.relations.values(), *each.followed.values()):
            below.setdefault(relation.name, []).append(relation)
    return [
        _eagerly(schema, relations[0], _eager(*(one.document for one in relations)))
        for relations in below.values()
        if _can_be_eager(schema, relations[0])
    ]


def _chosen(schema: ModelSchema, names: Sequence[str]) -> list[ORMOption]:
    """Options that load these fields and relations, and nothing else; but everything
    that computed fields may read if there is one among them."""
    below: dict[str, list[str]] = {}
    own = list(schema.primary_key)
    for name in names:
        step, _, rest = name.partition(".")
        if step in schema.relations:
            below.setdefault(step, []).append(rest)
        elif step in schema.computed:
            return _eager(schema)
        else:
            own.append(step)
    options: list[ORMOption] = [load_only(*columns_of(schema.model, own))]
    for step, rests in below.items():
        relation = schema.relations[step]
        if _can_be_eager(schema, relation):
            inner = relation.document
            wanted = _eager(inner) if "" in rests else _chosen(inner, rests)
            options.append(_eagerly(schema, relation, wanted))
    return options


def _eagerly(
    schema: ModelSchema, relation: RelationSchema, inner: Sequence[ORMOption]
) -> ORMOption:
    load = selectinload if relation.many else joinedload
    return load(getattr(schema.model, relation.name)).options(*inner)  # type: ignore[arg-type]


def _can_be_eager(schema: ModelSchema, relation: RelationSchema) -> bool:
    relationship = class_mapper(schema.model).relationships[relation.name]
    return relationship.lazy not in _NOT_EAGER


_MEMO = "_sqla_by_keys"


def _by_keys(schema: ModelSchema) -> KeyedSelect:
    # Kept with the schema, as its own cached properties are: a statement that is
    # built once has its key in SQLAlchemy's cache computed once, too.
    memo: dict[str, Any] = vars(schema)
    source: KeyedSelect | None = memo.get(_MEMO)
    if source is None:
        key = columns_of(schema.model, schema.primary_key)
        statement: Select[Any] = select(schema.model).options(*_eager(schema))
        source = memo[_MEMO] = KeyedSelect(statement, key)
    return source


def explain(session: Session, schema: ModelSchema, query: Query) -> Mapping[str, Any]:
    """The SQL that :func:`search` executes, and its parameters."""
    dialect = _dialect(session, schema)
    compiled = build_select(schema, query, dialect).compile(dialect=dialect)
    return {"sql": str(compiled), "parameters": compiled.params}
