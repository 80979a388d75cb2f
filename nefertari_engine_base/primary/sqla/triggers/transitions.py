"""What PostgreSQL tells of a statement, turned into entries: its transition tables.

An UPDATE has one of the rows before it and one of the rows after it, in no order that
anybody promises. They are joined by the primary key. A FULL JOIN can only be made by
hashing or sorting, so it stays quick when a plan that was made for one row is used for
a million. A row whose key has changed has no partner, on either side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from nefertari_engine_base.primary.sqla.triggers.captures import Capture, Columns
from nefertari_engine_base.primary.sqla.triggers.quoting import PLAIN, Row, row
from nefertari_engine_base.primary.sqla.triggers.selects import of_class, touches

NEW, OLD = "new_rows", "old_rows"

_DIALECT = PLAIN["postgresql"]
_ROW, _CHANGED = "changed_row", "changed"
_INDENT = "\n  "


@dataclass(frozen=True, slots=True)
class Entries:
    """A query of the entries to write.

    :attr tables: common table expressions that it needs.
    """

    query: str
    tables: tuple[str, ...] = ()

    def text(self, *tables: str) -> str:
        """The statement, with further common table expressions in front."""
        chosen = (*tables, *self.tables)
        start = f"WITH {f',{_INDENT}'.join(chosen)}{_INDENT}" if chosen else ""
        return start + self.query


def entries_of(
    table: sa.Table, captures: Sequence[Capture], secondaries: Sequence[str]
) -> Iterator[tuple[str, Entries]]:
    """The entries of each kind of statement that writes any: (event, entries)."""
    for event, rows in (("insert", NEW), ("delete", OLD)):
        source = f"{rows} AS {_ROW}"
        own: list[str] = []
        others: list[str] = []
        for capture in captures:
            if _is_captured(capture, event):
                chosen = own if _is_own(capture) else others
                chosen += [
                    str(touches(capture, secondary, row(_ROW), _DIALECT, source))
                    for secondary in secondaries
                ]
        if own or others:
            yield event, Entries(_united(own, others))
    update = _Update(table, [c for c in captures if _is_captured(c, "update")])
    if update.captures:
        yield "update", update.entries(secondaries)


def _is_captured(capture: Capture, event: str) -> bool:
    if capture.referrers is not None:
        # Who refers to a row that comes is found when its entry is delivered. One that
        # goes may come again, in the same statement or before a foreign key is looked
        # at, and nobody else would tell of those who refer to it all the time.
        return event == "delete" or (
            event == "update" and not capture.referrers.guarded
        )
    return event == "update" or not capture.only_updates


def _is_own(capture: Capture) -> bool:
    """Whether each row has a document of its own: no two touch the same."""
    return (
        capture.referrers is None
        and not capture.path
        and set(capture.key) == set(capture.table.primary_key)
    )


def _united(own: Sequence[str], others: Sequence[str]) -> str:
    """All entries, each once; there is nothing to compare in those of own documents."""
    shared = f"{_INDENT}UNION ".join(others)
    if len(others) == 1:
        shared = shared.replace("SELECT", "SELECT DISTINCT", 1)
    elif own and others:
        shared = f"({shared})"
    return f"{_INDENT}UNION ALL ".join([*own, *([shared] if others else [])])


class _Update:
    """The entries of an UPDATE."""

    def __init__(self, table: sa.Table, captures: Sequence[Capture]) -> None:
        self.key: list[Any] = list(table.primary_key)
        self.captures = captures
        sets = dict.fromkeys(frozenset(c.watched) for c in captures)
        #: Columns that any of several captures watches, by the name of their flag.
        self._flags = {one: f"c{number}" for number, one in enumerate(sets)}
        self._told: dict[Any, int] = {}
        for capture in captures:
            for column in (*capture.key, *_referred(capture), *_class_column(capture)):
                self._told.setdefault(column, len(self._told))

    def entries(self, secondaries: Sequence[str]) -> Entries:
        own: list[str] = []
        others: list[str] = []
        for secondary in secondaries:
            for capture in self.captures:
                chosen = own if _is_own(capture) else others
                chosen += self._touches(capture, secondary)
        table = self._paired if self.key else self._counted
        return Entries(_united(own, others), (f"{_CHANGED} AS MATERIALIZED ({table})",))

    def _touches(self, capture: Capture, secondary: str) -> Iterator[str]:
        """What changed rows touch as they are, and as they were if that is more."""
        new, old = self._row("n"), self._row("o")
        flag = ""
        if self._has_flags:
            flag = f"{_CHANGED}.{self._flags[frozenset(capture.watched)]}"
        for each in (new, old):
            chosen = touches(capture, secondary, each, _DIALECT, _CHANGED)
            if each is old:
                columns = (*capture.key, *_referred(capture))
                other = [
                    f"{identity(c, old)} IS DISTINCT FROM {identity(c, new)}"
                    for c in columns
                ]
                other += [
                    f"({text}) IS NOT TRUE" for text in of_class(capture, new, _DIALECT)
                ]
                chosen = chosen.where(" OR ".join(other))
            yield str(chosen.where(flag))

    def _row(self, side: str) -> Row:
        return lambda column: f"{_CHANGED}.{side}{self._told[column]}"

    @property
    def _has_flags(self) -> bool:
        return bool(self.key) and len(self._flags) > 1

    @cached_property
    def _watched(self) -> Columns:
        return tuple(dict.fromkeys(c for one in self.captures for c in one.watched))

    @property
    def _paired(self) -> str:
        """Rows that have changed, beside what they were."""
        new, old = row("n"), row("o")
        columns = [
            f"{each(column)} AS {side}{number}"
            for column, number in self._told.items()
            for side, each in (("n", new), ("o", old))
        ]
        alone = [f"{each(self.key[0])} IS NULL" for each in (new, old)]
        if self._has_flags:
            columns += [
                f"({_any([*alone, *self._differences(watched)])}) AS {name}"
                for watched, name in self._flags.items()
            ]
        same = [f"{identity(c, new)} = {identity(c, old)}" for c in self.key]
        return (
            f"SELECT {', '.join(columns)}{_INDENT}"
            f"FROM {NEW} AS n FULL JOIN {OLD} AS o ON {' AND '.join(same)}{_INDENT}"
            f"WHERE {_any([*alone, *self._differences(self._watched)])}"
        )

    def _differences(self, watched: Any) -> list[str]:
        # The key is the same in rows that are a pair.
        chosen = [c for c in self._watched if c in watched and c not in self.key]
        new, old = row("n"), row("o")
        return [
            f"{identity(c, new)} IS DISTINCT FROM {identity(c, old)}" for c in chosen
        ]

    @property
    def _counted(self) -> str:
        """Of a table without a key: rows that there are more of before or after."""
        told = [f"k{number}" for number in self._told.values()]
        seen = [f"w{number}" for number in range(len(self._watched))]
        each = row("r")
        inner = [
            *(f"{each(c)} AS k{number}" for c, number in self._told.items()),
            *(f"{identity(c, each)} AS w{n}" for n, c in enumerate(self._watched)),
        ]
        chosen = [
            f"CASE WHEN sum(one) {sign} 0 THEN {name} END AS {side}{name[1:]}"
            for name in told
            for side, sign in (("n", ">"), ("o", "<"))
        ]
        return (
            f"SELECT {', '.join(chosen)} FROM ({_INDENT}"
            f"SELECT 1 AS one, {', '.join(inner)} FROM {NEW} AS r UNION ALL{_INDENT}"
            f"SELECT -1, {', '.join(inner)} FROM {OLD} AS r) AS counted{_INDENT}"
            f"GROUP BY {', '.join([*told, *seen])} HAVING sum(one) <> 0"
        )


def _referred(capture: Capture) -> Columns:
    return capture.referrers.referred if capture.referrers else ()


def _class_column(capture: Capture) -> Columns:
    return (capture.classes[0],) if capture.classes else ()


def _any(conditions: Sequence[str]) -> str:
    return " OR ".join(conditions)


def identity(column: Any, named: Row) -> str:
    """What is equal for two values only if documents show them as the same.

    Many types have an equality of their own that says less: 1.0 is 1.00, a day is 24
    hours, an A may be an a. Their text has none.
    """
    type_ = column.type
    if isinstance(type_, TypeDecorator):
        type_ = type_.type_engine(_DIALECT)
    # SQLAlchemy has no public way to ask for the variants.
    type_ = getattr(type_, "_variant_mapping", {}).get("postgresql", type_)
    name = named(column)
    if isinstance(type_, sa.Float) and not type_.asdecimal:
        return f"float8send({name})"  # zero has a sign
    if isinstance(type_, _EXACT):
        return name
    return f'{name}::text COLLATE "C"'


_EXACT = (
    *(sa.Integer, sa.Boolean, sa.Date, sa.DateTime, sa.Time, sa.Uuid),
    sa.LargeBinary,
)
