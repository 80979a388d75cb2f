"""From filters to SQL conditions, with the meaning that they have in the index."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import aliased
from sqlalchemy.types import TypeDecorator

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import QueryError
from nefertari_engine_base.primary.sqla.access import answers
from nefertari_engine_base.primary.sqla.ordering import byte_order
from nefertari_engine_base.schema import FieldSchema, ModelSchema
from nefertari_engine_base.values import Filter, Operator
from nefertari_engine_base.values.access import Access, Entry

_Condition = ColumnElement[bool]

_RANGES: dict[Operator, Callable[[Any, Any], Any]] = {
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
}
_MIRRORED = {
    Operator.EQ: operator.eq,
    Operator.GT: operator.lt,
    Operator.GTE: operator.le,
    Operator.LT: operator.gt,
    Operator.LTE: operator.ge,
}


def conditions(
    schema: ModelSchema, entity: Any, filters: Sequence[Filter], dialect: Dialect
) -> list[_Condition]:
    """Conditions that a row must all meet.

    Filters on one embedded relation make one condition, so that one embedded row has
    to meet all of them, as in a nested query of the index. ``ALL`` asks for a row for
    each value, and the absence of a value is asked of all embedded rows.

    :param entity: the model's class, or an alias of it.
    :raises QueryError: if the database cannot compare such a column.
    """
    own: list[_Condition] = []
    below: dict[str, list[Filter]] = {}
    for condition in filters:
        step, _, rest = condition.field.partition(".")
        if not rest:
            column = getattr(entity, step)
            own.append(_compare(schema.fields[step], column, condition, dialect))
        elif condition.operator is Operator.EXISTS and not condition.value:
            present = replace(condition, field=rest, value=True)
            own.append(~_reach(schema, entity, step, [present], dialect))
        elif condition.operator is Operator.ALL:
            for value in condition.value:
                each = Filter(rest, Operator.EQ, value)
                own.append(_reach(schema, entity, step, [each], dialect))
        else:
            below.setdefault(step, []).append(replace(condition, field=rest))
    for step, inner in below.items():
        own.append(_reach(schema, entity, step, inner, dialect))
    return own


def _reach(
    schema: ModelSchema,
    entity: Any,
    step: str,
    filters: Sequence[Filter],
    dialect: Dialect,
) -> _Condition:
    """Whether there is an embedded row that meets these filters."""
    relation = schema.relations[step]
    target: Any = aliased(relation.document.model)
    attribute = getattr(entity, step).of_type(target)
    inner = sa.and_(*conditions(relation.document, target, filters, dialect))
    found: _Condition = attribute.any(inner) if relation.many else attribute.has(inner)
    return found


def _compare(
    field: FieldSchema, column: Any, condition: Filter, dialect: Dialect
) -> _Condition:
    if condition.operator is Operator.EXISTS:
        present = _presence(field, column, dialect)
        return present if condition.value else ~present
    if isinstance(condition.value, Access | Entry):
        return answers(column, condition.value, dialect)
    if field.many:
        return _compare_items(field, column, condition, dialect)
    result: _Condition
    if condition.operator is Operator.IN:
        result = column.in_(list(condition.value))
    elif condition.operator is Operator.ALL:
        result = sa.and_(sa.true(), *(column == value for value in condition.value))
    elif condition.operator is Operator.EQ:
        result = column == condition.value
    elif field.kind is Kind.ENUM:
        stored = sa.literal(field.encode(condition.value), sa.Text())
        result = _RANGES[condition.operator](byte_order(column), stored)
    else:
        result = _RANGES[condition.operator](byte_order(column), condition.value)
    return result


def _presence(field: FieldSchema, column: Any, dialect: Dialect) -> _Condition:
    """Whether there is a value to be found in the index: an empty list has none, and
    neither has the null of JSON."""
    if _is_array(column, dialect):
        count: Any = sa.func.cardinality(column)
        return sa.func.coalesce(count, 0) > 0
    present: _Condition = column.is_not(sa.null())
    if field.many or field.kind in (Kind.JSON, Kind.ACL):
        return sa.and_(present, sa.cast(column, sa.Text()).not_in(["null", "[]"]))
    return present


def _is_array(column: Any, dialect: Dialect) -> bool:
    return isinstance(_stored_type(column, dialect), sa.ARRAY)


def _stored_type(column: Any, dialect: Dialect) -> Any:
    """What the database has for a column's type, a decorated one included."""
    stored = column.type.dialect_impl(dialect)
    return stored.impl_instance if isinstance(stored, TypeDecorator) else stored


def _compare_items(
    field: FieldSchema, column: Any, condition: Filter, dialect: Dialect
) -> _Condition:
    """A condition on an array, which one of its items has to meet."""
    stored = _stored_type(column, dialect)
    if _has_json_items(field, column, dialect):
        meets = _of_json(column)
    elif isinstance(stored, sa.ARRAY):
        meets = _of_array(column, stored)
    else:
        raise QueryError(
            f"{field.name} is a list that {dialect.name} stores as one value, and so "
            f"cannot look into; ask the secondary engine."
        )
    if condition.operator is Operator.IN:
        each = (meets(Operator.EQ, value) for value in condition.value)
        return sa.or_(sa.false(), *each)
    if condition.operator is Operator.ALL:
        each = (meets(Operator.EQ, value) for value in condition.value)
        return sa.and_(sa.true(), *each)
    return meets(condition.operator, condition.value)


#: From an operator and a value to the condition that one item meets it.
_Meets = Callable[[Operator, Any], _Condition]


def _of_array(column: Any, stored: sa.ARRAY[Any]) -> _Meets:
    items = sa.type_coerce(column, stored)

    def meets(kind: Operator, value: Any) -> _Condition:
        found: _Condition
        found = _MIRRORED[kind](sa.literal(value, stored.item_type), sa.any_(items))
        return found

    return meets


def _has_json_items(field: FieldSchema, column: Any, dialect: Dialect) -> bool:
    """Whether the items of a list stand in JSON as the database compares them.

    Only a type can know that; it says so by an attribute ``lists_in_json``.
    """
    plain = field.kind in (Kind.STRING, Kind.TEXT, Kind.INTEGER, Kind.BIG_INTEGER)
    says_so = getattr(column.type, "lists_in_json", False)
    return bool(plain and says_so and dialect.name == "sqlite")


def _of_json(column: Any) -> _Meets:
    def meets(kind: Operator, value: Any) -> _Condition:
        items = sa.func.json_each(column).table_valued("value")
        found = _MIRRORED[kind](sa.literal(value), items.c.value)
        return sa.exists().select_from(items).where(found)

    return meets
