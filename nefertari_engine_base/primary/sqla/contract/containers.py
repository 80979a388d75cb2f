"""Types of columns whose values have parts: bytes, pickles, objects and lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

from nefertari_engine_base.compat import values
from nefertari_engine_base.encoding import CODECS, Codec, Kind
from nefertari_engine_base.primary.sqla.contract.types import Checked
from nefertari_engine_base.primary.sqla.types import (
    TypeDescription,
    describe_type,
    register_type,
)


class Binary(Checked):
    """Bytes; text is Base64, as JSON has no other form."""

    impl = sa.LargeBinary
    cache_ok = True

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        return values.octets(value)


class Pickled(Checked):
    """Any object of Python, as SQLAlchemy's :class:`~sqlalchemy.types.PickleType`.

    Its document holds it as JSON, so that an object which JSON cannot hold has no
    document.
    """

    impl = sa.PickleType
    cache_ok = True


class Object(Checked):
    """An object of JSON."""

    impl = sa.JSON
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(none_as_null=True)

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        return values.json_object(value)


class List(Checked):
    """A list: an array where the database has them, else JSON.

    :param item_type: type of the items.
    :param choices: the values that items may have; none means any.
    """

    impl = sa.JSON
    cache_ok = True
    lists_in_json = True

    def __init__(self, item_type: Checked, choices: Iterable[Any] | None = None):
        self.item_type = item_type
        self.choices = None if choices is None else values.as_choices(choices)
        super().__init__(none_as_null=True)

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """What the database has for it."""
        if dialect.name == "postgresql":
            item = self.item_type.impl_instance
            return dialect.type_descriptor(postgresql.ARRAY(item))
        return dialect.type_descriptor(sa.JSON(none_as_null=True))

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        return values.items(value, self.item_type.convert, self.choices)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The list as it is sent."""
        items = super().process_bind_param(value, dialect)
        if items is None or dialect.name == "postgresql":
            return items
        encode = self._codec.encode
        return [None if item is None else encode(item) for item in items]

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """The list, of the same items as were saved."""
        if value is None or dialect.name == "postgresql":
            return value
        decode = self._codec.decode
        return [None if item is None else decode(item) for item in value]

    @property
    def _codec(self) -> Codec:
        description = describe_type(self.item_type)
        return CODECS[Kind.JSON if description is None else description.kind]


def _describe_list(type_: List) -> TypeDescription | None:
    item = describe_type(type_.item_type)
    return None if item is None else replace(item, many=True)


register_type(List, _describe_list)
register_type(Pickled, Kind.JSON)
