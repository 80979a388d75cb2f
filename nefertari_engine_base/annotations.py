"""From the type that a function says it returns to the field that holds its values.

* ``str``, ``int``, ``float``, ``bool``, ``Decimal``, ``date``, ``datetime``, ``time``,
  ``timedelta``, ``UUID``, ``bytes``, and subclasses of these: the kind of that name;
* a subclass of ``Enum``: an enumeration, whose members are written by their names;
* ``list[...]``, ``Sequence[...]``, ``tuple[..., ...]``: many of their item's kind;
* ``... | None``: the same, with ``None`` allowed;
* a :class:`~nefertari_engine_base.encoding.Kind`: that kind, with ``None`` allowed.
"""

from __future__ import annotations

import reprlib
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from nefertari_engine_base.encoding import DESCRIPTIONS, Kind
from nefertari_engine_base.schema import FieldSchema


@dataclass(frozen=True, slots=True)
class ValueType:
    """What values of a field are; the attributes are those of
    :class:`~nefertari_engine_base.schema.FieldSchema`."""

    kind: Kind
    many: bool = False
    nullable: bool = False
    enum: type[Enum] | None = None
    enum_values: tuple[str, ...] = ()


_KINDS: dict[type, Kind] = {
    str: Kind.STRING,
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    float: Kind.FLOAT,
    Decimal: Kind.DECIMAL,
    datetime: Kind.DATETIME,
    date: Kind.DATE,
    time: Kind.TIME,
    timedelta: Kind.INTERVAL,
    UUID: Kind.UUID,
    bytes: Kind.BINARY,
}

_TEXT = (str,)
_WHOLE = (int,)
_TYPES: dict[Kind, tuple[type, ...]] = {
    Kind.STRING: _TEXT,
    Kind.TEXT: _TEXT,
    Kind.TOKEN: _TEXT,
    Kind.INTEGER: _WHOLE,
    Kind.SMALL_INTEGER: _WHOLE,
    Kind.BIG_INTEGER: _WHOLE,
    Kind.FLOAT: (float, int),
    Kind.DECIMAL: (Decimal, int),
    Kind.BOOLEAN: (bool,),
    Kind.DATE: (date,),
    Kind.DATETIME: (datetime,),
    Kind.TIME: (time,),
    Kind.INTERVAL: (timedelta,),
    Kind.BINARY: (bytes, bytearray, memoryview),
    Kind.UUID: (UUID,),
    Kind.IP: (str, IPv4Address, IPv6Address, IPv4Interface, IPv6Interface),
    Kind.NETWORK: (str, IPv4Network, IPv6Network),
}


def returned_by(function: Callable[..., Any], names: Iterable[type] = ()) -> Any:
    """The return annotation of a function, with what it says as text looked up.

    :param names: classes whose own classes the text may name, beside the globals of
        the function's module.
    :return: the annotation; its text if a name in it is not known; ``None`` without
        an annotation.
    """
    annotation = getattr(function, "__annotations__", {}).get("return")
    if annotation is None:
        return None
    # Of the attributes, classes alone: a column may be called "date".
    known = {
        name: value
        for owner in names
        for name, value in vars(owner).items()
        if isinstance(value, type)
    }
    # A stand-in, since only this annotation has to make sense here.
    stand_in = types.SimpleNamespace(__annotations__={"return": annotation})
    try:
        return get_type_hints(
            stand_in, getattr(function, "__globals__", {}), localns=known
        )["return"]
    except (NameError, AttributeError, TypeError, SyntaxError):
        return annotation


def describe_annotation(annotation: Any) -> ValueType | None:
    """What an annotation says of values; ``None`` if that has no form in a document."""
    if isinstance(annotation, Kind):
        return ValueType(annotation, nullable=True)
    annotation = getattr(annotation, "__supertype__", annotation)  # of a NewType
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _describe_optional(arguments)
    if origin in (list, Sequence) or (origin is tuple and arguments[1:] == (...,)):
        item = describe_annotation(arguments[0])
        return None if item is None else replace(item, many=True, nullable=False)
    if not isinstance(annotation, type) or origin is not None:
        return None
    if issubclass(annotation, Enum):
        names = tuple(member.name for member in annotation)
        return ValueType(Kind.ENUM, enum=annotation, enum_values=names)
    kind = next((_KINDS[c] for c in annotation.__mro__ if c in _KINDS), None)
    return None if kind is None else ValueType(kind)


def _describe_optional(arguments: Sequence[Any]) -> ValueType | None:
    others = [each for each in arguments if each is not type(None)]
    if len(others) != 1:
        return None
    found = describe_annotation(others[0])
    return None if found is None else replace(found, nullable=True)


def check(field: FieldSchema, value: Any) -> None:
    """See that a value is of the field's type, which encoding alone would not.

    :raises TypeError: saying what the value is and what it should be.
    """
    if value is None:
        if not field.nullable:
            raise TypeError(f"is None; expected {_expected(field)}")
    elif not field.many:
        _check_one(field, value)
    elif isinstance(value, list | tuple):
        _check_items(field, value)
    else:
        raise _wrong(field, value)


def _check_items(field: FieldSchema, items: Iterable[Any]) -> None:
    for item in items:
        if isinstance(item, list | tuple):
            _check_items(field, item)
        elif item is not None:
            _check_one(field, item)


def _check_one(field: FieldSchema, value: Any) -> None:
    kind = field.kind
    expected = (field.enum,) if field.enum else _TYPES.get(kind, (object,))
    if (
        not isinstance(value, expected)
        or (isinstance(value, bool) and bool not in expected and object not in expected)
        or (isinstance(value, datetime) and kind is Kind.DATE)
    ):
        raise _wrong(field, value)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise TypeError(f"is no text that UTF-8 can write: {error}") from None


def _wrong(field: FieldSchema, value: Any) -> TypeError:
    return TypeError(f"is {reprlib.repr(value)}; expected {_expected(field)}")


def _expected(field: FieldSchema) -> str:
    description = DESCRIPTIONS[field.kind]
    if field.enum:
        description = f"a member of {field.enum.__name__}"
    return f"a list, each item {description}" if field.many else description
