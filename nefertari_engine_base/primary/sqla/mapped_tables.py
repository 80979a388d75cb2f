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
