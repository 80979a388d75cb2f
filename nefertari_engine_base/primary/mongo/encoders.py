"""From the values of BSON to their forms in a document, without making instances.

What MongoDB holds is read by the rules of the fields, and encoded by
:meth:`~nefertari_engine_base.schema.FieldSchema.encode`. MongoDB checks no types: a
value that its field cannot be read from is an error of that document.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import mongoengine as me
from bson import Binary, DBRef, Decimal128, ObjectId
from bson.binary import OLD_UUID_SUBTYPE, UuidRepresentation

from nefertari_engine_base.encoding import Kind, convert
from nefertari_engine_base.primary.mongo.defaults import default_of
from nefertari_engine_base.primary.mongo.types import (
    REFERENCES,
    key_field_of,
    target_of,
)
from nefertari_engine_base.schema import FieldSchema

#: Errors of reading a stored value by a field that has not written it.
MISREAD = (
    me.ValidationError,
    ValueError,  # that of an id which is none is one, too
    TypeError,
    ArithmeticError,
    AttributeError,
    LookupError,
)

#: From a stored value that is not ``None`` to a value of the field's kind.
Read = Callable[[Any], Any]


def encoder_of(model: str, schema: FieldSchema, field: Any) -> Callable[[Any], Any]:
    """From a stored value, ``None`` included, to its form in the document.

    :param model: name of the model, for messages.
    :param field: the field of MongoEngine.
    """
    name = f"{model}.{schema.name}"
    encode = _encoder_of(name, schema, field)
    default = None if schema.kind is Kind.ACL else default_of(field)
    if default is None:
        return encode
    return lambda value: encode(default if value is None else value)


def _encoder_of(name: str, schema: FieldSchema, field: Any) -> Callable[[Any], Any]:
    if schema.kind is Kind.JSON:
        # Bytes that stand for anything: the field knows for what.
        read_any = field.to_python if isinstance(field, me.BinaryField) else _same

        def encode_any(value: Any) -> Any:
            return None if value is None else plain(read_any(value))

        return lambda value: convert(name, encode_any, value)
    if schema.many:
        item = field
        while isinstance(item, me.ListField):
            item = item.field
        read_item = reader_of(schema, item)

        def encode_many(value: Any) -> Any:
            return schema.encode(_each(read_item, value))

        # A list that is not stored is an empty one, as it is to MongoEngine.
        return lambda value: [] if value is None else convert(name, encode_many, value)
    read = reader_of(schema, field)

    def encode_one(value: Any) -> Any:
        return schema.encode(read(value))

    return lambda value: None if value is None else convert(name, encode_one, value)


def _each(read: Read, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"it is of type {type(value).__name__} and no list")
    return [
        _each(read, item)
        if isinstance(item, list)
        else None
        if item is None
        else read(item)
        for item in value
    ]


def reader_of(schema: FieldSchema, field: Any) -> Read:
    """How stored values of a field are read; lists by the field of their items."""
    if isinstance(field, REFERENCES):
        read_key = reader_of(schema, key_field_of(target_of(field)))
        return lambda value: read_key(value.id if isinstance(value, DBRef) else value)
    if schema.kind is Kind.UUID:
        return read_uuid
    if schema.kind is Kind.DECIMAL and not isinstance(field, me.Decimal128Field):
        to_python: Read = field.to_python
        return lambda value: to_python(_from_decimal128(value))
    if schema.kind in _CONVERTED:
        read: Read = field.to_python
        return read
    return _same


#: Kinds that MongoEngine stores in other forms than those that it gives.
_CONVERTED = frozenset(
    {Kind.DECIMAL, Kind.DATE, Kind.DATETIME, Kind.TIME, Kind.INTERVAL, Kind.ENUM}
)


def _same(value: Any) -> Any:
    return value


def _from_decimal128(value: Any) -> Any:
    return value.to_decimal() if isinstance(value, Decimal128) else value


def read_uuid(value: Any) -> UUID:
    """A UUID as any client may have stored it.

    :raises ValueError: if it is none.
    """
    if isinstance(value, Binary):
        legacy = value.subtype == OLD_UUID_SUBTYPE
        return value.as_uuid(
            UuidRepresentation.PYTHON_LEGACY if legacy else UuidRepresentation.STANDARD
        )
    return value if isinstance(value, UUID) else UUID(str(value))


def plain(value: Any) -> Any:
    """Anything that BSON holds as plain JSON.

    :raises TypeError: for what JSON has no form of, such as regular expressions.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    for types, form in _FORMS:
        if isinstance(value, types):
            return form(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _plain_bytes(value: bytes) -> str:
    if isinstance(value, Binary) and value.subtype in (3, 4):
        return str(read_uuid(value))
    return base64.b64encode(value).decode("ascii")


_FORMS: tuple[tuple[Any, Read], ...] = (
    ((ObjectId, UUID), str),
    (Decimal128, lambda value: str(value.to_decimal())),
    (DBRef, lambda value: plain(value.id)),
    (bytes, _plain_bytes),
    ((datetime, date), lambda value: value.isoformat()),
)
