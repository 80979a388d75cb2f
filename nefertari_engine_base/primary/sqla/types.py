"""From SQLAlchemy's types to kinds: a table that an application can extend.

A type is looked up along the inheritance of its class, so that ``VARCHAR`` is found
as ``String`` and a dialect's own ``TIMESTAMP`` as ``DateTime``. A decorated type is
what its ``impl`` is; its values arrive as the decorator makes them. A type that has
variants for single databases is what its default is.

What is not here (ranges, full-text vectors, pickles, geometries, types without a
name) has no meaning in an index, and is an error at start-up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.types import TypeDecorator, TypeEngine

from nefertari_engine_base.encoding import CODECS, Kind


@dataclass(frozen=True, kw_only=True)
class TypeDescription:
    """What a column's type says of its field; the attributes are those of
    :class:`~nefertari_engine_base.schema.FieldSchema`."""

    kind: Kind
    many: bool = False
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    timezone: bool = False
    enum: type[Enum] | None = None
    enum_values: tuple[str, ...] = ()


#: Describes an instance of a type's class; ``None`` if it has no meaning in an index.
Describe = Callable[[Any], TypeDescription | None]

_TYPES: dict[type[Any], Describe] = {}


def register_type(type_class: type[Any], describe: Describe | Kind) -> None:
    """Say what columns of a type hold, those of its subclasses included.

    :param type_class: a class of SQLAlchemy types, the application's own included.
    :param describe: a kind, or a function from an instance of the class to its
        description; its answer ``None`` makes columns of the type an error.
    """
    if isinstance(describe, Kind):
        description = TypeDescription(kind=describe)
        _TYPES[type_class] = lambda type_: description
    else:
        _TYPES[type_class] = describe


def describe_type(type_: TypeEngine[Any]) -> TypeDescription | None:
    """What a column of this type holds; ``None`` if no document can hold it."""
    for ancestor in type(type_).__mro__:
        describe = _TYPES.get(ancestor)
        if describe is not None:
            return describe(type_)
    return None


def stores_plainly(type_: TypeEngine[Any]) -> bool:
    """Whether the values that are read from a column have the Python type which is
    usual for its kind, on every database."""
    if isinstance(type_, TypeDecorator) and not isinstance(type_, sa.Interval):
        return False
    description = describe_type(type_)
    # SQLAlchemy has no public way to ask for the variants.
    variants = getattr(type_, "_variant_mapping", {}).values()
    return description is not None and all(
        stores_plainly(variant) and _alike(description, describe_type(variant))
        for variant in variants
    )


def have_equal_values(one: TypeEngine[Any], other: TypeEngine[Any]) -> bool:
    """Whether values of two columns are equal in Python when they are in the
    database: not so where a collation makes different strings equal."""
    if isinstance(one, TypeDecorator) or isinstance(other, TypeDecorator):
        return type(one) is type(other)
    for type_ in (one, other):
        if isinstance(type_, pg.CITEXT) or getattr(type_, "collation", None):
            return False
    description = describe_type(one)
    return description is not None and _alike(description, describe_type(other))


def is_spelled_one_way(type_: TypeEngine[Any]) -> bool:
    """Whether a row gives a value of a column back exactly as it was saved.

    A decimal gets the places of its column, and a decorator may do anything.
    """
    if getattr(type_, "collation", None) or isinstance(type_, pg.CITEXT | sa.CHAR):
        return False
    return isinstance(type_, sa.Integer | sa.String | sa.Uuid | sa.Date)


def _alike(one: TypeDescription, other: TypeDescription | None) -> bool:
    if other is None or one.many != other.many or one.enum_values != other.enum_values:
        return False
    return CODECS.get(one.kind) is CODECS.get(other.kind)


def _with_length(kind: Kind) -> Describe:
    return lambda type_: TypeDescription(
        kind=kind, length=getattr(type_, "length", None)
    )


def _number(type_: Any) -> TypeDescription:
    if not type_.asdecimal:
        return TypeDescription(kind=Kind.FLOAT)
    scale = getattr(type_, "scale", None)
    precision = type_.precision if isinstance(type_, sa.Numeric) else None
    return TypeDescription(kind=Kind.DECIMAL, precision=precision, scale=scale)


def _moment(kind: Kind) -> Describe:
    return lambda type_: TypeDescription(kind=kind, timezone=bool(type_.timezone))


def _enumeration(type_: Any) -> TypeDescription | None:
    values = tuple(type_.enums)
    enum: type[Enum] | None = type_.enum_class
    if enum is not None and not (isinstance(enum, type) and issubclass(enum, Enum)):
        # SQLAlchemy takes any class that has __members__.
        return None
    if enum is not None and len(values) != len(enum):
        # Enum(omit_aliases=False) stores a string for each alias too.
        pairs = zip(enum.__members__.items(), values, strict=True)
        values = tuple(value for (name, member), value in pairs if name == member.name)
    return TypeDescription(
        kind=Kind.ENUM, enum=enum, enum_values=values, length=type_.length
    )


def _uuid(type_: Any) -> TypeDescription:
    # Without as_uuid the application's values are strings, and must stay so.
    return TypeDescription(kind=Kind.UUID if type_.as_uuid else Kind.TOKEN)


def _array(type_: Any) -> TypeDescription | None:
    item = describe_type(type_.item_type)
    return None if item is None else replace(item, many=True)


def _of_domain(type_: Any) -> TypeDescription | None:
    return describe_type(type_.data_type)


def _of_implementation(type_: Any) -> TypeDescription | None:
    return describe_type(type_.impl_instance)


def _nothing(type_: Any) -> None:
    return None


_TABLE: dict[type[Any], Describe | Kind] = {
    sa.String: _with_length(Kind.STRING),
    sa.Text: _with_length(Kind.TEXT),
    sa.Integer: Kind.INTEGER,
    sa.SmallInteger: Kind.SMALL_INTEGER,
    sa.BigInteger: Kind.BIG_INTEGER,
    sa.Numeric: _number,
    sa.Float: _number,
    sa.Boolean: Kind.BOOLEAN,
    sa.Date: Kind.DATE,
    sa.DateTime: _moment(Kind.DATETIME),
    sa.Time: _moment(Kind.TIME),
    sa.Interval: Kind.INTERVAL,
    sa.LargeBinary: _with_length(Kind.BINARY),
    sa.BINARY: _with_length(Kind.BINARY),
    sa.VARBINARY: _with_length(Kind.BINARY),
    sa.Enum: _enumeration,
    sa.Uuid: _uuid,
    sa.JSON: Kind.JSON,
    sa.ARRAY: _array,
    TypeDecorator: _of_implementation,
    sa.PickleType: _nothing,  # a decorated binary whose values are any objects
    pg.ARRAY: _array,
    pg.BIT: _with_length(Kind.TOKEN),
    pg.CIDR: Kind.NETWORK,
    pg.CITEXT: Kind.STRING,
    pg.DOMAIN: _of_domain,
    pg.HSTORE: Kind.JSON,
    pg.INET: Kind.IP,
    pg.INTERVAL: Kind.INTERVAL,
    pg.MACADDR: Kind.TOKEN,
    pg.MACADDR8: Kind.TOKEN,
    pg.MONEY: Kind.TOKEN,  # text in the server's locale, not a number
    pg.OID: Kind.BIG_INTEGER,
}
for _class, _describe in _TABLE.items():
    register_type(_class, _describe)
