"""Fields that hold the keys of other documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mongoengine as me
from mongoengine.base import BaseField as MongoField

from nefertari_engine_base.primary.mongo.contract import registry
from nefertari_engine_base.primary.mongo.contract.fields import BaseField, StringField
from nefertari_engine_base.primary.mongo.types import (
    TypeDescription,
    Unmappable,
    describe_field,
    key_field_of,
    register_field,
)

_RULES = {
    "CASCADE": me.CASCADE,
    "DO_NOTHING": me.DO_NOTHING,
    "NULLIFY": me.NULLIFY,
    "PULL": me.PULL,
    "RESTRICT": me.DENY,
}
_RULES_OF_KEYS = ("CASCADE", "RESTRICT", "NULLIFY")


class KeyField(BaseField, MongoField):
    """The key of a document of the class that is called ``document``, which may follow
    later. An instance may be given in the place of its key."""

    def _options(self, parameters: Any) -> dict[str, Any]:
        # A document is not itself a key: that is said of its own field.
        return {**super()._options(parameters), "unique": parameters.get("unique")}

    @property
    def target(self) -> Any:
        """The class whose keys these are; ``None`` if it is not known."""
        return registry.find(self.parameters["document"])

    @property
    def key_field(self) -> Any:
        """The field of the target whose values these are."""
        target = self.target
        return StringField() if target is None else key_field_of(target)

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        if isinstance(value, me.Document):
            value = value.pk
        convert = getattr(self.key_field, "convert", self.key_field.to_python)
        return convert(value)

    def to_mongo(self, value: Any) -> Any:
        """The value as it is stored."""
        return self.key_field.to_mongo(value)

    def to_python(self, value: Any) -> Any:
        """The value as an attribute has it."""
        return self.key_field.to_python(value)

    def validate(self, value: Any, clean: bool = True) -> None:
        """Whether it could be a key; whether there is such a document, nobody asks."""
        self.key_field.validate(value)


class ForeignKeyField(KeyField):
    """``ref_column`` (``table.field``) or ``ref_document`` says whose keys these are,
    ``ref_column_type`` (a field class) what they are where neither is known.
    ``ref_ondelete`` is ``CASCADE``, ``RESTRICT`` or ``NULLIFY``.

    :raises KeyError: for another rule.
    """

    def __init__(self, **parameters: Any) -> None:
        for name in ("ref_ondelete", "ref_onupdate"):
            if rule := parameters.get(name):
                delete_rule(name, rule, _RULES_OF_KEYS)
        super().__init__(**parameters)

    @property
    def target(self) -> Any:
        """See :class:`KeyField`."""
        if name := self.parameters.get("ref_document"):
            return registry.find(name)
        table, _, _ = (self.parameters.get("ref_column") or "").partition(".")
        return registry.find_table(table)

    @property
    def is_of_primary_key(self) -> bool:
        """Whether it refers to the primary key of its target."""
        target = self.target
        return target is not None and self._column in ("", target.pk_field())

    @property
    def key_field(self) -> Any:
        """See :class:`KeyField`."""
        target = self.target
        if target is not None and self._column in target._fields:
            return target._fields[self._column]
        if self.is_of_primary_key:
            return key_field_of(target)
        return (self.parameters.get("ref_column_type") or StringField)()

    @property
    def _column(self) -> str:
        return (self.parameters.get("ref_column") or "").partition(".")[2]


def delete_rule(keyword: str, rule: str, known: Any = tuple(_RULES)) -> Any:
    """MongoEngine's rule of a name. :raises KeyError: if it is not known."""
    if str(rule).upper() not in known:
        raise KeyError(
            f"Invalid `{keyword}` argument value {rule!r}. Must be one of: "
            f"{', '.join(known)}"
        )
    return _RULES[str(rule).upper()]


def _key(field: KeyField) -> TypeDescription | Unmappable:
    described = describe_field(field.key_field)
    if isinstance(described, Unmappable):
        return described
    return replace(described, reference=True)


register_field(KeyField, _key)
