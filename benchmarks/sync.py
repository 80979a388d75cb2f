"""What synchronisation adds to an insert, on PostgreSQL.

Every contender inserts one instance of the same columns in a session of its own, over
a connection of the same kind, and commits. The first model has no documents, and an
engine that nobody listens to. Each capture is measured, sessions and triggers; the
triggers of an application are removed by the setup of another one, so each has a schema
of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from elasticsearch import Elasticsearch
from elasticsearch.serializer import OrjsonSerializer
from sqlalchemy.orm import Session

from benchmarks.measure import Bar, Contender, Result
from benchmarks.models import StoryColumns, new_base, story_values
from benchmarks.setting import Setting, application, database

ALONE = "insert and commit alone"
OUTBOX = "with outbox row (sync = worker)"
DIRECT = "insert, then client.index()"
INLINE = "with inline delivery (sync = inline)"
TRIGGERS = "with triggers (sync = worker)"
TRIGGERS_INLINE = "with triggers and inline delivery (sync = inline)"

BARS = (
    Bar(OUTBOX, ALONE, 1.25),
    Bar(TRIGGERS, ALONE, 1.25),
    Bar(INLINE, DIRECT, 1.45),
    Bar(TRIGGERS_INLINE, DIRECT, 1.45),
)


def run(setting: Setting) -> Result:
    """Measure."""
    base = new_base()
    plain, queued, inline = (
        type(name, (StoryColumns, base), {"__tablename__": name.lower()})
        for name in ("PlainStory", "QueuedStory", "InlineStory")
    )
    with ExitStack() as stack:
        engine = stack.enter_context(database(setting))
        base.metadata.create_all(engine)
        stack.enter_context(
            application(
                setting, engine, lambda config: config.add_secondary(queued),
                nefertari__sync="worker",
            )
        )  # fmt: skip
        engines = stack.enter_context(
            application(
                setting, engine, lambda config: config.add_secondary(inline),
                nefertari__sync="inline",
            )
        )  # fmt: skip
        told, told_inline = (
            stack.enter_context(_triggers(setting, mode))
            for mode in ("worker", "inline")
        )
        direct = stack.enter_context(_DirectIndex(setting, engines, inline))
        # An insert without documents shall not pay for its engine's being listened to,
        # which the engines of sessions with the same URL are as well.
        unheard = engine.url.update_query_dict({"application_name": "alone"})
        alone = sa.create_engine(unheard, pool=engine.pool)
        # Made beforehand: the database is asked for the ids in all of them.
        stories = [story_values(number) for number in range(1000)]
        contenders = [
            Contender(ALONE, _insert(alone, plain, stories)),
            Contender(
                OUTBOX,
                _insert(engine, queued, stories),
                after=lambda: _empty_outbox(engine),
            ),
            Contender(DIRECT, _insert_and_index(alone, plain, stories, direct)),
            Contender(INLINE, _insert(engine, inline, stories)),
            Contender(
                TRIGGERS,
                _insert(told.engine, told.model, stories),
                after=lambda: _empty_outbox(told.engine),
            ),
            Contender(
                TRIGGERS_INLINE,
                _insert(told_inline.engine, told_inline.model, stories),
            ),
        ]
        plan = setting.plan(operations=20, blocks=15, warm_up=1000)
        refreshes = _Refreshes(engines, inline)
        samples = setting.measure(contenders, plan)
        facts = [refreshes.fact()]
        _check(engines, inline)
        _check(told_inline.engines, told_inline.model)
    return Result("sync: one insert and commit", samples, ALONE, BARS, facts=facts)


@dataclass(frozen=True)
class _Told:
    """An application whose database tells of changes."""

    engine: sa.Engine
    engines: Any
    model: Any


@contextmanager
def _triggers(setting: Setting, mode: str) -> Iterator[_Told]:
    """An application with triggers, on a schema of its own."""
    base = new_base()
    name = f"{mode.title()}TriggersStory"
    model: Any = type(name, (StoryColumns, base), {"__tablename__": name.lower()})
    with database(setting, f"_{mode}") as engine:
        base.metadata.create_all(engine)
        with application(
            setting, engine, lambda config: config.add_secondary(model),
            nefertari__sync=mode, nefertari__capture="triggers",
        ) as engines:  # fmt: skip
            yield _Told(engine, engines, model)


def _insert(
    engine: sa.Engine, model: Any, stories: list[dict[str, Any]]
) -> Callable[[int], None]:
    def operation(number: int) -> None:
        with Session(engine) as session:
            session.add(model(**stories[number % len(stories)]))
            session.commit()

    return operation


def _insert_and_index(
    engine: sa.Engine, model: Any, stories: list[dict[str, Any]], direct: _DirectIndex
) -> Callable[[int], None]:
    def operation(number: int) -> None:
        values = stories[number % len(stories)]
        with Session(engine) as session:
            instance = model(**values)
            session.add(instance)
            session.flush()
            document = {"id": instance.id, **values}
            session.commit()
        direct.write(document)

    return operation


class _DirectIndex:
    """An index with the mapping of a model, written by hand."""

    def __init__(self, setting: Setting, engines: Any, model: type) -> None:
        self.name = f"{setting.prefix}-direct"
        self.client = Elasticsearch(
            setting.elasticsearch,
            serializers={"application/json": OrjsonSerializer()},
        )
        alias = engines.secondary.model_of(engines.schema_of(model)).alias
        (found,) = self.client.indices.get(index=alias).body.values()
        self.mappings = found["mappings"]

    def __enter__(self) -> _DirectIndex:
        self.client.indices.create(index=self.name, mappings=self.mappings)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.indices.delete(index=self.name)
        self.client.close()

    def write(self, document: dict[str, Any]) -> None:
        """Write one document; nobody waits for a refresh."""
        self.client.index(
            index=self.name, id=str(document["id"]), document=document, refresh=False
        )


class _Refreshes:
    """Counts how often an index was refreshed: each second, if it is searched."""

    def __init__(self, engines: Any, model: type) -> None:
        self._client = engines.secondary.client
        self._alias = engines.secondary.model_of(engines.schema_of(model)).alias
        self._before = self._count()

    def _count(self) -> tuple[int, int]:
        stats = self._client.indices.stats(index=self._alias)["_all"]["primaries"]
        return stats["refresh"]["total"], stats["indexing"]["index_total"]

    def fact(self) -> tuple[str, bool]:
        """That far fewer refreshes than writes have happened."""
        refreshes, writes = (
            now - before
            for now, before in zip(self._count(), self._before, strict=True)
        )
        sentence = f"Inline delivery forces no refresh ({refreshes} in {writes} writes)"
        return sentence, refreshes <= writes / 2


def _empty_outbox(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE nefertari_outbox"))


def _check(engines: Any, model: Any) -> None:
    """Inline delivery left nothing to do, or it was not inline delivery.

    :raises RuntimeError: if entries wait.
    """
    waiting = sum(outbox.waiting() for outbox in engines.outboxes())
    if waiting:
        raise RuntimeError(f"{waiting} entries of {model.__name__} were not delivered")
