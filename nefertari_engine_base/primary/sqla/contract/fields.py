"""Nefertari's field classes, as columns.

Each takes the keywords of a field of RAML: those of its type, those of a column
(``required`` for not nullable and ``help_text`` for its documentation), and ignores any
other. The keywords are kept for ``get_field_params``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import sqlalchemy as sa

from nefertari_engine_base.primary.sqla.contract import containers, types

#: The key of a column's ``info`` under which its keywords are kept.
PARAMETERS = "nefertari"

_OF_COLUMN = frozenset(
    {
        *("name", "autoincrement", "default", "index", "info", "key", "onupdate"),
        *("primary_key", "quote", "server_default", "server_onupdate", "unique"),
    }
)


class BaseField:
    """Makes a column of keywords: a call of the class returns a plain column.

    :cvar _sqla_type_cls: the column's type.
    :cvar _type_keywords: the keywords that are the type's.
    """

    _sqla_type_cls: ClassVar[type[types.Checked]]
    _type_keywords: ClassVar[tuple[str, ...]] = ()

    def __new__(cls, **parameters: Any) -> sa.Column[Any]:  # type: ignore[misc]
        """The column of some keywords."""
        column: sa.Column[Any] = sa.Column(
            *cls._constraints(parameters),
            type_=cls.make_type(parameters),
            nullable=not parameters.get("required"),
            doc=parameters.get("help_text"),
            **cls._column_options(parameters),
        )
        column.info[PARAMETERS] = dict(parameters)
        return column

    @classmethod
    def make_type(cls, parameters: Mapping[str, Any]) -> types.Checked:
        """The type that a column of these keywords has."""
        chosen = {
            name: parameters[name] for name in cls._type_keywords if name in parameters
        }
        return cls._sqla_type_cls(**chosen)

    @classmethod
    def _constraints(cls, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        return ()

    @classmethod
    def _column_options(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {name: parameters[name] for name in _OF_COLUMN & parameters.keys()}


class CharacterField(BaseField):
    """Base of the fields of text."""

    _type_keywords = ("length", "min_length", "max_length", "collation")


class StringField(CharacterField):
    """``min_length``, ``max_length``, ``collation``."""

    _sqla_type_cls = types.LimitedString


class TextField(CharacterField):
    """``min_length``, ``max_length``, ``collation``."""

    _sqla_type_cls = types.LimitedText


class UnicodeField(CharacterField):
    """``min_length``, ``max_length``, ``collation``."""

    _sqla_type_cls = types.LimitedUnicode


class UnicodeTextField(CharacterField):
    """``min_length``, ``max_length``, ``collation``."""

    _sqla_type_cls = types.LimitedUnicodeText


class ChoiceField(BaseField):
    """``choices``."""

    _sqla_type_cls = types.Choice
    _type_keywords = ("choices", "collation")


class WholeNumberField(BaseField):
    """Base of the fields of whole numbers."""

    _type_keywords = ("min_value", "max_value")


class IntegerField(WholeNumberField):
    """``min_value``, ``max_value``."""

    _sqla_type_cls = types.LimitedInteger


class IdField(IntegerField):
    """An integer that the database counts up, where it is the primary key."""


class BigIntegerField(WholeNumberField):
    """``min_value``, ``max_value``."""

    _sqla_type_cls = types.LimitedBigInteger


class SmallIntegerField(WholeNumberField):
    """``min_value``, ``max_value``."""

    _sqla_type_cls = types.LimitedSmallInteger


class FloatField(BaseField):
    """``min_value``, ``max_value``, ``precision``, ``asdecimal``."""

    _sqla_type_cls = types.LimitedFloat
    _type_keywords = ("precision", "asdecimal", "min_value", "max_value")


class DecimalField(BaseField):
    """``min_value``, ``max_value``, ``precision``, ``scale``, ``asdecimal``."""

    _sqla_type_cls = types.LimitedNumeric
    _type_keywords = ("precision", "scale", "asdecimal", "min_value", "max_value")


class BooleanField(BaseField):
    """True or false."""

    _sqla_type_cls = types.Boolean


class ZonedField(BaseField):
    """Base of the fields that may have a zone."""

    _type_keywords = ("timezone",)


class DateTimeField(ZonedField):
    """``timezone``."""

    _sqla_type_cls = types.DateTime


class DateField(BaseField):
    """A date."""

    _sqla_type_cls = types.Date


class TimeField(ZonedField):
    """``timezone``."""

    _sqla_type_cls = types.Time


class IntervalField(BaseField):
    """An interval; numbers are seconds."""

    _sqla_type_cls = types.Interval


class BinaryField(BaseField):
    """``length``. Text is Base64."""

    _sqla_type_cls = containers.Binary
    _type_keywords = ("length",)


class PickleField(BaseField):
    """``protocol``, ``pickler``, ``comparator``."""

    _sqla_type_cls = containers.Pickled
    _type_keywords = ("protocol", "pickler", "comparator")


class DictField(BaseField):
    """An object; empty by default."""

    _sqla_type_cls = containers.Object

    @classmethod
    def _column_options(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        options = super()._column_options(parameters)
        return {**options, "default": options.get("default") or {}}


class ListField(BaseField):
    """``item_type``, a field class, and ``choices``; empty by default."""

    _sqla_type_cls = containers.List

    @classmethod
    def make_type(cls, parameters: Mapping[str, Any]) -> types.Checked:
        """See :meth:`BaseField.make_type`."""
        item = parameters.get("item_type") or StringField
        return containers.List(item.make_type({}), parameters.get("choices"))

    @classmethod
    def _column_options(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        options = super()._column_options(parameters)
        return {**options, "default": options.get("default") or []}


_RULES = {"CASCADE": "CASCADE", "RESTRICT": "RESTRICT", "NULLIFY": "SET NULL"}


class ForeignKeyField(BaseField):
    """``ref_column`` (``table.column``), ``ref_column_type`` (a field class, or a type
    of this package), ``ref_ondelete`` and ``ref_onupdate`` (``CASCADE``, ``RESTRICT``
    or ``NULLIFY``), ``ref_name``, ``ref_use_alter``, ``ref_deferrable``,
    ``ref_initially``.

    :raises KeyError: for another rule, or without a type.
    """

    @classmethod
    def make_type(cls, parameters: Mapping[str, Any]) -> types.Checked:
        """See :meth:`BaseField.make_type`."""
        chosen = parameters["ref_column_type"]
        if isinstance(chosen, type) and issubclass(chosen, BaseField):
            return chosen.make_type({})
        made: types.Checked = chosen()
        return made

    @classmethod
    def _constraints(cls, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        names = ("name", "use_alter", "deferrable", "initially")
        return (
            sa.ForeignKey(
                parameters["ref_column"],
                ondelete=_rule(parameters, "ref_ondelete"),
                onupdate=_rule(parameters, "ref_onupdate"),
                **{
                    name: parameters[f"ref_{name}"]
                    for name in names
                    if f"ref_{name}" in parameters
                },
            ),
        )


def _rule(parameters: Mapping[str, Any], key: str) -> str | None:
    rule = parameters.get(key)
    if rule is None:
        return None
    try:
        return _RULES[rule.upper()]
    except KeyError:
        raise KeyError(
            f"Invalid `{key}` argument value {rule!r}. Must be one of: "
            f"{', '.join(_RULES)}"
        ) from None
