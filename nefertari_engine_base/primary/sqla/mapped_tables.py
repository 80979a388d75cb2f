"""The tables that the rows of a mapped class are in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression


def tables_of(mapper: Mapper[Any]) -> Iterator[tuple[Table, list[Any]]]:
    """The tables that a row of a class is in, with its key there."""
    equal = _equal_columns(mapper)
    for table in mapper.tables:
        if isinstance(table, Table):
            own = [
                next((c for c in _same_as(part, equal) if c.table is table), None)
                for part in mapper.primary_key
            ]
            if all(column is not None for column in own):
                yield table, own


def tables_beside(mapper: Mapper[Any]) -> Iterator[tuple[Table, list[Any]]]:
    """The tables of concrete heirs whose rows SQLAlchemy selects with those of a class,
    with the key there: a union has columns of the same name in one.

    https://docs.sqlalchemy.org/en/20/orm/inheritance.html#concrete-table-inheritance
    """
    if mapper.selectable is mapper.persist_selectable:
        return
    for heir in mapper.with_polymorphic_mappers:
        if not _is_apart(heir, mapper):
            continue
        for table in heir.tables:
            if isinstance(table, Table) and table not in mapper.tables:
                key = [table.c.get(column.key) for column in mapper.primary_key]
                if all(column is not None for column in key):
                    yield table, key


def _is_apart(heir: Mapper[Any], mapper: Mapper[Any]) -> bool:
    """Whether the rows of an heir are none of the class's own tables."""
    for one in heir.iterate_to_root():
        if one is mapper:
            return False
        if one.concrete:
            return True
    return False


def _equal_columns(mapper: Mapper[Any]) -> list[set[Any]]:
    """Columns of different tables that have the same value in a row."""
    found: list[set[Any]] = [set(one.columns) for one in mapper.column_attrs]
    for one in mapper.iterate_to_root():
        condition = one.inherit_condition
        for element in () if condition is None else visitors.iterate(condition):
            if (
                isinstance(element, BinaryExpression)
                and element.operator is operators.eq
            ):
                found.append({element.left, element.right})
    return found


def _same_as(column: Any, equal: list[set[Any]]) -> set[Any]:
    known, before = {column}, 0
    while len(known) != before:
        before = len(known)
        for columns in equal:
            if known & columns:
                known |= columns
    return known
