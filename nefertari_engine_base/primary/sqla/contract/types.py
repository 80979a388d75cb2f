"""Types of columns that check and convert what a request brings, besides what the
database does.

``convert`` is called when an attribute is set, and once more before a value is sent,
for statements that set no attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from nefertari_engine_base.compat import values


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
        return values.text(value, self.min_length, self.max_length)


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
        self.choices = values.as_choices(choices)
        super().__init__(collation=collation)

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        return values.choice(value, self.choices)


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
        parse = type(self).parse
        return values.number(value, parse, self.min_value, self.max_value)


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
    parse = staticmethod(values.decimal)

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


class Boolean(Checked):
    """``BOOLEAN``."""

    impl = sa.Boolean
    cache_ok = True

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        return values.boolean(value)


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
        return values.moment(value, self.timezone)


class Date(Checked):
    """A date; of text with a time, the date."""

    impl = sa.Date
    cache_ok = True

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        return values.day(value)


class Time(Zoned):
    """A time of day."""

    impl = sa.Time
    cache_ok = True

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        return values.time_of_day(value)


class Interval(Checked):
    """An interval; a number is one of seconds."""

    impl = sa.Interval
    cache_ok = True

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        return values.interval(value)
