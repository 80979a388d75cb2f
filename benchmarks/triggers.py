"""What triggers add to statements that change many rows at once.

The floor is the same statement, followed by one hand-written INSERT of as many entries.
Every contender has a table of its own, of the same rows, and executes by Core.
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

#: How many times the floor triggers may take, for kinds of statements.
LIMITS = {"insert": 1.5, "insert select": 1.5, "update": 1.5, "delete": 1.5}


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
                if place == "PostgreSQL" and kind in LIMITS:
                    *_, floor, triggers = (each.name for each in contenders)
                    bars.append(Bar(triggers, floor, LIMITS[kind]))
    title = f"triggers: statements of {rows:,} rows"
    return Result(title, samples, next(iter(samples)), bars, rows, "rows")


@contextmanager
def _sqlite(folder: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{folder}/bench.sqlite")
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class _Tables:
    """Tables of one database.

    :attr plain: has no documents.
    :attr followed: has triggers.
    :attr source: holds the rows of both.
    """

    engine: sa.Engine
    plain: sa.Table
    followed: sa.Table
    source: sa.Table
    values: list[dict[str, Any]]

    @classmethod
    @contextmanager
    def made(cls, setting: Setting, engine: sa.Engine, rows: int) -> Iterator[_Tables]:
        """Make them; that of the source is full."""
        base = new_base()
        models: dict[str, Any] = {
            name: type(name, (StoryColumns, base), {"__tablename__": name.lower()})
            for name in ("PlainStory", "FollowedStory", "SourceStory")
        }
        base.metadata.create_all(engine)
        different = [story_values(number) for number in range(DIFFERENT)]
        values = [
            {"id": number + 1, **different[number % DIFFERENT]}
            for number in range(rows)
        ]
        plain, followed, source = (model.__table__ for model in models.values())
        with application(
            setting, engine, lambda c: c.add_secondary(models["FollowedStory"]),
            nefertari__sync="worker", nefertari__capture="triggers",
        ):  # fmt: skip
            with engine.begin() as connection:
                connection.execute(source.insert(), values)
            yield cls(engine, plain, followed, source, values)

    def contenders(self, place: str, kind: str) -> list[Contender]:
        """The statement alone, with entries by hand, and with triggers."""
        full = "insert" not in kind
        return [
            self._contender(f"{place}, {kind}: {name}", table, kind, full, by_hand)
            for name, table, by_hand in (
                ("alone", self.plain, False),
                ("floor", self.plain, kind in LIMITS),
                ("triggers", self.followed, False),
            )
        ]

    def _contender(
        self, name: str, table: sa.Table, kind: str, full: bool, by_hand: bool
    ) -> Contender:
        execute = self._statement(table, kind)
        # What is gone is not there to be selected from.
        entries = self._entries(self.source)

        def operation(number: int) -> None:
            with self.engine.begin() as connection:
                execute(connection)
                if by_hand:
                    connection.execute(entries)

        return Contender(name, operation, before=lambda: self._reset(table, full))

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
            f"SELECT 'elasticsearch', 'FollowedStory', '', CAST(id AS text) "
            f"FROM {table.name}"
        )

    def _reset(self, table: sa.Table, full: bool) -> None:
        is_sqlite = self.engine.dialect.name == "sqlite"
        empty = "DELETE FROM" if is_sqlite else "TRUNCATE"
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"{empty} {table.name}")
            if full:
                rows = table.insert().from_select(
                    list(table.columns.keys()), self.source.select()
                )
                connection.execute(rows)
            for own in ("nefertari_outbox", "nefertari_debt"):
                connection.exec_driver_sql(f"{empty} {own}")
        with self.engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            if not is_sqlite:
                connection.exec_driver_sql(f"VACUUM ANALYZE {table.name}")
