"""What SQL expressions look at that stand in the place of columns.

Such is a ``column_property``, or what tells the class of a row. An expression of the
row's own columns changes with these. A subquery that is correlated with the row by its
primary key, ``select(func.count()).where(Review.movie_id == Movie.id)``, changes with
the rows that it selects from, which tell the key. No other one can be followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import operators, visitors

from nefertari_engine_base.exceptions import ConfigurationError

Columns = tuple[sa.Column[Any], ...]


def columns_in(expression: Any) -> list[sa.Column[Any]]:
    """Columns of tables that an expression names, subqueries included."""
    found: dict[sa.Column[Any], None] = {}
    for element in visitors.iterate(expression):
        column = _plain(element)
        if column is not None:
            found[column] = None
    return list(found)


def is_opaque(expression: Any) -> bool:
    """Whether an expression has a text in it that nobody but the database reads."""
    return any(
        isinstance(element, sa.TextClause)
        or (isinstance(element, sa.ColumnClause) and element.is_literal)
        for element in visitors.iterate(expression)
    )


def has_subquery(expression: Any) -> bool:
    """Whether an expression selects rows."""
    return any(isinstance(e, sa.SelectBase) for e in visitors.iterate(expression))


def correlated(mapper: Mapper[Any], name: str) -> tuple[Columns, list[Any]]:
    """The columns of another table that hold the key of the rows whose attribute a
    change there changes, and all columns that are looked at there.

    :raises ConfigurationError: if the subquery is of another form.
    """
    expression = mapper.get_property(name).columns[0]
    selects = [
        element
        for element in visitors.iterate(expression)
        if isinstance(element, sa.SelectBase)
    ]
    seen = [c for c in columns_in(expression) if c.table not in mapper.tables]
    tables = {column.table for column in seen}
    if len(selects) == 1 and isinstance(selects[0], sa.Select) and len(tables) == 1:
        (table,) = tables
        held = dict(_equalities(selects[0].whereclause, table))
        parts = [mapper.get_property_by_column(c).columns for c in mapper.primary_key]
        found = tuple(held[c] for part in parts for c in part if c in held)
        if len(found) == len(parts) and not is_opaque(expression):
            return found, seen
    model = mapper.class_.__name__
    raise ConfigurationError(
        f"{model}.{name} is a subquery that nobody can follow back: a change of the "
        f"rows that it selects does not tell whose {name} has changed. Let it select "
        f"from one table whose columns equal the primary key of {model}, or make it a "
        f"@document_field(depends_on=...), or leave it out of documents: "
        f'exclude=("{name}",).'
    )


def _equalities(
    condition: Any, table: Any
) -> Iterator[tuple[sa.Column[Any], sa.Column[Any]]]:
    """Pairs of columns that a condition says are equal: (of others, of the table)."""
    if condition is None:
        return
    if isinstance(condition, sa.BooleanClauseList):
        if condition.operator is operators.and_:
            for part in condition.clauses:
                yield from _equalities(part, table)
    elif isinstance(condition, sa.BinaryExpression) and (
        condition.operator is operators.eq
    ):
        left, right = _plain(condition.left), _plain(condition.right)
        if left is not None and right is not None:
            if left.table is table:
                left, right = right, left
            if right.table is table:
                yield left, right


def _plain(element: Any) -> sa.Column[Any] | None:
    """The column of a table, without what the mapper has written on it."""
    if not isinstance(element, sa.ColumnElement):
        return None
    column = getattr(element, "_deannotate", lambda: element)()
    if isinstance(column, sa.Column):
        return column if isinstance(column.table, sa.Table) else None
    table = getattr(column, "table", None)
    origin = getattr(table, "element", None)
    if isinstance(table, sa.Alias) and isinstance(origin, sa.Table):
        found: sa.Column[Any] | None = origin.columns.get(column.key)
        return found
    return None
