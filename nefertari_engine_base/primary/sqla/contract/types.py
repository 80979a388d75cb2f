"""Types of columns that check and convert what a request brings, besides what the
database does.

``convert`` is called when an attribute is set, and once more before a value is sent,
for statements that set no attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Checked(TypeDecorator[Any]):
    """Base of the types: a value that is not ``None`` goes through :meth:`convert`."""

    impl: Any = sa.String
    cache_ok = True

    def convert(self, value: Any) -> Any:
        """The value as the column takes it.

        :raises ValueError: saying what is wrong with it.
        """
        return value

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The value as it is sent."""
        return None if value is None else self.convert(value)


# --- text --------------------------------------------------------------------------


class Characters(Checked):
    """Text of a shortest and a longest length, in characters."""

    cache_ok = True

    def __init__(
        self,
        length: int | None = None,
        min_length: int | None = None,
        max_length: int | None = None,
        collation: str | None = None,
    ) -> None:
        # All of them, since SQLAlchemy tells cached statements apart by these.
        self.length = length or max_length
        self.min_length = min_length
        self.max_length = max_length
        self.collation = collation
        super().__init__(self.length, collation=collation)

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not a string")
        if self.min_length is not None and len(value) < self.min_length:
            raise ValueError(f"Value length must be at least {self.min_length}")
        if self.max_length is not None and len(value) > self.max_length:
            raise ValueError(f"Value length must be at most {self.max_length}")
        return value


class LimitedString(Characters):
    """``VARCHAR``."""

    cache_ok = True


class LimitedText(Characters):
    """``TEXT``."""

    impl = sa.Text
    cache_ok = True


class LimitedUnicode(Characters):
    """``VARCHAR`` of Unicode."""

    impl = sa.Unicode
    cache_ok = True


class LimitedUnicodeText(Characters):
    """``TEXT`` of Unicode."""

    impl = sa.UnicodeText
    cache_ok = True


class Choice(Checked):
    """One of some values, stored as text."""

    cache_ok = True

    def __init__(
        self, choices: Iterable[Any] = (), collation: str | None = None
    ) -> None:
        self.choices = as_choices(choices)
        super().__init__(collation=collation)

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        if value not in self.choices:
            raise ValueError(
                f"Got an invalid choice `{value}`. Valid choices: "
                f"({', '.join(map(str, self.choices))})"
            )
        return value


# --- numbers -----------------------------------------------------------------------


class Number(Checked):
    """A number between a smallest and a largest one."""

    cache_ok = True
    parse: Callable[[Any], Any] = int

    def __init__(
        self, min_value: Any = None, max_value: Any = None, **options: Any
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        super().__init__(**options)

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        try:
            number = type(self).parse(value)
        except (TypeError, ValueError, ArithmeticError):
            raise ValueError(f"{value!r} is not a number") from None
        if isinstance(value, float) and number != value:
            raise ValueError(f"{value!r} is not a whole number")
        if self.min_value is not None and number < self.min_value:
            raise ValueError(f"Value must be at least {self.min_value}")
        if self.max_value is not None and number > self.max_value:
            raise ValueError(f"Value must be at most {self.max_value}")
        return number


class LimitedInteger(Number):
    """``INTEGER``."""

    impl = sa.Integer
    cache_ok = True


class LimitedBigInteger(Number):
    """``BIGINT``."""

    impl = sa.BigInteger
    cache_ok = True


class LimitedSmallInteger(Number):
    """``SMALLINT``."""

    impl = sa.SmallInteger
    cache_ok = True


class LimitedFloat(Number):
    """``FLOAT``."""

    impl = sa.Float
    cache_ok = True
    parse = float

    def __init__(
        self,
        precision: int | None = None,
        asdecimal: bool = False,
        min_value: Any = None,
        max_value: Any = None,
    ) -> None:
        self.precision = precision
        self.asdecimal = asdecimal
        super().__init__(min_value, max_value, precision=precision, asdecimal=asdecimal)


class LimitedNumeric(Number):
    """``NUMERIC``."""

    impl = sa.Numeric
    cache_ok = True

    def __init__(
        self,
        precision: int | None = None,
        scale: int | None = None,
        asdecimal: bool = True,
        min_value: Any = None,
        max_value: Any = None,
    ) -> None:
        self.precision = precision
        self.scale = scale
        self.asdecimal = asdecimal
        super().__init__(
            min_value, max_value, precision=precision, scale=scale, asdecimal=asdecimal
        )

    @staticmethod
    def parse(value: Any) -> Decimal:
        """The decimal that a number of JSON is written as."""
        return Decimal(str(value))


class Boolean(Checked):
    """``BOOLEAN``."""

    impl = sa.Boolean
    cache_ok = True

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        words = {"true": True, "false": False, "1": True, "0": False}
        known = words.get(str(value).strip().lower())
        if known is None:
            raise ValueError(f"{value!r} is neither true nor false")
        return known


# --- time --------------------------------------------------------------------------


class Zoned(Checked):
    """Base of the types that may have a zone."""

    cache_ok = True

    def __init__(self, timezone: bool = False) -> None:
        self.timezone = timezone
        super().__init__(timezone=timezone)


class DateTime(Zoned):
    """A date and time; text is ISO 8601, ``Z`` for UTC included.

    Without ``timezone`` a value that has a zone is stored as it is in UTC.
    """

    impl = sa.DateTime
    cache_ok = True

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        moment = value if isinstance(value, datetime) else _parse_moment(value)
        if moment.tzinfo is not None and not self.timezone:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        return moment


class Date(Checked):
    """A date; of text with a time, the date."""

    impl = sa.Date
    cache_ok = True

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        return (value if isinstance(value, datetime) else _parse_moment(value)).date()


class Time(Zoned):
    """A time of day."""

    impl = sa.Time
    cache_ok = True

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        if isinstance(value, time):
            return value
        try:
            return time.fromisoformat(value)
        except (TypeError, ValueError):
            raise ValueError(f"{value!r} is no time such as 18:30:00") from None


class Interval(Checked):
    """An interval; a number is one of seconds."""

    impl = sa.Interval
    cache_ok = True

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        if isinstance(value, timedelta):
            return value
        try:
            return timedelta(seconds=float(value))
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{value!r} is no number of seconds") from None


def _parse_moment(value: Any) -> datetime:
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - as given
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is no time such as 2014-02-18T12:00:00Z") from None


def as_choices(choices: Any) -> tuple[Any, ...]:
    """Choices as a tuple; of a single one, too."""
    if isinstance(choices, list | tuple | set | frozenset):
        return tuple(choices)
    return (choices,)
