"""What each capture adds to statements that change many rows at once.

The floor is the same statement, followed by one hand-written INSERT of as many entries.
The statement alone, the floor and each capture have a table of their own, of the same
rows, and execute by Core; nobody listens to the engine of the first two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from benchmarks.measure import Bar, Contender, Result, Samples
from benchmarks.models import StoryColumns, new_base, story_values
from benchmarks.setting import Setting, application, database

ROWS = 50_000
#: A row of so many is another one: making all of them takes longer than to store them.
DIFFERENT = 1000

KINDS = ("insert", "insert select", "update", "delete", "update of nothing shown")

#: Those whose floor has entries.
TELLING = KINDS[:4]

#: How many times the floor each capture may take.
LIMITS = {"session": 2.0, "triggers": 1.5}


def run(setting: Setting) -> Result:
    """Measure."""
    samples: Samples = {}
    bars: list[Bar] = []
    rows = setting.size(ROWS)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        engines = {
            "PostgreSQL": stack.enter_context(database(setting)),
            "SQLite": stack.enter_context(_sqlite(folder)),
        }
        for place, engine in engines.items():
            tables = stack.enter_context(_Tables.made(setting, engine, rows))
            for kind in KINDS:
                contenders = tables.contenders(place, kind)
                plan = setting.plan()
                samples |= setting.measure(contenders, plan)
                if kind in TELLING:
                    _, floor, *captures = (each.name for each in contenders)
                    bars += [
                        Bar(name, floor, limit)
                        for name, limit in zip(captures, LIMITS.values(), strict=True)
                    ]
    title = f"bulk: statements of {rows:,} rows"
    return Result(title, samples, next(iter(samples)), bars, rows, "rows")


@contextmanager
def _sqlite(folder: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{folder}/bench.sqlite")
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class _Followed:
    """A table, and the engine that changes it."""

    engine: sa.Engine
    table: sa.Table


@dataclass(frozen=True)
class _Tables:
    """Tables of one database.

    :attr plain: has no documents.
    :attr captures: those that have, by capture.
    :attr source: holds the rows of all of them.
    """

    plain: _Followed
    captures: dict[str, _Followed]
    source: sa.Table
    values: list[dict[str, Any]]

    @classmethod
    @contextmanager
    def made(cls, setting: Setting, engine: sa.Engine, rows: int) -> Iterator[_Tables]:
        """Make them; that of the source is full."""
        base = new_base()
        plain, source, *models = (
            type(name, (StoryColumns, base), {"__tablename__": name.lower()})
            for name in ("PlainStory", "SourceStory", "SessionStory", "TriggersStory")
        )
        base.metadata.create_all(engine)
        different = [story_values(number) for number in range(DIFFERENT)]
        values = [
            {"id": number + 1, **different[number % DIFFERENT]}
            for number in range(rows)
        ]
        captures: dict[str, _Followed] = {}
        with ExitStack() as stack:
            # Setup for triggers comes last: that of sessions would take them off.
            for capture, model in zip(LIMITS, models, strict=True):
                own = sa.create_engine(engine.url)
                stack.callback(own.dispose)
                stack.enter_context(
                    application(
                        setting, own, lambda c, model=model: c.add_secondary(model),
                        nefertari__sync="worker", nefertari__capture=capture,
                    )
                )  # fmt: skip
                captures[capture] = _Followed(own, model.__table__)
            with engine.begin() as connection:
                connection.execute(source.__table__.insert(), values)
            yield cls(
                _Followed(engine, plain.__table__), captures, source.__table__, values
            )

    def contenders(self, place: str, kind: str) -> list[Contender]:
        """The statement alone, with entries by hand, and with each capture."""
        return [
            self._contender(f"{place}, {kind}: {name}", followed, kind, by_hand)
            for name, followed, by_hand in (
                ("alone", self.plain, False),
                ("floor", self.plain, kind in TELLING),
                *((name, followed, False) for name, followed in self.captures.items()),
            )
        ]

    def _contender(
        self, name: str, followed: _Followed, kind: str, by_hand: bool
    ) -> Contender:
        execute = self._statement(followed.table, kind)
        # What is gone is not there to be selected from.
        entries = self._entries(self.source)
        full = "insert" not in kind

        def operation(number: int) -> None:
            with followed.engine.begin() as connection:
                execute(connection)
                if by_hand:
                    connection.execute(entries)

        return Contender(
            name, operation, before=lambda: self._reset(followed.table, full)
        )

    def _statement(
        self, table: sa.Table, kind: str
    ) -> Callable[[sa.Connection], object]:
        columns = list(table.columns.keys())
        statements = {
            "insert select": table.insert().from_select(columns, self.source.select()),
            "update": table.update().values(title=table.c.title + "!"),
            "update of nothing shown": table.update().values(title=table.c.title),
            "delete": table.delete(),
        }
        if kind == "insert":
            return lambda connection: connection.execute(table.insert(), self.values)
        return lambda connection: connection.execute(statements[kind])

    def _entries(self, table: sa.Table) -> sa.TextClause:
        return sa.text(
            f"INSERT INTO nefertari_outbox (secondary, model, path, key) "
            f"SELECT 'elasticsearch', 'SessionStory', '', CAST(id AS text) "
            f"FROM {table.name}"
        )

    def _reset(self, table: sa.Table, full: bool) -> None:
        is_sqlite = self.plain.engine.dialect.name == "sqlite"
        empty = "DELETE FROM" if is_sqlite else "TRUNCATE"
        with self.plain.engine.begin() as connection:
            connection.exec_driver_sql(f"{empty} {table.name}")
            if full:
                rows = table.insert().from_select(
                    list(table.columns.keys()), self.source.select()
                )
                connection.execute(rows)
            for own in ("nefertari_outbox", "nefertari_debt"):
                connection.exec_driver_sql(f"{empty} {own}")
        with self.plain.engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            if not is_sqlite:
                connection.exec_driver_sql(f"VACUUM ANALYZE {table.name}")
