"""From MongoEngine's fields to kinds: a table that an application can extend.

A field is looked up along the inheritance of its class, so that an application's own
``class Slug(StringField)`` is found as its base. Embedded documents, and references
that documents embed, are relations, and no matter of this module.

What is not here (files, generic references, copies that MongoEngine keeps itself) has
no meaning in an index, and is an error at start-up that says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import mongoengine as me
from mongoengine.base import ComplexBaseField, GeoJsonBaseField
from mongoengine.errors import NotRegistered

from nefertari_engine_base.encoding import Kind


@dataclass(frozen=True, kw_only=True)
class TypeDescription:
    """What a field of MongoEngine holds; the attributes are those of
    :class:`~nefertari_engine_base.schema.FieldSchema`."""

    kind: Kind
    many: bool = False
    reference: bool = False
    length: int | None = None
    scale: int | None = None
    enum: type[Enum] | None = None
    enum_values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unmappable:
    """That a field has no meaning in an index, and why."""

    reason: str


#: Describes a field of a class.
Describe = Callable[[Any], TypeDescription | Unmappable]

_TYPES: dict[type[Any], Describe] = {}

#: Fields that hold the key of another document.
REFERENCES = (me.ReferenceField, me.LazyReferenceField)


def register_field(
    field_class: type[Any], describe: Describe | Kind | Unmappable
) -> None:
    """Say what fields of a class hold, those of its subclasses included.

    :param field_class: a class of MongoEngine's fields, the application's own included.
    :param describe: a kind, why there is none, or a function from a field to its
        description.
    """
    if isinstance(describe, Kind):
        description = TypeDescription(kind=describe)
        _TYPES[field_class] = lambda field: description
    elif isinstance(describe, Unmappable):
        _TYPES[field_class] = lambda field: describe
    else:
        _TYPES[field_class] = describe


def describe_field(field: Any) -> TypeDescription | Unmappable:
    """What a field holds."""
    for ancestor in type(field).__mro__:
        describe = _TYPES.get(ancestor)
        if describe is not None:
            return describe(field)
    return Unmappable("")


def target_of(field: Any) -> type | None:
    """The class that a reference leads to; ``None`` if it is not declared anywhere."""
    try:
        target: type = field.document_type
    except NotRegistered:
        return None
    return target


def key_field_of(model: Any) -> Any:
    """The field of a document class that is its primary key; ``None`` if it is
    abstract, and so has none."""
    if not hasattr(model, "_fields"):  # MongoEngine's own base classes
        return None
    return model._fields.get(model._meta.get("id_field") or "")


def _string(field: Any) -> TypeDescription:
    return TypeDescription(kind=Kind.STRING, length=field.max_length)


def _binary(field: Any) -> TypeDescription:
    return TypeDescription(kind=Kind.BINARY, length=field.max_bytes)


def _decimal(field: Any) -> TypeDescription:
    return TypeDescription(kind=Kind.DECIMAL, scale=field.precision)


def _enumeration(field: Any) -> TypeDescription | Unmappable:
    enum = field._enum_cls
    values = tuple(str(member.value) for member in enum)
    if len({*values}) < len(values):
        return Unmappable(f"Two values of {enum.__name__} are the same text.")
    return TypeDescription(kind=Kind.ENUM, enum=enum, enum_values=values)


def _reference(field: Any) -> TypeDescription | Unmappable:
    target: Any = target_of(field)
    if target is None:
        return Unmappable("The class that it refers to is not declared.")
    key = key_field_of(target)
    if key is None:
        return Unmappable(f"It refers to {target.__name__}, which is abstract.")
    described = describe_field(key)
    if isinstance(described, Unmappable):
        return described
    return replace(described, reference=True)


def _sequence(field: Any) -> TypeDescription | Unmappable:
    kinds = {int: Kind.BIG_INTEGER, str: Kind.STRING}
    kind = kinds.get(field.value_decorator)
    if kind is None:
        return Unmappable(
            "Its value_decorator may make anything of a number; only int and str are "
            "known."
        )
    return TypeDescription(kind=kind)


def _list(field: Any) -> TypeDescription | Unmappable:
    if field.field is None:
        return TypeDescription(kind=Kind.JSON)
    item = describe_field(field.field)
    if isinstance(item, Unmappable) or item.kind is Kind.JSON:
        # JSON takes a list as it is.
        return item
    return replace(item, many=True)


def _map(field: Any) -> TypeDescription | Unmappable:
    if field.field is not None:
        item = describe_field(field.field)
        if isinstance(item, Unmappable):
            return item
    return TypeDescription(kind=Kind.JSON)


_FILE = Unmappable("GridFS keeps its contents in other collections.")
_ANY_MODEL = Unmappable(
    "It may refer to a document of any class, so that neither a type nor a way back to "
    "this document is known. Refer to one class, with ReferenceField."
)
_COPY = Unmappable(
    "MongoEngine keeps a copy in it, and refreshes that by statements of its own. Use "
    "ReferenceField, and embed what you need with nested."
)
_ANY_CLASS = Unmappable(
    "It may hold an embedded document of any class. Use EmbeddedDocumentField."
)

_TABLE: dict[type[Any], Describe | Kind | Unmappable] = {
    me.StringField: _string,
    me.IntField: Kind.BIG_INTEGER,  # BSON's integers have 64 bits if they need them
    me.FloatField: Kind.FLOAT,
    me.DecimalField: _decimal,
    me.Decimal128Field: Kind.DECIMAL,
    me.BooleanField: Kind.BOOLEAN,
    me.DateTimeField: Kind.DATETIME,
    me.ComplexDateTimeField: Kind.DATETIME,
    me.DateField: Kind.DATE,
    me.BinaryField: _binary,
    me.UUIDField: Kind.UUID,
    me.ObjectIdField: Kind.TOKEN,
    me.EnumField: _enumeration,
    me.SequenceField: _sequence,
    me.DynamicField: Kind.JSON,
    # The forms that an index takes for points and shapes, where @secondary(fields=)
    # declares them.
    me.GeoPointField: Kind.JSON,
    GeoJsonBaseField: Kind.JSON,
    me.EmbeddedDocumentField: Kind.JSON,  # inside a map, or a list of lists
    me.DictField: _map,
    me.ListField: _list,
    ComplexBaseField: Kind.JSON,
    me.ReferenceField: _reference,
    me.LazyReferenceField: _reference,
    me.CachedReferenceField: _COPY,
    me.GenericReferenceField: _ANY_MODEL,
    me.GenericEmbeddedDocumentField: _ANY_CLASS,
    me.FileField: _FILE,
}
for _class, _describe in _TABLE.items():
    register_field(_class, _describe)
