"""What the database does by itself to the rows of others, before it does it.

``ON DELETE CASCADE`` and its likes change rows that no statement names, and afterwards
nobody can tell which they were. So the entries of these rows are made before, table by
table. The rows that are referred to are locked first: a row that another transaction
makes refer to them would follow unseen; its foreign key has to wait.
https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select
from sqlalchemy.engine import Connection

from nefertari_engine_base.primary.sqla.asking import ask
from nefertari_engine_base.primary.sqla.capture.following import (
    Cause,
    FollowedTable,
    Rule,
)
from nefertari_engine_base.primary.sqla.capture.sets import (
    EntrySet,
    Reading,
    columns_of,
    new_label,
)
from nefertari_engine_base.primary.sqla.triggers.captures import Capture


class Endless(LookupError):
    """Rules that lead back to a table by way of others: not followed row by row."""


#: A model, a path, and the columns of the key that its documents are named by.
_Touched = tuple[str, str, tuple[str, ...]]


class Level:
    """The rows of one table that follow those of another one.

    :attr locks: locks them, and counts them.
    :attr is_recursive: rows may follow rows of the same table.
    """

    def __init__(
        self,
        rule: Rule,
        parents: Select[Any],
        cause: Cause,
        covered: frozenset[_Touched] = frozenset(),
    ) -> None:
        self.rule, self.cause = rule, cause
        self.table = rule.child
        self.goes = cause is Cause.DELETE and rule.action == "CASCADE"
        self.is_recursive = self.goes and any(
            below.child is rule.child for below in rule.child.rules.get(cause, ())
        )
        self._parents = parents
        self._covered = covered

    def entries(self, enforced: bool) -> EntrySet | None:
        """What makes the entries of these rows; ``None`` if they touch nothing."""
        readings = list(self._readings(enforced))
        if not readings:
            return None
        needed = columns_of(readings)
        rows = self.rows(needed).with_for_update(
            of=self.table.table, key_share=not self.goes
        )
        changed = set() if self.goes else set(self.rule.columns) & set(needed)
        return EntrySet(rows, readings, needed, changed)

    def _readings(self, enforced: bool) -> Iterator[Reading]:
        if self.goes:
            for reading in of_deleted(self.table.captures, enforced):
                if not self._is_covered(reading.capture):
                    yield reading
        else:
            changed = set(self.rule.columns)
            known = changed if self.rule.action != "SET DEFAULT" else set()
            yield from of_updated(self.table.captures, changed, known)

    def _is_covered(self, capture: Capture) -> bool:
        """Whether the rows that are followed touch the same documents."""
        referred = dict(zip(self.rule.columns, self.rule.referred, strict=True))
        key = tuple(referred.get(column.name, "") for column in capture.key)
        return (capture.root, capture.path, key) in self._covered

    def rows(self, names: Sequence[str]) -> Select[Any]:
        """Selects columns of these rows, and what becomes of those that change."""
        table = self.table.table
        parents = self._parents.subquery("nefertari_parents")
        pairs = list(zip(self.rule.columns, self.rule.referred, strict=True))
        columns: list[Any] = [table.c[name].label(name) for name in names]
        if not self.goes:
            news = dict(self._news(parents))
            columns += [news[n].label(new_label(n)) for n in names if n in news]
        if self.is_recursive:
            return self._closure(parents, pairs, columns)
        joined = sa.and_(*(table.c[own] == parents.c[ref] for own, ref in pairs))
        return sa.select(*columns).select_from(table).join(parents, joined)

    def _news(self, parents: Any) -> Iterator[tuple[str, ColumnElement[Any]]]:
        for own, ref in zip(self.rule.columns, self.rule.referred, strict=True):
            column = self.table.table.c[own]
            if self.rule.action == "CASCADE" and new_label(ref) in parents.c:
                yield own, parents.c[new_label(ref)]
            elif self.rule.action == "CASCADE":
                yield own, column
            else:
                yield own, sa.cast(sa.null(), column.type)

    def _closure(
        self, parents: Any, pairs: list[tuple[str, str]], columns: list[Any]
    ) -> Select[Any]:
        table, key = self.table.table, self.table.key
        if not key:
            raise Endless(self.table.table.name)
        referred = {ref for r in self._own_rules() for ref in r.referred}
        names = list(dict.fromkeys([*key, *referred]))
        first = sa.select(*(table.c[name] for name in names)).join(
            parents, sa.and_(*(table.c[own] == parents.c[ref] for own, ref in pairs))
        )
        closure = first.cte("nefertari_closure", recursive=True)
        below = table.alias("nefertari_below")
        for rule in self._own_rules():
            pairs = list(zip(rule.columns, rule.referred, strict=True))
            step = sa.select(*(below.c[name] for name in names)).join(
                closure,
                sa.and_(*(below.c[own] == closure.c[ref] for own, ref in pairs)),
            )
            closure = closure.union(step)
        inside = sa.tuple_(*(table.c[name] for name in key)).in_(
            sa.select(*(closure.c[name] for name in key))
        )
        if len(key) == 1:
            inside = table.c[key[0]].in_(sa.select(closure.c[key[0]]))
        return sa.select(*columns).where(inside)

    def _own_rules(self) -> list[Rule]:
        rules = self.table.rules.get(self.cause, ())
        return [r for r in rules if r.child is self.table and r.action == "CASCADE"]

    def below(self) -> Iterator[Level]:
        """The levels that follow from this one."""
        for rule, parents, cause in self._rules_below():
            if rule.child is not self.table:
                yield Level(rule, parents, cause)

    def _rules_below(self) -> Iterator[tuple[Rule, Select[Any], Cause]]:
        if self.goes:
            for rule in self.table.rules.get(Cause.DELETE, ()):
                if not (self.is_recursive and rule.child is self.table):
                    yield rule, self.rows(rule.referred), Cause.DELETE
            return
        changed = set(self.rule.columns)
        for rule in self.table.rules.get(Cause.NEW_KEY, ()):
            if changed & set(rule.referred):
                yield rule, self.rows(rule.referred), Cause.NEW_KEY


def levels(
    table: FollowedTable, rows: Callable[[Sequence[str]], Select[Any]], cause: Cause,
    changed: frozenset[str] = frozenset(),
) -> list[Level]:  # fmt: skip
    """All levels of rows that follow rows of a table, the nearest first.

    :param rows: makes a select of these columns of the rows.
    :param changed: columns that get another value, for a new key.
    :raises Endless: if the rules lead in a circle.
    """
    found: list[Level] = []
    covered = frozenset(
        (one.root, one.path, tuple(column.name for column in one.key))
        for one in table.captures
        if cause is Cause.DELETE and one.referrers is None and not one.only_updates
    )
    todo: list[tuple[Level, tuple[FollowedTable, ...]]] = []
    for rule in table.rules.get(cause, ()):
        if cause is Cause.DELETE or changed & set(rule.referred):
            level = Level(rule, rows(rule.referred), cause, covered)
            todo.append((level, (table,)))
    while todo:
        level, passed = todo.pop(0)
        if level.table in passed and not (
            level.is_recursive or level.table is passed[-1]
        ):
            raise Endless(level.table.table.name)
        if level.table is passed[-1] and level.goes and not level.is_recursive:
            raise Endless(level.table.table.name)
        found.append(level)
        todo += [(below, (*passed, level.table)) for below in level.below()]
    return found


def lock(connection: Connection, level: Level, values: Mapping[str, Any]) -> None:
    """Lock the rows of a level, until no more are found: what another transaction has
    made follow before the first of them was locked is there by then."""
    if not level.is_recursive:
        return
    names = level.table.key
    rows = level.rows(names).with_for_update(of=level.table.table)
    counted = sa.select(sa.func.count()).select_from(rows.subquery())
    before = -1
    while (count := ask(connection, counted, values).scalar_one()) != before:
        before = count


# --- what is read of rows -------------------------------------------------------------


def of_deleted(captures: Sequence[Capture], enforced: bool) -> Iterator[Reading]:
    """What rows touch that go.

    :param enforced: the database obeys its foreign keys.
    """
    for capture in captures:
        if capture.referrers is not None:
            # Rows that hold the key themselves are found by it when they are delivered.
            if capture.referrers.linked and not (
                enforced and capture.referrers.guarded
            ):
                yield Reading(capture)
        elif not capture.only_updates or not enforced:
            yield Reading(capture)


def of_updated(
    captures: Sequence[Capture], changed: set[str] | None, known: set[str]
) -> Iterator[Reading]:
    """What rows touch of which these columns change, as they were and as they will be.

    :param changed: ``None``: any of them.
    :param known: those of which the new value is known.
    :raises LookupError: if a new key is not known.
    """
    for capture in captures:
        if capture.referrers is not None or not is_touched(capture, changed):
            continue
        names = {column.name for column in capture.key}
        is_class = capture.classes is not None and (
            changed is None or capture.classes[0].name in changed
        )
        yield Reading(capture, any_class=is_class)
        moved = names if changed is None else names & changed
        if not moved:
            continue
        if moved <= known:
            yield Reading(capture, is_new=True, any_class=is_class)
        elif capture.by_row is not None:
            yield from of_updated([capture.by_row], changed, known)
        else:
            raise LookupError(moved)


def is_touched(capture: Capture, changed: set[str] | None) -> bool:
    """Whether an update of these columns concerns a capture."""
    if changed is None:
        return True
    return any(c.name in changed or is_derived(c) for c in capture.watched)


def is_derived(column: Any) -> bool:
    """Whether the database may change a column whatever is updated."""
    return column.computed is not None or column.server_onupdate is not None
