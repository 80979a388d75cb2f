"""From filters to queries of MongoDB, with the meaning that they have in the index."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import mongoengine as me

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import QueryError
from nefertari_engine_base.primary.mongo.access import answers
from nefertari_engine_base.primary.mongo.defaults import (
    as_stored,
    comparable,
    findable_default,
)
from nefertari_engine_base.primary.mongo.keys import (
    of_class,
    reference_name,
    stored_name,
)
from nefertari_engine_base.primary.mongo.links import keys_in
from nefertari_engine_base.primary.mongo.types import (
    REFERENCES,
    key_field_of,
    target_of,
)
from nefertari_engine_base.schema import FieldSchema, ModelSchema, RelationSchema
from nefertari_engine_base.values import Filter, Operator
from nefertari_engine_base.values.access import Access, Entry

#: A query of MongoDB.
Conditions = dict[str, Any]

_RANGES = {
    Operator.GT: "$gt",
    Operator.GTE: "$gte",
    Operator.LT: "$lt",
    Operator.LTE: "$lte",
}

_COMPARISONS = {
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
}

#: Kinds whose empty lists are no value in the index.
_LISTS = frozenset({Kind.JSON, Kind.ACL})

#: Matches nothing: what a value stands for that can be stored nowhere.
_NOTHING: Conditions = {"_id": {"$in": []}}


def conditions(schema: ModelSchema, filters: Sequence[Filter]) -> Conditions:
    """The query for documents that meet all of these filters.

    Filters on one relation make one condition, so that one embedded document has to
    meet all of them, as in a nested query of the index. ``ALL`` asks for an embedded
    document for each value, and the absence of a value is asked of all of them.
    Referenced documents are looked for first, by a query of their own.

    :raises QueryError: if MongoDB cannot compare such a field.
    """
    model: Any = schema.model
    parts: list[Conditions] = []
    below: dict[str, list[Filter]] = {}
    for condition in filters:
        step, _, rest = condition.field.partition(".")
        if not rest:
            parts.append(_compare(schema.fields[step], model._fields[step], condition))
        elif condition.operator is Operator.EXISTS and not condition.value:
            present = replace(condition, field=rest, value=True)
            parts.append({"$nor": [_reach(schema, step, [present])]})
        elif condition.operator is Operator.ALL:
            for value in condition.value:
                each = Filter(rest, Operator.EQ, value)
                parts.append(_reach(schema, step, [each]))
        else:
            below.setdefault(step, []).append(replace(condition, field=rest))
    for step, inner in below.items():
        parts.append(_reach(schema, step, inner))
    return {"$and": parts} if parts else {}


def _reach(schema: ModelSchema, step: str, filters: Sequence[Filter]) -> Conditions:
    """That there is an embedded document that meets these filters."""
    relation = schema.relations[step]
    inner = conditions(relation.document, filters)
    if relation.inline and any(isinstance(one.value, Access) for one in filters):
        raise QueryError(
            f"{step} is embedded in the document, where MongoDB does not ask access "
            f"control lists; ask the secondary engine."
        )
    if relation.target_fields:
        return {"_id": {"$in": _held_by(relation, inner)}}
    if not relation.inline:
        field = reference_name(schema.model, step)
        return {field: {"$in": _keys_of(relation, inner)}}
    name = stored_name(schema.model, step)
    if relation.many:
        return {name: {"$elemMatch": inner}}
    if _asks_defaults(relation.document, filters):
        # Without an embedded document there are no values of its fields.
        return {"$and": [{name: {"$ne": None}}, _below(name, inner)]}
    return _below(name, inner)


def _asks_defaults(schema: ModelSchema, filters: Sequence[Filter]) -> bool:
    model: Any = schema.model
    fields = (one.field for one in filters if one.field in schema.fields)
    return any(findable_default(model._fields[name]) is not None for name in fields)


def _below(name: str, query: Conditions) -> Conditions:
    """A query of embedded documents as one of their owner."""
    return {
        (key if key.startswith("$") else f"{name}.{key}"): (
            [_below(name, part) for part in value] if key.startswith("$") else value
        )
        for key, value in query.items()
    }


def _keys_of(relation: RelationSchema, query: Conditions) -> list[Any]:
    return _values(relation, query, "_id")


def _held_by(relation: RelationSchema, query: Conditions) -> list[Any]:
    """The keys that related documents hold of their owners."""
    (field,) = relation.target_fields
    name = stored_name(relation.document.model, field)
    return keys_in(_values(relation, query, name))


def _values(relation: RelationSchema, query: Conditions, name: str) -> list[Any]:
    model: Any = relation.document.model
    parts = [part for part in (of_class(model), query) if part]
    chosen = {"$and": parts} if parts else {}
    found = model._get_collection().find(chosen, {name: True})
    return [raw.get(name) for raw in found]


# --- one field -------------------------------------------------------------------


def _compare(schema: FieldSchema, field: Any, condition: Filter) -> Conditions:
    """The query for one condition on one field; see :mod:`.defaults`."""
    if isinstance(condition.value, Access | Entry):
        return answers(field.db_field, condition.value)
    query = _compare_stored(schema, field, condition)
    default = None if schema.kind is Kind.ACL else findable_default(field)
    if default is None:
        return query
    absent: Conditions = {field.db_field: None}
    if schema.many:
        # Which is found in a list, too.
        absent[f"{field.db_field}.0"] = {"$exists": False}
    if _meets(_item_of(schema, field), default, condition):
        return {"$or": [query, absent]}
    # What asks for nothing finds what is not stored.
    return {"$and": [query, {"$nor": [absent]}]} if _asks_nothing(condition) else query


def _asks_nothing(condition: Filter) -> bool:
    """Whether a condition may be met by the absence of a value."""
    if condition.operator is Operator.EXISTS:
        return not condition.value
    if condition.operator in _RANGES:
        return False
    values = condition.value
    return None in (values if condition.operator is not Operator.EQ else [values])


def _meets(item: Any, default: Any, condition: Filter) -> bool:
    """Whether a default meets a condition.

    :param default: as it is stored; of a list, a list.
    """
    held = [
        comparable(one) for one in (default if isinstance(default, list) else [default])
    ]
    asked, value = condition.operator, condition.value
    if asked is Operator.EXISTS:
        return bool(value) == bool(held)
    if asked in _RANGES:
        return any(_is_ordered(asked, one, _spoken(item, value)) for one in held)
    values = [value] if asked is Operator.EQ else value
    found = [not held if one is None else _spoken(item, one) in held for one in values]
    return all(found) if asked is Operator.ALL else any(found)


def _is_ordered(asked: Operator, one: Any, other: Any) -> bool:
    """Whether one value is greater or less than another one, of its type."""
    compare = _COMPARISONS[asked]
    try:
        return one[0] == other[0] and bool(compare(one[1], other[1]))
    except TypeError:
        return False


def _spoken(item: Any, value: Any) -> Any:
    """A value of a condition as it is compared with a default."""
    try:
        return comparable(as_stored(_stored(item, value)))
    except me.ValidationError:
        return None


def _compare_stored(schema: FieldSchema, field: Any, condition: Filter) -> Conditions:
    name = field.db_field
    if condition.operator is Operator.EXISTS:
        return _presence(schema, name, condition.value)
    item = _item_of(schema, field)
    if isinstance(item, REFERENCES) and item.dbref:
        name += ".$id"
    if condition.operator is Operator.EQ:
        return _equal(schema, item, name, condition.value)
    if condition.operator in _RANGES:
        _check_order(schema, item)
        value = _stored(item, condition.value)
        return {name: {_RANGES[condition.operator]: value}}
    each = [_equal(schema, item, name, value) for value in condition.value]
    if condition.operator is Operator.IN:
        return {"$or": each} if each else dict(_NOTHING)
    return {"$and": each} if each else {}


def _equal(schema: FieldSchema, item: Any, name: str, value: Any) -> Conditions:
    if value is None:
        return _presence(schema, name, False)
    try:
        return {name: {"$eq": _stored(item, value)}}
    except me.ValidationError:
        return dict(_NOTHING)


def _presence(schema: FieldSchema, name: str, wanted: bool) -> Conditions:
    """Whether there is a value to be found in the index: an empty list has none."""
    if schema.many:
        present: Conditions = {name: {"$elemMatch": {"$ne": None}}}
    else:
        absent: list[Any] = [None, []] if schema.kind in _LISTS else [None]
        present = {name: {"$nin": absent}}
    return present if wanted else {"$nor": [present]}


def _item_of(schema: FieldSchema, field: Any) -> Any:
    """The field whose values are compared: of a list, that of its items."""
    if not schema.many:
        return field
    item = field.field
    if isinstance(item, me.ListField):
        raise QueryError(
            f"{schema.name} is a list of lists, which MongoDB does not look into; ask "
            f"the secondary engine."
        )
    return item


def check_order(schema: FieldSchema, field: Any) -> None:
    """Refuse fields that MongoDB orders otherwise than the index.

    :raises QueryError:
    """
    _check_order(schema, _item_of(schema, field))


def _check_order(schema: FieldSchema, item: Any) -> None:
    spelled = isinstance(item, me.DecimalField) and item.force_string
    numbered = schema.enum is not None and not all(
        isinstance(member.value, str) for member in schema.enum
    )
    if spelled or numbered or schema.kind is Kind.UUID:
        raise QueryError(
            f"MongoDB does not order {schema.name} by the values that it stands for; "
            f"ask the secondary engine."
        )


def _stored(item: Any, value: Any) -> Any:
    """The form in which MongoDB holds a value.

    :raises ValidationError: of MongoEngine, if it can hold no such value.
    """
    while isinstance(item, REFERENCES):
        item = key_field_of(target_of(item))
    return item.to_mongo(value)
