"""A schema as one statement of PostgreSQL, whose rows are texts of documents.

Each level, the model's own and each embedded relation's, is a common table expression
of its rows, found by the keys of all owners at once, so that a relation without an
index costs one scan and not one for each document; and one of their texts, which those
of the level above are made of.

https://www.postgresql.org/docs/current/queries-with.html
https://www.postgresql.org/docs/current/functions-aggregate.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import RelationshipProperty, class_mapper
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from nefertari_engine_base.primary.sqla.json_expressions import template_of
from nefertari_engine_base.primary.sqla.json_slots import slot
from nefertari_engine_base.primary.sqla.json_templates import form, json_object
from nefertari_engine_base.primary.sqla.keys import columns_of, has_document
from nefertari_engine_base.primary.sqla.links import columns_to_owner, joins_from_owner
from nefertari_engine_base.primary.sqla.ordering import byte_order
from nefertari_engine_base.schema import ModelSchema, RelationSchema


class NoFormError(Exception):
    """The schema has something that SQL alone does not write."""


def select_documents(
    schema: ModelSchema, dialect: sa.Dialect
) -> tuple[sa.Select[Any], list[ModelSchema]]:
    """A statement for the text of each document and the parts of its key, and the
    schemas of the levels whose rows have slots for computed values.

    Its parameters ``key_0``, ``key_1``... are arrays, each of one part of all keys.

    :raises NoFormError:
    """
    statement = _Statement(dialect)
    return statement.build(schema), statement.computed


# --- keys --------------------------------------------------------------------------


_TEXTS = (
    sa.String, sa.Text, sa.Unicode, sa.UnicodeText, sa.VARCHAR, sa.TEXT,
)  # fmt: skip


class _key_array(FunctionElement[Any]):  # noqa: N801 - SQL functions are lower case
    """The parameter that holds one part of all keys."""

    inherit_cache = False

    def __init__(self, number: int, item: str, type_: Any) -> None:
        super().__init__()
        self.text = f"%(key_{number})s::{item}[]"
        self.type = sa.ARRAY(type_)


@compiles(_key_array)
def _render_key_array(element: _key_array, compiler: SQLCompiler, **kw: Any) -> str:
    return element.text


def _item_type(column: Any) -> str:
    """The type to send keys as, one that no value is changed by."""
    if isinstance(column.type, sa.Integer):
        return "bigint"
    if type(column.type) in _TEXTS and not column.type.collation:
        return "text"
    if isinstance(column.type, sa.Uuid) and column.type.as_uuid:
        return "uuid"
    raise NoFormError


def _has_key(columns: Sequence[Any]) -> Any:
    arrays = [
        _key_array(number, _item_type(column), column.type)
        for number, column in enumerate(columns)
    ]
    if len(columns) == 1:
        return columns[0] == sa.any_(arrays[0])
    names = [f"part_{number}" for number in range(len(columns))]
    keys = sa.func.unnest(*arrays).table_valued(*names).render_derived()
    return sa.tuple_(*columns).in_(sa.select(*(keys.c[name] for name in names)))


# --- levels ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Texts:
    """Texts of embedded documents, to be joined to the rows of their owners.

    :attr link: columns that are equal to :attr:`owner_fields` of the owner.
    """

    relation: RelationSchema
    owner_fields: Sequence[str]
    table: sa.CTE
    link: Sequence[Any]


class _Statement:
    """A statement in the making."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._numbers = count()
        self.computed: list[ModelSchema] = []

    def build(self, schema: ModelSchema) -> sa.Select[Any]:
        """The statement for documents of the schema."""
        key = columns_of(schema.model, schema.primary_key)
        chosen = sa.select().select_from(schema.model)
        chosen = chosen.where(_has_key(key), *has_document(schema))
        level = _Level(self, schema, chosen)
        return level.select(level.columns(schema.primary_key))

    def name(self, what: str) -> str:
        """A name of a table that nothing else in the statement has."""
        return f"{what}_{next(self._numbers)}"

    def template(self, schema: ModelSchema, name: str) -> str:
        """How a field is written. :raises NoFormError:"""
        column = class_mapper(schema.model).column_attrs[name].columns[0]
        template = template_of(schema.column(name), column, self._dialect)
        if template is None:
            raise NoFormError
        return template


class _Level:
    """The rows of one schema, and the texts of their documents.

    :param chosen: a statement that chooses the rows, without columns.
    :param link: further columns, which say whose rows they are.
    :param order: further columns, which the rows are ordered by.
    """

    def __init__(
        self,
        statement: _Statement,
        schema: ModelSchema,
        chosen: sa.Select[Any],
        link: Sequence[Any] = (),
        order: Sequence[Any] = (),
    ) -> None:
        self._statement = statement
        self.schema = schema
        names = [*schema.stored, *schema.hidden]
        self._number = {name: number for number, name in enumerate(names)}
        columns = columns_of(schema.model, names)
        self.rows = chosen.add_columns(
            *_labelled("c", columns), *_labelled("k", link), *_labelled("o", order)
        ).cte(statement.name("rows"))
        self.link = [self.rows.c[f"k{number}"] for number in range(len(link))]
        self.order = [self.rows.c[f"o{number}"] for number in range(len(order))]

    def columns(self, names: Sequence[str]) -> list[Any]:
        """The columns of these fields."""
        return [self.rows.c[f"c{self._number[name]}"] for name in names]

    def select(self, columns: Sequence[Any]) -> sa.Select[Any]:
        """The text of each row's document, and these columns."""
        schema = self.schema
        members: list[tuple[str, Sequence[Any]]] = []
        for name in schema.stored:
            members.append((_name(name), [self._text(name)]))
        tables: Any = self.rows
        for relation in schema.relations.values():
            texts = self._embed(relation)
            pairs = zip(self.columns(texts.owner_fields), texts.link, strict=True)
            condition = sa.and_(*(one == other for one, other in pairs))
            tables = tables.outerjoin(texts.table, condition)
            text: Any = texts.table.c.document
            if relation.many:
                # To concat, a NULL is an empty string.
                members.append((_name(relation.name), ["[", text, "]"]))
            else:
                text = sa.func.coalesce(text, sa.literal("null", sa.Text()))
                members.append((_name(relation.name), [text]))
        if schema.computed:
            key = [self._text(name) for name in schema.primary_key]
            number = len(self._statement.computed)
            self._statement.computed.append(schema)
            members.append((_name(next(iter(schema.computed))), slot(number, key)))
        document = json_object(members).label("document")
        return sa.select(document, *columns).select_from(tables)

    def _text(self, name: str) -> Any:
        [column] = self.columns([name])
        return form(self._statement.template(self.schema, name), column)

    def _embed(self, relation: RelationSchema) -> _Texts:
        relationship = class_mapper(self.schema.model).relationships[relation.name]
        owner_fields = relation.owner_fields or self.schema.primary_key
        chosen, link = _source(self.schema, relation, relationship)
        owners = sa.select(*self.columns(owner_fields))
        key = sa.tuple_(*link) if len(link) > 1 else link[0]
        order = [_unwrapped(item) for item in relationship.order_by or ()]
        level = _Level(
            self._statement,
            relation.document,
            chosen.where(key.in_(owners)),
            link,
            [column for column, _ in order],
        )
        if relation.owner_fields:
            texts = level.select(level.link)  # of one row each
        else:
            texts = _grouped(level, [wrap for _, wrap in order], relation.many)
        table = texts.cte(self._statement.name("texts"))
        found = [table.c[column.name] for column in level.link]
        return _Texts(relation, owner_fields, table, found)


def _grouped(
    level: _Level, wraps: Sequence[Callable[[Any], Any]], many: bool
) -> sa.Select[Any]:
    """One text for each link: of all rows in their order, or of the first."""
    key = map(byte_order, level.columns(level.schema.primary_key))
    order = (wrap(column) for wrap, column in zip(wraps, level.order, strict=True))
    texts = level.select(level.link).order_by(*level.link, *order, *key)
    # An aggregate takes the rows of a sorted sub-select in its order; ordered by the
    # aggregate itself, each list would be a sort of its own.
    ordered = texts.subquery()
    link = [ordered.c[column.name] for column in level.link]
    text: Any = ordered.c.document
    if many:
        text = sa.func.string_agg(text, sa.literal(",", sa.Text()))
    else:
        text = sa.func.array_agg(text, type_=sa.ARRAY(sa.Text()))[1]
    return sa.select(text.label("document"), *link).group_by(*link)


def _name(name: str) -> str:
    return orjson.dumps(name).decode()


def _labelled(prefix: str, columns: Sequence[Any]) -> Iterator[Any]:
    for number, column in enumerate(columns):
        yield column.label(f"{prefix}{number}")


_MODIFIERS: dict[Any, Callable[[Any], Any]] = {
    operators.asc_op: sa.asc,
    operators.desc_op: sa.desc,
    operators.nulls_first_op: sa.nulls_first,
    operators.nulls_last_op: sa.nulls_last,
}


def _unwrapped(item: Any) -> tuple[Any, Callable[[Any], Any]]:
    """What a relation is ordered by, and a function that says in which direction."""
    modifiers = []
    while isinstance(item, sa.UnaryExpression) and item.modifier in _MODIFIERS:
        modifiers.append(_MODIFIERS[item.modifier])
        item = item.element

    def wrap(column: Any) -> Any:
        for modifier in reversed(modifiers):
            column = modifier(column)
        return column

    return item, wrap


# --- where embedded rows come from ---------------------------------------------------


def _source(
    schema: ModelSchema,
    relation: RelationSchema,
    relationship: RelationshipProperty[Any],
) -> tuple[sa.Select[Any], list[Any]]:
    """A statement without columns that gives a relation's rows, and which columns of
    it say whose they are."""
    model = relation.document.model
    if relation.through:
        secondary, condition = relationship.secondary, relationship.secondaryjoin
        assert secondary is not None
        statement = sa.select().select_from(relationship.mapper.class_)
        return statement.join(secondary, condition), columns_to_owner(relationship)
    if relation.owner_fields or relation.target_fields:
        names = relation.target_fields or relation.document.primary_key
        return sa.select().select_from(model), columns_of(model, names)
    return _joined(schema, relationship)


def _joined(
    schema: ModelSchema, relationship: RelationshipProperty[Any]
) -> tuple[sa.Select[Any], list[Any]]:
    """As in the Core loader: the relation's own join, whatever its conditions are."""
    owner, joins = joins_from_owner(schema.model, relationship)
    statement = sa.select().select_from(owner)
    for join in joins:
        statement = statement.join(*join)
    return statement, columns_of(owner, schema.primary_key)
