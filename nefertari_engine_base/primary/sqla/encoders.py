"""From the values of a column to their forms in a document, for loading in bulk.

:meth:`~nefertari_engine_base.schema.FieldSchema.encode` is the rule; what is here
skips the steps that change nothing in values that a database gave, since a column is
encoded a hundred thousand times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError, StatementError

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
    :func:`~nefertari_engine_base.json_text.write_json` writes the value as it is.

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
    except StatementError as error:
        if isinstance(error, DBAPIError):
            raise
        # Not even sent: the type of the key, a TypeDecorator, does not take back what
        # the id says of its values. The others must not wait for that for ever.
        raise ConversionError(
            f"An id of {model} does not lead back to its key, whose type refuses it: "
            f"{error.orig}"
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
