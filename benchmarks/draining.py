"""How fast workers empty an outbox, and whether a full one slows anybody down.

On PostgreSQL, with workers in processes of their own, against the search server's
ceiling. The entries are of rows that exist; a full table has entries of others besides,
which wait behind them.
"""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.connection import Connection as Pipe
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks.measure import Bar, Contender, Result, rate
from benchmarks.models import StoryColumns, new_base, story_values
from benchmarks.setting import Setting, application, configure, database
from benchmarks.writer import (
    CONNECTIONS,
    READY,
    Index,
    Ready,
    make_documents,
    plain_lines,
)
from nefertari_engine_base.sync.delivery import deliver

ONE = "one worker"
TWO = "two workers"
FULL = "one worker, many more entries waiting"
INSERTS = "200 inserts with entries"
INSERTS_FULL = "the same, many entries waiting"

BARS = (
    Bar(ONE, READY, 0.30, "documents/s", rate, at_least=True),
    Bar(TWO, ONE, 1.3, "documents/s", rate, at_least=True),
    Bar(FULL, ONE, 0.9, "documents/s", rate, at_least=True),
    Bar(INSERTS_FULL, INSERTS, 1.1),
)

WAITING = 1_000_000
_BATCH = 1000
_BULK_INSERTS = 200
#: Ids of inserted rows, above those of the others.
_NEW = 10**9

_FILL = """
INSERT INTO nefertari_outbox (secondary, model, path, key, due_at)
SELECT 'elasticsearch', '{model}', '', number::text,
       extract(epoch from clock_timestamp()) - {age}
FROM generate_series({first}, {last}) AS number
"""


def story_model() -> Any:
    """The model, alike in every process."""
    return type("Story", (StoryColumns, new_base()), {"__tablename__": "stories"})


def run(setting: Setting) -> Result:
    """Measure."""
    count = setting.size(30_000, 2000)
    documents = make_documents(count, setting.seed)
    model = story_model()
    with ExitStack() as stack:
        engine = stack.enter_context(database(setting))
        engines = stack.enter_context(
            application(
                setting, engine, lambda c: c.add_secondary(model),
                nefertari__sync="worker", nefertari__sync__notify="false",
            )
        )  # fmt: skip
        index = Index(setting.elasticsearch, engines, engines.schema_of(model))
        with engine.begin() as connection:
            rows = [document for _, document in documents]
            connection.execute(model.__table__.insert(), rows)
        outbox = _Outbox(engine, count, setting.size(WAITING, 2000))
        workers = [stack.enter_context(_Worker(setting, engine)) for _ in range(2)]
        pool = stack.enter_context(ThreadPoolExecutor(CONNECTIONS))
        insert = _inserts(engine, model, count)

        def drain(name: str, number: int, full: bool = False) -> Contender:
            def before() -> None:
                index.empty()
                outbox.fill(full)

            operation = _drain(workers[:number], count)
            return Contender(name, operation, before, lambda: index.check(count))

        contenders = [
            Ready(READY, index, pool, documents, plain_lines).contender(),
            drain(ONE, 1),
            drain(TWO, 2),
            drain(FULL, 1, full=True),
            Contender(INSERTS, insert, outbox.truncate),
            Contender(INSERTS_FULL, insert, lambda: outbox.fill(True)),
        ]
        samples = setting.measure(contenders, setting.plan())
    title = f"draining: {count:,} entries, {outbox.waiting:,} others in a full table"
    return Result(title, samples, READY, BARS, count, "documents")


class _Outbox:
    """The table of entries, filled by one statement."""

    def __init__(self, engine: sa.Engine, count: int, waiting: int) -> None:
        self._engine = engine
        self._count = count
        self.waiting = waiting

    def truncate(self) -> None:
        """Empty it."""
        with self._engine.begin() as connection:
            connection.execute(sa.text("TRUNCATE nefertari_outbox"))

    def fill(self, full: bool) -> None:
        """Make the entries of all rows, and others behind them."""
        self.truncate()
        with self._engine.begin() as connection:
            if full:
                values = {"age": 1, "first": 10**9, "last": 10**9 + self.waiting - 1}
                connection.execute(sa.text(_FILL.format(model="Story", **values)))
            values = {"age": 100, "first": 0, "last": self._count - 1}
            connection.execute(sa.text(_FILL.format(model="Story", **values)))
        with self._engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            connection.execute(sa.text("VACUUM ANALYZE nefertari_outbox"))


def _drain(workers: list[_Worker], count: int) -> Callable[[int], None]:
    def operation(_: int) -> None:
        share = count // len(workers)
        for worker in workers:
            worker.begin(share)
        for worker in workers:
            worker.end()

    return operation


def _inserts(engine: sa.Engine, model: Any, count: int) -> Callable[[int], None]:
    def operation(number: int) -> None:
        for each in range(_BULK_INSERTS):
            with Session(engine) as session:
                story = model(id=_NEW + each, **story_values(each))
                session.add(story)
                session.flush()
                session.rollback()

    return operation


class _Worker:
    """A process that delivers as many entries as it is told."""

    def __init__(self, setting: Setting, engine: sa.Engine) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        url = engine.url.render_as_string(hide_password=False)
        self._process = context.Process(
            target=_work, args=(theirs, setting, setting.prefix, url)
        )

    def __enter__(self) -> _Worker:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send(None)
        self._process.join()

    def begin(self, count: int) -> None:
        """Deliver entries."""
        self._pipe.send(count)

    def end(self) -> None:
        """Wait until they are delivered. :raises RuntimeError: if some were not."""
        error = self._pipe.recv()
        if error:
            raise RuntimeError(error)


def _work(pipe: Pipe, setting: Setting, prefix: str, url: str) -> None:
    engine = sa.create_engine(url)
    engines = configure(
        setting, engine, lambda c: c.add_secondary(story_model()),
        nefertari__sync="worker", elasticsearch__index_prefix=prefix,
    )  # fmt: skip
    (outbox,) = engines.outboxes()
    # As the command does.
    gc.collect()
    gc.freeze()
    while (count := pipe.recv()) is not None:
        done = 0
        while done < count:
            report = deliver(engines, outbox, min(_BATCH, count - done))
            done += report.entries
            if not report.entries:
                break
        pipe.send("" if done >= count else f"{done} of {count} entries were delivered")
    engines.close()
    engine.dispose()
