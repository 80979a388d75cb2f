"""Nefertari's field classes, as fields of MongoEngine.

Each takes the keywords of a field of RAML: those of its type, those of a field of
MongoEngine (``name`` for ``db_field``), and ignores any other. The keywords are kept
for ``get_field_params``. Values are checked and converted when an attribute is set, and
in queries; what is read from the database is not checked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import mongoengine as me
from bson.decimal128 import Decimal128, create_decimal128_context
from mongoengine.base import BaseField as MongoField
from mongoengine.queryset.transform import STRING_OPERATORS

from nefertari_engine_base.compat import values
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.primary.mongo.types import (
    TypeDescription,
    Unmappable,
    register_field,
)

#: The precision of MongoDB's decimals.
_DIGITS = create_decimal128_context()

_OF_FIELD = frozenset(
    {
        *("db_field", "required", "unique", "unique_with", "primary_key"),
        *("validation", "sparse"),
    }
)


class BaseField:
    """A mixin before a class of MongoEngine's fields.

    :cvar _type_keywords: the keywords that are the type's.
    :attr parameters: the keywords that the field was made from.
    :attr initial: value of new documents that are given none; or makes it.
    :attr onupdate: value of documents that are changed; or makes it.
    """

    _type_keywords: ClassVar[tuple[str, ...]] = ()

    #: Set by MongoEngine.
    name: str
    default: Any
    required: bool

    def __init__(self, **parameters: Any) -> None:
        self.parameters = dict(parameters)
        self.initial = parameters.get("default")
        self.onupdate = parameters.get("onupdate")
        super().__init__(**self._options(parameters))
        # MongoEngine would put it where None is meant.
        self.default = None

    def _options(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        names = _OF_FIELD | set(self._type_keywords)
        options = {name: parameters[name] for name in names & parameters.keys()}
        options.setdefault("db_field", parameters.get("name"))
        if options.get("primary_key"):
            options.pop("unique", None)  # MongoDB refuses to hear it of a key
        elif options.get("unique") and not options.get("required"):
            # Any number of documents may have no value, as in SQL.
            options.setdefault("sparse", True)
        return options

    def convert(self, value: Any) -> Any:
        """The value as an attribute has it, from what a request brings.

        :raises ValueError: saying what is wrong with it.
        """
        return value

    def checked(self, value: Any) -> Any:
        """:meth:`convert`, of ``None``, too. :raises ValueError: naming the field."""
        if value is None:
            return None
        try:
            return self.convert(value)
        except ValueError as error:
            raise ValueError(f"Field `{self.name}`: {error}") from error

    def __set__(self, instance: Any, value: Any) -> None:
        # While it is being made, the model has checked, or the database has told it.
        if instance._initialised:
            value = self.checked(value)
        super().__set__(instance, value)  # type: ignore[misc]

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        """The value as a query or an update has it. :raises ValueError:"""
        if value is None:
            return None
        if op in STRING_OPERATORS:
            return super().prepare_query_value(op, value)  # type: ignore[misc]
        mine: Any = self
        return mine.to_mongo(self.convert(value))


def made(value: Any) -> Any:
    """The value of ``default`` or ``onupdate``; a copy, where it could be changed."""
    if callable(value):
        return value()
    return value.copy() if isinstance(value, list | dict) else value


# --- text --------------------------------------------------------------------------


class CharacterField(BaseField, me.StringField):
    """Base of the fields of text."""

    _type_keywords = ("regex", "min_length", "max_length")

    def _options(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        options = super()._options(parameters)
        options.setdefault("max_length", parameters.get("length"))
        return options

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        return values.text(value, self.min_length, self.max_length)


class StringField(CharacterField):
    """``min_length``, ``max_length``, ``regex``."""


class TextField(CharacterField):
    """``min_length``, ``max_length``, ``regex``."""


class UnicodeField(CharacterField):
    """``min_length``, ``max_length``, ``regex``."""


class UnicodeTextField(TextField):
    """``min_length``, ``max_length``, ``regex``."""


class ChoiceField(BaseField, MongoField):
    """``choices``, strings."""

    def __init__(self, **parameters: Any) -> None:
        self.accepted = values.as_choices(parameters.get("choices", ()))
        super().__init__(**parameters)

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        return values.choice(value, self.accepted)


# --- numbers -----------------------------------------------------------------------


class IntegerField(BaseField, me.IntField):
    """``min_value``, ``max_value``."""

    _type_keywords = ("min_value", "max_value")

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        found = values.number(value, int, self.min_value, self.max_value)
        if not -(2**63) <= found < 2**63:
            raise ValueError(f"{value!r} has more than 64 bits")
        return found


class BigIntegerField(IntegerField):
    """``min_value``, ``max_value``."""


class SmallIntegerField(IntegerField):
    """``min_value``, ``max_value``."""


class FloatField(BaseField, me.FloatField):
    """``min_value``, ``max_value``."""

    _type_keywords = ("min_value", "max_value")

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        return values.number(value, float, self.min_value, self.max_value)


class DecimalField(BaseField, me.Decimal128Field):
    """``min_value``, ``max_value``, ``scale``: digits after the point."""

    _type_keywords = ("min_value", "max_value")

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        found = values.number(value, values.decimal, self.min_value, self.max_value)
        scale = self.parameters.get("scale")
        try:
            if scale is not None and found.is_finite():
                found = found.quantize(Decimal(1).scaleb(-scale), context=_DIGITS)
            return Decimal128(found).to_decimal()
        except ArithmeticError:
            raise ValueError(f"{value!r} has more than 34 digits") from None

    def to_python(self, value: Any) -> Any:
        """The value as an attribute has it."""
        # As it is written, where another program has stored a float.
        return super().to_python(str(value) if isinstance(value, float) else value)


class BooleanField(BaseField, me.BooleanField):
    """True or false."""

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        return values.boolean(value)


# --- time --------------------------------------------------------------------------


class DateTimeField(BaseField, me.DateTimeField):
    """A date and time in UTC, without its zone, in milliseconds."""

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        moment = values.moment(value)
        # What MongoDB keeps of it, so that it is the same before and after.
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class SpelledField(BaseField, MongoField):
    """A value that MongoDB has no type for, as text in ISO 8601, which is in order."""

    _type: Any

    def to_mongo(self, value: Any) -> Any:
        """The value as it is stored."""
        return value if value is None or isinstance(value, str) else value.isoformat()

    def to_python(self, value: Any) -> Any:
        """The value as an attribute has it."""
        return self._type.fromisoformat(value) if isinstance(value, str) else value


class DateField(SpelledField):
    """A date."""

    _type = date

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        return values.day(value)


class TimeField(SpelledField):
    """A time of day."""

    _type = time

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        return values.time_of_day(value)


class IntervalField(BaseField, MongoField):
    """An interval; stored as a number of seconds."""

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        return values.interval(value)

    def to_mongo(self, value: Any) -> Any:
        """The value as it is stored."""
        if not isinstance(value, timedelta):
            return value
        seconds = value.total_seconds()
        return int(seconds) if seconds == int(seconds) else seconds

    def to_python(self, value: Any) -> Any:
        """The value as an attribute has it."""
        return timedelta(seconds=value) if isinstance(value, int | float) else value


# --- keys, and what documents hold of all these ----------------------------------


class IdField(BaseField, me.ObjectIdField):
    """A key that MongoDB makes, where it is the primary key."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.required = False

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        try:
            return self.to_mongo(value)
        except me.ValidationError:
            raise ValueError(f"{value!r} is no key of MongoDB") from None


def _choice(field: ChoiceField) -> TypeDescription | Unmappable:
    kinds = {str: Kind.STRING, bool: Kind.BOOLEAN, int: Kind.BIG_INTEGER}
    kinds[float] = Kind.FLOAT
    found = {kinds.get(type(choice)) for choice in field.accepted}
    kind = found.pop() if len(found) == 1 else None
    if kind is None:
        return Unmappable("Its choices are not of one plain type.")
    return TypeDescription(kind=kind)


def _decimal(field: DecimalField) -> TypeDescription:
    scale = field.parameters.get("scale")
    return TypeDescription(kind=Kind.DECIMAL, scale=scale)


def _text(field: TextField) -> TypeDescription:
    return TypeDescription(kind=Kind.TEXT, length=field.max_length)


register_field(TextField, _text)
register_field(ChoiceField, _choice)
register_field(IntegerField, Kind.INTEGER)
register_field(BigIntegerField, Kind.BIG_INTEGER)
register_field(SmallIntegerField, Kind.SMALL_INTEGER)
register_field(DecimalField, _decimal)
register_field(DateField, Kind.DATE)
register_field(TimeField, Kind.TIME)
register_field(IntervalField, Kind.INTERVAL)
