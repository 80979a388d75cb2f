"""Nefertari's fields whose values have parts: bytes, pickles, objects and lists."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import mongoengine as me

from nefertari_engine_base.compat import values
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.primary.mongo.contract.fields import BaseField, StringField
from nefertari_engine_base.primary.mongo.types import register_field


class BinaryField(BaseField, me.BinaryField):
    """``length``, in bytes. Text is Base64."""

    def _options(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        options = super()._options(parameters)
        return {**options, "max_bytes": parameters.get("length")}

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        return values.octets(value)


class PickleField(BaseField, me.BinaryField):
    """Any object of Python; ``protocol``, ``pickler``.

    Its document holds it as JSON, so that an object which JSON cannot hold has no
    document.
    """

    @property
    def _pickler(self) -> Any:
        return self.parameters.get("pickler") or pickle

    def to_mongo(self, value: Any) -> Any:
        """The value as it is stored."""
        protocol = self.parameters.get("protocol") or pickle.HIGHEST_PROTOCOL
        return super().to_mongo(self._pickler.dumps(value, protocol))

    def to_python(self, value: Any) -> Any:
        """The value as an attribute has it."""
        return self._pickler.loads(value)

    def validate(self, value: Any) -> None:
        """Any object will do, until it is pickled."""


class DictField(BaseField, me.DictField):
    """An object; empty by default."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.initial = self.initial or {}

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        return values.json_object(value)


class ListField(BaseField, me.ListField):
    """``item_type``, a field class, and ``choices``; empty by default."""

    def __init__(self, **parameters: Any) -> None:
        choices = parameters.get("choices")
        self.accepted = None if choices is None else values.as_choices(choices)
        super().__init__(**parameters)
        self.initial = self.initial or []

    def _options(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        item = (parameters.get("item_type") or StringField)()
        return {**super()._options(parameters), "field": item}

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        return values.items(value, self.field.convert, self.accepted)

    def validate(self, value: Any) -> None:
        """Whether its items are choices, however they came to be in it."""
        super().validate(value)
        self.convert(list(value))

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        """See :meth:`BaseField.prepare_query_value`."""
        return me.ListField.prepare_query_value(self, op, value)


register_field(PickleField, Kind.JSON)
