"""Entries that the database makes itself, from the rows of a statement.

The rows, as they are and as they will be, stand in common table expressions that are
named like a trigger's transition tables, and are read by the same queries. So a
statement on a million rows costs one more statement, and no memory here.
https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import ARRAY, BigInteger, Select, literal_column
from sqlalchemy.engine import Connection, Dialect

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.primary.sqla.asking import ask, run_unheard
from nefertari_engine_base.primary.sqla.capture.touching import (
    Known,
    Names,
    Wanted,
    spread,
)
from nefertari_engine_base.primary.sqla.outbox import SQLOutbox
from nefertari_engine_base.primary.sqla.tables import outbox
from nefertari_engine_base.primary.sqla.triggers.captures import Capture
from nefertari_engine_base.primary.sqla.triggers.quoting import row
from nefertari_engine_base.primary.sqla.triggers.selects import touches
from nefertari_engine_base.primary.sqla.waking import NOTIFICATION
from nefertari_engine_base.values import OutboxEntry

_ROWS, _NEW, _MADE = "nefertari_rows", "nefertari_new", "nefertari_made"
_COLUMNS = ("secondary", "model", "path", "key")
#: Rows of one read where Python has to spell the ids.
_AT_ONCE = 1000


class Reading(NamedTuple):
    """What is to be made of rows.

    :attr is_new: of the rows as they will be.
    :attr any_class: of whatever class the rows are.
    """

    capture: Capture
    is_new: bool = False
    any_class: bool = False


class Made(NamedTuple):
    """The entries that were made.

    :attr rows: how many rows there were; ``None`` if they were not counted.
    :attr ids: numbers of the entries, no more than were wanted.
    :attr entries: entries as they are, where they are known here.
    """

    rows: int | None
    ids: Sequence[int] = ()
    entries: Sequence[OutboxEntry] = ()


def new_label(name: str) -> str:
    """What the value that a column will have is called among the rows."""
    return f"new {name}"


@dataclass(eq=False, slots=True)
class EntrySet:
    """Makes the entries of rows.

    :attr rows: selects them. A column that is needed has its own name; the value that
        it will have is called by :func:`new_label`.
    :attr columns: names of all columns that are needed.
    :attr changed: those of them that get another value.
    :attr distinct: the columns that tell the rows apart, if ``rows`` may give a row
        more than once.
    """

    rows: Select[Any]
    readings: Sequence[Reading]
    columns: Sequence[str]
    changed: Collection[str] = frozenset()
    distinct: Sequence[str] = ()
    _statements: dict[Any, Any] = field(default_factory=dict)

    def make(
        self,
        connection: Connection,
        into: SQLOutbox,
        wanted: Wanted,
        values: Mapping[str, Any],
        most: int,
    ) -> Made:
        """Make them, in the connection's transaction.

        :param values: of the parameters of ``rows``.
        :param most: how many numbers of entries are wanted.
        """
        chosen = {reading.capture.root for reading in self.readings}
        if not any(chosen.intersection(names) for names in wanted.values()):
            return Made(None)
        dialect = connection.dialect
        announced = into.is_announced
        key = (
            dialect.name,
            announced,
            most,
            *((s, frozenset(n)) for s, n in wanted.items()),
        )
        if key not in self._statements:
            self._statements[key] = self._statement(dialect, wanted, announced, most)
        statement = self._statements[key]
        if statement is None:
            return self._make_by_python(connection, into, wanted, values)
        if dialect.name == "postgresql":
            made: Any = ask(connection, statement, values).one()
            return Made(made[0], made[1])
        result = ask(connection, statement, values)
        if most <= 0 or result.rowcount <= 0:
            return Made(None)
        last = run_unheard(connection, "SELECT last_insert_rowid()")[0]
        return Made(None, range(last - min(result.rowcount, most) + 1, last + 1))

    def _statement(
        self, dialect: Dialect, wanted: Wanted, announced: bool, most: int
    ) -> Any:
        """``None`` if only Python can spell the ids."""
        try:
            texts = self._texts(dialect, wanted)
        except ConfigurationError:
            return None
        rows = self.rows.cte(_ROWS)
        new = sa.select(
            *(
                rows.c[new_label(name) if name in self.changed else name].label(name)
                for name in self.columns
            )
        ).cte(_NEW)
        query: Any = sa.text("\nUNION ".join(texts).replace(":", "\\:"))
        query = query.columns(*_COLUMNS)
        parts = [rows, new] if any(r.is_new for r in self.readings) else [rows]
        if dialect.name != "postgresql":
            # Python's driver begins a transaction for what begins with INSERT.
            inner = query.add_cte(*parts, nest_here=True)
            return sa.insert(outbox).from_select(_COLUMNS, inner)
        insert = sa.insert(outbox).from_select(_COLUMNS, query)
        made = insert.returning(outbox.c.id).cte(_MADE)
        limit = f" LIMIT {most}" if most > 0 else " WHERE false"
        chosen: list[Any] = [
            literal_column(self._count(dialect)),
            literal_column(f"ARRAY(SELECT id FROM {_MADE}{limit})", ARRAY(BigInteger)),
        ]
        if announced:
            chosen.append(NOTIFICATION)
        return sa.select(*chosen).add_cte(*parts, made)

    def _count(self, dialect: Dialect) -> str:
        if not self.distinct:
            return f"(SELECT count(*) FROM {_ROWS})"
        quote = dialect.identifier_preparer.quote
        names = ", ".join(map(quote, self.distinct))
        return f"(SELECT count(*) FROM (SELECT DISTINCT {names} FROM {_ROWS}) AS one)"

    def _texts(self, dialect: Dialect, wanted: Wanted) -> list[str]:
        texts = []
        for secondary, names in wanted.items():
            for capture, is_new, any_class in self.readings:
                if capture.root not in names:
                    continue
                chosen = of_any_class(capture) if any_class else capture
                source = f"{_NEW if is_new else _ROWS} AS changed"
                touched = touches(chosen, secondary, row("changed"), dialect, source)
                texts.append(str(touched))
        return list(dict.fromkeys(texts))

    def _make_by_python(
        self,
        connection: Connection,
        into: SQLOutbox,
        wanted: Wanted,
        values: Mapping[str, Any],
    ) -> Made:
        """As the database would do it, a thousand rows at a time."""
        namers = [
            (Names(r.capture), r) for r in self.readings if not r.capture.referrers
        ]
        rows: Iterable[Any] = ask(
            connection, self.rows, values, yield_per=_AT_ONCE, stream_results=True
        ).mappings()
        seen: set[Any] = set()
        count, entries, left = 0, list[OutboxEntry](), iter(rows)
        while chunk := list(islice(left, _AT_ONCE)):
            found: list[Known] = []
            for one in chunk:
                if self.distinct:
                    seen.add(tuple(one[name] for name in self.distinct))
                found += self._known(one, namers)
            count += len(chunk)
            known = list(dict.fromkeys(spread(found, wanted)))
            entries += into.insert_many(connection, known, into.is_announced, 0)
        return Made(len(seen) if self.distinct else count, (), entries)

    def _known(self, one: Any, namers: Sequence[tuple[Names, Reading]]) -> list[Known]:
        found = []
        old = {name: one[name] for name in self.columns}
        new = {
            name: one[new_label(name)] if name in self.changed else one[name]
            for name in self.columns
        }
        for names, reading in namers:
            values = new if reading.is_new else old
            if reading.any_class or names.is_meant(values):
                known = names.known(values)
                if known is not None:
                    found.append(known)
        return found


def of_any_class(capture: Capture) -> Capture:
    """The capture for rows of whatever class."""
    return capture if capture.classes is None else replace(capture, classes=None)


def columns_of(readings: Iterable[Reading]) -> list[str]:
    """Names of the columns that are needed for these."""
    names: dict[str, None] = {}
    for capture, _, any_class in readings:
        columns: Sequence[Any] = capture.key
        if capture.referrers is not None:
            columns = capture.referrers.referred
        names.update(dict.fromkeys(column.name for column in columns))
        if capture.classes is not None and not any_class:
            names[capture.classes[0].name] = None
    return list(names)
