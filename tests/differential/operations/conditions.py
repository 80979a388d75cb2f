"""Conditions and values of statements, which know neither class nor table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tests.differential.shapes import shape_of
from tests.differential.world import World

#: From the name of an attribute to what stands for it in a statement.
Column = Callable[[str], Any]


@dataclass(frozen=True)
class Everything:
    """No condition at all."""

    def build(self, world: World, column: Column) -> list[Any]:
        return []


@dataclass(frozen=True)
class Equals:
    attribute: str
    value: Any

    def build(self, world: World, column: Column) -> list[Any]:
        return [column(self.attribute) == self.value]


@dataclass(frozen=True)
class OneOf:
    attribute: str
    values: tuple[Any, ...]

    def build(self, world: World, column: Column) -> list[Any]:
        return [column(self.attribute).in_(self.values)]


@dataclass(frozen=True)
class InSelect:
    """The attribute is one of a SELECT from another class."""

    attribute: str
    model: str
    other: str
    value: Any

    def build(self, world: World, column: Column) -> list[Any]:
        model = world.model(self.model)
        key = getattr(model, shape_of(model).key[0])
        inner = sa.select(key).where(getattr(model, self.other) == self.value)
        return [column(self.attribute).in_(inner)]


@dataclass(frozen=True)
class Longer:
    """A function of a text."""

    attribute: str
    length: int

    def build(self, world: World, column: Column) -> list[Any]:
        return [sa.func.length(sa.func.lower(column(self.attribute))) > self.length]


@dataclass(frozen=True)
class Fails:
    """Divides by zero: an error on PostgreSQL, nothing on SQLite."""

    attribute: str

    def build(self, world: World, column: Column) -> list[Any]:
        return [sa.literal_column("1 / 0") == 1, column(self.attribute).is_not(None)]


@dataclass(frozen=True)
class Unknown:
    """Names a column that is not there."""

    def build(self, world: World, column: Column) -> list[Any]:
        return [sa.literal_column("no_such_column") == 1]


@dataclass(frozen=True)
class EverySecond:
    """Counts how often it is asked, in the database: asked twice, it takes others."""

    def build(self, world: World, column: Column) -> list[Any]:
        return [sa.literal_column("probe()") % 2 == 0]


@dataclass(frozen=True)
class Plus:
    """The column's own value and a number."""

    number: int

    def build(self, column: Any) -> Any:
        return column + self.number


@dataclass(frozen=True)
class Doubled:
    """The column's own text, twice."""

    def build(self, column: Any) -> Any:
        return sa.func.substr(column + column, 1, 8)


def built(values: dict[str, Any], column: Column) -> dict[str, Any]:
    """Values, with expressions in place of those that are made of the column."""
    return {
        name: value.build(column(name)) if isinstance(value, Plus | Doubled) else value
        for name, value in values.items()
    }
