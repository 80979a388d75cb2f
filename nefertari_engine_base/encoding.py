"""The kinds of values, and their forms in a document: the one table of the base.

Each form is exact: what cannot be a JSON number without loss is a string. A
secondary engine maps each kind to a field type that indexes the form.

* integers are JSON integers (64 bits and more; JSON has no limit of its own),
* decimals are strings, since a JSON number is read as a double by most readers,
* floats are JSON numbers; NaN and the infinities, which JSON has not, are strings,
* dates and times are ISO 8601 with up to six fractional digits; a date-time with a
  zone is written in UTC,
* intervals are integers, in microseconds,
* bytes are Base64,
* access control lists are lists of entries: :mod:`nefertari_engine_base.values.access`.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any
from uuid import UUID

from xxhash import xxh3_64_digest

from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.values import access


class Kind(StrEnum):
    """What a field holds, in the terms of no engine."""

    STRING = "string"
    TEXT = "text"
    INTEGER = "integer"
    SMALL_INTEGER = "small_integer"
    BIG_INTEGER = "big_integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    INTERVAL = "interval"
    BINARY = "binary"
    ENUM = "enum"
    UUID = "uuid"
    JSON = "json"
    IP = "ip"
    NETWORK = "network"
    #: Strings that are compared and never analysed: MAC addresses, bit strings.
    TOKEN = "token"
    #: Who may do what to the row; see :mod:`nefertari_engine_base.values.access`.
    ACL = "acl"


#: What a value of a kind looks like, for messages.
DESCRIPTIONS: dict[Kind, str] = {
    Kind.STRING: "a string",
    Kind.TEXT: "a string",
    Kind.INTEGER: "an integer of at most 64 bits",
    Kind.SMALL_INTEGER: "an integer of at most 64 bits",
    Kind.BIG_INTEGER: "an integer of at most 64 bits",
    Kind.FLOAT: "a number",
    Kind.DECIMAL: "a decimal number",
    Kind.BOOLEAN: "true or false",
    Kind.DATE: "a date such as 1982-06-25",
    Kind.DATETIME: "a date and time such as 1982-06-25T20:15:00",
    Kind.TIME: "a time such as 20:15:00",
    Kind.INTERVAL: "a number of seconds",
    Kind.BINARY: "Base64",
    Kind.ENUM: "one of the choices",
    Kind.UUID: "a UUID",
    Kind.JSON: "JSON",
    Kind.IP: "an IP address",
    Kind.NETWORK: "a network such as 10.0.0.0/8",
    Kind.TOKEN: "a string",
    Kind.ACL: "an access control list",
}


@dataclass(frozen=True, slots=True)
class Codec:
    """The two directions between a value and its form in a document."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _encode_float(value: Any) -> float | str:
    number = float(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")


def _encode_decimal(value: Any) -> str:
    return str(value if isinstance(value, Decimal) else Decimal(str(value)))


def _encode_datetime(value: datetime) -> str:
    if value.tzinfo is not None:
        value = value.astimezone(UTC)
    return value.isoformat()


def _encode_interval(value: timedelta) -> int:
    return (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds


def _decode_interval(value: int) -> timedelta:
    return timedelta(microseconds=value)


def _encode_bytes(value: Any) -> str:
    # Of a number, bytes() would make so many.
    return base64.b64encode(memoryview(value)).decode("ascii")


def _decode_bytes(value: str) -> bytes:
    return base64.b64decode(value, validate=True)


def _parse_ip(value: Any) -> Any:
    text = str(value)
    return ip_interface(text) if "/" in text else ip_address(text)


_INTEGER = Codec(int, int)
_STRING = Codec(str, _same)

CODECS: dict[Kind, Codec] = {
    Kind.STRING: _STRING,
    Kind.TEXT: _STRING,
    Kind.TOKEN: _STRING,
    Kind.INTEGER: _INTEGER,
    Kind.SMALL_INTEGER: _INTEGER,
    Kind.BIG_INTEGER: _INTEGER,
    Kind.FLOAT: Codec(_encode_float, float),
    Kind.DECIMAL: Codec(_encode_decimal, Decimal),
    Kind.BOOLEAN: Codec(bool, _same),
    Kind.DATE: Codec(date.isoformat, date.fromisoformat),
    Kind.DATETIME: Codec(_encode_datetime, datetime.fromisoformat),
    Kind.TIME: Codec(time.isoformat, time.fromisoformat),
    Kind.INTERVAL: Codec(_encode_interval, _decode_interval),
    Kind.BINARY: Codec(_encode_bytes, _decode_bytes),
    Kind.UUID: Codec(str, UUID),
    Kind.JSON: Codec(_same, _same),
    Kind.IP: Codec(str, _parse_ip),
    Kind.NETWORK: Codec(str, ip_network),
    Kind.ACL: Codec(access.encode, access.decode),
}


_TRUE = frozenset({"true", "1", "yes", "on", "t", "y"})
_FALSE = frozenset({"false", "0", "no", "off", "f", "n"})


def _parse_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(value)


def _parse_integer(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
        raise ValueError(value)
    number = int(value)
    if not -(2**63) <= number < 2**63:
        # No database and no index holds it; some drivers break the transaction.
        raise ValueError(value)
    return number


def _parse_datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - as given
    return datetime.fromisoformat(str(value))


def _parse_date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _parse_interval(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(seconds=float(value))


def _parse_float(value: Any) -> float:
    number = float(value)
    if math.isnan(number):
        raise ValueError(value)
    return number


def _parse_decimal(value: Any) -> Decimal:
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError(value)
    return number


_PARSERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.INTEGER: _parse_integer,
    Kind.SMALL_INTEGER: _parse_integer,
    Kind.BIG_INTEGER: _parse_integer,
    Kind.FLOAT: _parse_float,
    Kind.DECIMAL: _parse_decimal,
    Kind.BOOLEAN: _parse_boolean,
    Kind.DATE: _parse_date,
    Kind.DATETIME: _parse_datetime,
    Kind.TIME: lambda value: (
        value if isinstance(value, time) else time.fromisoformat(str(value))
    ),
    Kind.INTERVAL: _parse_interval,
    Kind.BINARY: lambda value: (
        value if isinstance(value, bytes) else _decode_bytes(str(value))
    ),
    Kind.UUID: lambda value: value if isinstance(value, UUID) else UUID(str(value)),
    Kind.IP: _parse_ip,
    Kind.NETWORK: lambda value: ip_network(str(value), strict=False),
    Kind.JSON: _same,
    Kind.ACL: access.checked,
}


def parse(kind: Kind, value: Any, *, timezone: bool = False) -> Any:
    """A value of this kind, from what a request or a caller gave.

    :param timezone: a date-time without a zone is taken to be in UTC.
    :raises ValueError: if it is no value of the kind (or a subclass of it, or a
        :class:`TypeError`, as the standard constructors raise).
    """
    if value is None:
        return None
    parsed = _PARSERS.get(kind, str)(value)
    if timezone and isinstance(parsed, datetime) and parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return parsed


def content_hash(source: bytes) -> str:
    """The hash that a document carries of its own contents: 64 bits of XXH3, in Base64.

    It is as short as it can be, since every document carries one and every byte of a
    document costs the index; it tells two states of one document apart, and no more. It
    protects from nobody who makes up documents in order to deceive it.

    :param source: the document's JSON, as the primary has loaded it.
    """
    return hash_bytes(source).decode("ascii")


def hash_bytes(source: bytes) -> bytes:
    """:func:`content_hash` in ASCII."""
    return binascii.b2a_base64(xxh3_64_digest(source), newline=False)


def convert(field: str, encode: Callable[[Any], Any], value: Any) -> Any:
    """``encode(value)``, with an error that names the field.

    :raises ConversionError:
    """
    try:
        return encode(value)
    except (ValueError, TypeError, ArithmeticError, KeyError, AttributeError) as error:
        raise ConversionError(
            f"{field}: {value!r} cannot be written to a document: {error}"
        ) from error
