"""From the values of a column to their forms in a document, for loading in bulk.

:meth:`~nefertari_engine_base.schema.FieldSchema.encode` is the rule; what is here
skips the steps that change nothing in values that a database gave, since a column is
encoded a hundred thousand times.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.exc import DataError

from nefertari_engine_base.encoding import CODECS, Kind, convert
from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.primary.sqla.types import stores_plainly
from nefertari_engine_base.schema import FieldSchema

#: What orjson writes as it is, in the very form that the base encodes it to. Times
#: are not: it drops a zero of 10 to 99 milliseconds (orjson 3.13).
_WRITTEN_AS_IS = frozenset(
    {
        Kind.STRING,
        Kind.TEXT,
        Kind.TOKEN,
        Kind.INTEGER,
        Kind.SMALL_INTEGER,
        Kind.BIG_INTEGER,
        Kind.BOOLEAN,
        Kind.JSON,
        Kind.DATE,
        Kind.UUID,
    }
)


def encoder_of(field: FieldSchema, type_: Any) -> Callable[[Any], Any] | None:
    """A function of a value of the column that is not ``None``; ``None`` if
    :func:`write_json` writes the value as it is.

    :param type_: the column's SQLAlchemy type.
    """
    if not stores_plainly(type_) or field.many:
        return None if field.kind is Kind.JSON else field.encode
    if field.kind is Kind.ENUM:
        return field.encode if field.enum else None
    if field.kind is Kind.DATETIME:
        return _in_utc if field.timezone else None
    if field.kind in _WRITTEN_AS_IS:
        return None
    return CODECS[field.kind].encode


def _in_utc(value: datetime) -> datetime:
    # SQLite knows no zones: what comes from there has none.
    return value if value.tzinfo is None else value.astimezone(UTC)


def write_json(model: str, document: object) -> bytes:
    """The document as JSON text, UTF-8, without spaces.

    NaN and the infinities inside a JSON column, which JSON has not, become null.

    :raises ConversionError: if it holds something that JSON cannot.
    """
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        # Integers of more than 64 bits are JSON, but orjson does not write them.
        return _write_slowly(model, document)


def _write_slowly(model: str, document: object) -> bytes:
    try:
        text = json.dumps(
            document,
            default=_form,
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        )
        return text.encode()
    except ConversionError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise ConversionError(
            f"A document of {model} cannot be written as JSON: {error}"
        ) from error


def _form(value: object) -> str:
    if isinstance(value, ConversionError):
        # Stands where a value should be, and does not concern other documents.
        raise value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


@contextmanager
def readable(model: str) -> Iterator[None]:
    """Rows of a model are fetched in the block, whose values are converted.

    :raises ConversionError: if one of them cannot be.
    """
    try:
        yield
    except (
        DataError, LookupError, ValueError, TypeError, ArithmeticError, AssertionError,
    ) as error:  # fmt: skip
        # Drivers and types convert values while rows are fetched: a date after the
        # year 9999, a string that is no member of its enumeration or names no class.
        raise ConversionError(
            f"A row of {model} holds a value that cannot be read: {error}"
        ) from error


def find_culprit(
    model: str, fields: Iterable[FieldSchema], values: Iterable[Any]
) -> ConversionError:
    """The error of the first value that cannot be encoded, naming its field."""
    for field, value in zip(fields, values, strict=False):
        try:
            convert(f"{model}.{field.name}", field.encode, value)
        except ConversionError as error:
            return error
    return ConversionError(f"A row of {model} cannot be written to a document.")
