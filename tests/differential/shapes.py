"""What may be written to a mapped class, as its mapper tells it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import ColumnProperty, Mapper


@dataclass(frozen=True)
class Attribute:
    """A mapped column.

    :attr pool: values that programs choose from.
    """

    name: str
    column: sa.Column
    key: bool
    nullable: bool
    pool: tuple[Any, ...]

    @property
    def is_number(self) -> bool:
        return isinstance(self.column.type, sa.Integer)

    @property
    def is_text(self) -> bool:
        return isinstance(self.column.type, sa.String)


@dataclass(frozen=True)
class Shape:
    """A mapped class: its columns by attribute, and its relations."""

    model: type
    attributes: dict[str, Attribute]
    key: tuple[str, ...]
    relations: dict[str, tuple[type, bool]]

    @property
    def references(self) -> list[Attribute]:
        """Attributes that refer to other rows."""
        return [a for a in self.attributes.values() if a.column.foreign_keys]


@cache
def shape_of(model: type) -> Shape:
    """The shape of a class."""
    mapper: Mapper[Any] = sa.inspect(model)
    keys = tuple(
        mapper.get_property_by_column(column).key for column in mapper.primary_key
    )
    attributes = {
        one.key: _attribute(one, keys)
        for one in mapper.column_attrs
        if isinstance(one.columns[0], sa.Column) and not one.columns[0].computed
    }
    relations = {
        one.key: (one.mapper.class_, bool(one.uselist)) for one in mapper.relationships
    }
    return Shape(model, attributes, keys, relations)


def _attribute(one: ColumnProperty[Any], keys: tuple[str, ...]) -> Attribute:
    column, key = one.columns[0], one.key in keys
    nullable = bool(column.nullable) and not key
    return Attribute(one.key, column, key, nullable, _pool(column, key))


def _pool(column: sa.Column, key: bool) -> tuple[Any, ...]:
    if "pool" in column.info:
        return tuple(column.info["pool"])
    refers = key or bool(column.foreign_keys)
    if isinstance(column.type, sa.Boolean):
        return (False, True)
    if isinstance(column.type, sa.Uuid):
        return (UUID(int=1001), UUID(int=1002), UUID(int=1003))
    if isinstance(column.type, sa.Integer):
        return (1, 2, 3, 4, 1001) if refers else (0, 1, 2)
    return ("a", "b", "c") if refers else ("x", "y", "é%")
