"""The values that nefertari's fields take: what a request brings becomes what a field
holds, or a :class:`ValueError` that says what is wrong with it.

``None`` is nobody's business here: every field may be empty unless it is required.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any


def text(value: Any, shortest: int | None = None, longest: int | None = None) -> str:
    """Text of a shortest and a longest length, in characters. :raises ValueError:"""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a string")
    if shortest is not None and len(value) < shortest:
        raise ValueError(f"Value length must be at least {shortest}")
    if longest is not None and len(value) > longest:
        raise ValueError(f"Value length must be at most {longest}")
    return value


def number(
    value: Any,
    parse: Callable[[Any], Any] = int,
    smallest: Any = None,
    largest: Any = None,
) -> Any:
    """A number between a smallest and a largest one. :raises ValueError:

    :param parse: makes one of the type that is wanted.
    """
    try:
        found = parse(value)
    except (TypeError, ValueError, ArithmeticError):
        raise ValueError(f"{value!r} is not a number") from None
    if isinstance(value, float) and found != value:
        raise ValueError(f"{value!r} is not a whole number")
    if smallest is not None and found < smallest:
        raise ValueError(f"Value must be at least {smallest}")
    if largest is not None and found > largest:
        raise ValueError(f"Value must be at most {largest}")
    return found


def decimal(value: Any) -> Decimal:
    """The decimal that a number of JSON is written as. :raises ArithmeticError:"""
    return Decimal(str(value))


def boolean(value: Any) -> bool:
    """True or false, by these words or 1 and 0. :raises ValueError:"""
    words = {"true": True, "false": False, "1": True, "0": False}
    known = words.get(str(value).strip().lower())
    if known is None:
        raise ValueError(f"{value!r} is neither true nor false")
    return known


def moment(value: Any, timezone: bool = False) -> datetime:
    """A date and time; text is ISO 8601, ``Z`` for UTC included. :raises ValueError:

    :param timezone: keep a zone; otherwise the value is as it is in UTC.
    """
    found = value if isinstance(value, datetime) else _parse_moment(value)
    if found.tzinfo is not None and not timezone:
        found = found.astimezone(UTC).replace(tzinfo=None)
    return found


def day(value: Any) -> date:
    """A date; of text with a time, the date. :raises ValueError:"""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return (value if isinstance(value, datetime) else _parse_moment(value)).date()


def time_of_day(value: Any) -> time:
    """A time of day. :raises ValueError:"""
    if isinstance(value, time):
        return value
    try:
        return time.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is no time such as 18:30:00") from None


def interval(value: Any) -> timedelta:
    """An interval; a number is one of seconds. :raises ValueError:"""
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=float(value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{value!r} is no number of seconds") from None


def octets(value: Any) -> bytes:
    """Bytes; text is Base64, as JSON has no other form. :raises ValueError:"""
    if not isinstance(value, str):
        return bytes(value)
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError("Binary data has to be written as Base64") from None


def json_object(value: Any) -> dict[str, Any]:
    """An object of JSON. :raises ValueError:"""
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is not an object")
    return value


def items(
    value: Any,
    convert: Callable[[Any], Any],
    choices: Collection[Any] | None = None,
) -> list[Any]:
    """A list. :raises ValueError:

    :param convert: makes an item of what a request brings.
    :param choices: the values that items may have; ``None`` means any.
    """
    if not isinstance(value, list | tuple | set):
        raise ValueError(f"{value!r} is not a list")
    found = [None if item is None else convert(item) for item in value]
    if choices is not None:
        invalid = [item for item in found if item not in choices]
        if invalid:
            raise ValueError(
                f"Got invalid choices: ({', '.join(map(str, invalid))}). Valid "
                f"choices: ({', '.join(map(str, choices))})"
            )
    return found


def choice(value: Any, choices: Collection[Any]) -> Any:
    """One of some values. :raises ValueError:"""
    if value not in choices:
        raise ValueError(
            f"Got an invalid choice `{value}`. Valid choices: "
            f"({', '.join(map(str, choices))})"
        )
    return value


def as_choices(choices: Any) -> tuple[Any, ...]:
    """Choices as a tuple; of a single one, too."""
    if isinstance(choices, list | tuple | set | frozenset):
        return tuple(choices)
    return (choices,)


def _parse_moment(value: Any) -> datetime:
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - as given
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is no time such as 2014-02-18T12:00:00Z") from None
