"""Which rows an INSERT may change in place of inserting: those that have its keys.

https://www.sqlite.org/lang_upsert.html
https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nefertari_engine_base.primary.sqla.asking import run_unheard
from nefertari_engine_base.primary.sqla.capture.following import FollowedTable
from nefertari_engine_base.primary.sqla.capture.plans import InsertPlan, Key

UNKNOWN_KEYS = "which rows its ON CONFLICT DO UPDATE changes is not known before it"


def updates(clause: Any) -> bool:
    """Whether an INSERT with this ON CONFLICT may change rows that are there."""
    return clause is not None and hasattr(clause, "update_values_to_set")


def complete(plan: InsertPlan, table: FollowedTable, clause: Any) -> bool:
    """Say in a plan by which keys the INSERT finds rows to change.

    :return: whether these are known.
    """
    plan.is_upsert = True
    key = _target(table, clause)
    plan.conflicts = (
        _any_keys(table, plan) if key == () else [] if key is None else [key]
    )
    plan.is_of_any_key = key == ()
    named = plan.rows is not None and all(
        name in row for row in plan.rows for one in plan.conflicts for name in one
    )
    if not plan.conflicts or not named:
        return False
    set_, moved = _set(table, clause)
    needed = {c.name for capture in table.captures for c in capture.key}
    found_by = {name for one in plan.conflicts for name in one}
    if set_ & set(table.key) or (moved & found_by and set_ & needed):
        return False
    # They are not found afterwards by keys that they do not have any more.
    plan.moves = bool((set_ & (needed - found_by)) | (moved & found_by))
    return True


def _target(table: FollowedTable, clause: Any) -> Key | None:
    """Columns of the key that the ON CONFLICT names; none for any key. ``None`` if
    that cannot be told."""
    name = getattr(clause, "constraint_target", None)
    if name is not None:
        constraints: Sequence[Any] = list(table.table.constraints)
        found = [c.name for one in constraints if one.name == name for c in one.columns]
        return tuple(found) or None
    elements = [
        element if isinstance(element, str) else getattr(element, "name", None)
        for element in clause.inferred_target_elements or ()
    ]
    return None if None in elements else tuple(e for e in elements if e is not None)


def _any_keys(table: FollowedTable, plan: InsertPlan) -> list[Key]:
    """The keys that a new row may share with one that is there: all that the models
    know, but for those of which it is going to have NULL or a new number."""
    numbered = table.table.autoincrement_column
    none = set(plan.never)
    if numbered is not None and numbered.name not in plan.named:
        none.add(numbered.name)
    return [key for key in _unique_keys(table) if none.isdisjoint(key)]


def _unique_keys(table: FollowedTable) -> Iterator[Key]:
    chosen: list[Any] = [
        one
        for one in table.table.constraints
        if isinstance(one, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
    ]
    chosen += [index for index in table.table.indexes if index.unique]
    for one in chosen:
        if names := tuple(column.name for column in one.columns):
            yield names


def _set(table: FollowedTable, clause: Any) -> tuple[set[str], set[str]]:
    """Columns that rows are given values of, and those of them whose value may be
    another one than that of the row that gives way."""
    columns = table.table.c
    set_, moved = set(), set()
    for target, value in dict(clause.update_values_to_set).items():
        name = target if isinstance(target, str) else target.name
        name = columns[name].name if name in columns else name
        set_.add(name)
        excluded = getattr(getattr(value, "table", None), "name", None) == "excluded"
        if not excluded or getattr(value, "name", None) != name:
            moved.add(name)
    return set_, moved


def has_other_keys(connection: Connection, plan: InsertPlan) -> bool:
    """Whether SQLite knows of a unique index that the models do not know."""
    assert plan.table is not None
    known = {frozenset(one) for one in _unique_keys(plan.table)}
    table = plan.table.table
    names = [table.name] if table.schema is None else [table.name, table.schema]
    texts = ("'" + name.replace("'", "''") + "'" for name in names)
    row = run_unheard(connection, _INDICES.format(", ".join(texts)))
    found = (row[0] or "").split("\n\n")
    return not known.issuperset(frozenset(one.split("\n")) for one in found if one)


# An expression has no name, and so is no column that anybody knows.
_INDICES = (
    "SELECT group_concat((SELECT group_concat(coalesce(name, '?'), char(10)) "
    "FROM pragma_index_info(list.name)), char(10, 10)) "
    'FROM pragma_index_list({}) AS list WHERE list."unique"'
)
