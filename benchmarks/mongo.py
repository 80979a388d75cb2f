"""What synchronisation adds to writes of MongoEngine, on MongoDB's protocol.

Each operation writes 1,000 documents in one of four ways: by a class that has no
documents in the index, by one that has (``nefertari.sync = worker``), and by the first
class with entries that are written by hand: the least that it can cost to have an entry
before each write. So that is a floor, under which nothing that follows writes can be:

* A save is two commands in place of one, each acknowledged. So it is held against its
  floor, which alone is 1.7 of a save here: the time of MongoEngine and PyMongo weighs
  more than that of the server.
* A write of many has its entries in as few documents as capture stores them in.
* An update or a delete of a query set has to find its documents before it can name
  them, and may then write those alone: others would change without an entry. So it is
  a query, an entry, and a write by keys, in place of one command that names none.

To delete all documents the server of the tests looks at no key and no field, and takes
a microsecond and a half for each. To tell their keys takes it as long, and the floor is
three to five times the plain delete: a limit beside that would say nothing of capture.
So the delete is held against its floor, and the update, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

import mongoengine as me
from bson import ObjectId
from pymongo import DeleteMany, UpdateMany
from pyramid.config import Configurator

from benchmarks.measure import Bar, Contender, Result
from benchmarks.setting import Setting
from nefertari_engine_base import engines_of
from nefertari_engine_base.primary.mongo import MongoDBEngine
from nefertari_engine_base.primary.mongo.entries import KEYS_OF_A_LIST
from nefertari_engine_base.primary.mongo.parts import statements
from nefertari_engine_base.testing.memory import MemoryEngine

DOCUMENTS = 1000
_ALIAS = "benchmark"

SAVE, INSERT = "save, one by one", "insert of many"
UPDATE, DELETE = "update of a query set", "delete of a query set"
WITH, FLOOR = "with entries", "with entries by hand"

#: What each way may cost beside itself without us.
LIMITS = {INSERT: 2.0, UPDATE: 2.5}
#: What it may cost beside the floor.
FLOOR_LIMITS = {SAVE: 1.5, UPDATE: 1.5, DELETE: 1.5}

BARS = (
    *(Bar(f"{way}, {WITH}", way, limit) for way, limit in LIMITS.items()),
    *(
        Bar(f"{way}, {WITH}", f"{way}, {FLOOR}", limit)
        for way, limit in FLOOR_LIMITS.items()
    ),
)


class _Columns:
    title = me.StringField()
    year = me.IntField()
    rating = me.FloatField()
    author = me.StringField()
    body = me.StringField()


class PlainArticle(_Columns, me.Document):
    """Has no documents in the index."""

    meta: ClassVar = {"db_alias": _ALIAS}


class Article(_Columns, me.Document):
    """Has one for each."""

    meta: ClassVar = {"db_alias": _ALIAS}


def run(setting: Setting) -> Result:
    """Measure."""
    with _database(setting) as bench:
        contenders = [
            contender
            for way, write in bench.ways.items()
            for contender in bench.contenders(way, write)
        ]
        samples = setting.measure(contenders, setting.plan(blocks=3))
        facts = [bench.fact()]
    return Result(
        f"mongo: {DOCUMENTS} documents",
        samples,
        SAVE,
        BARS,
        units=DOCUMENTS,
        unit="document",
        facts=facts,
    )


@contextmanager
def _database(setting: Setting) -> Iterator[_Bench]:
    """An empty database, in which the second class has documents."""
    name = setting.prefix.replace("-", "_")
    host = urlsplit(setting.mongodb)._replace(path=f"/{name}").geturl()
    client = me.connect(host=host, alias=_ALIAS, uuidRepresentation="standard")
    config = Configurator(settings={"nefertari.sync": "worker"})
    config.include("nefertari_engine_base")
    config.add_primary_engine(MongoDBEngine(closes=_ALIAS))
    config.add_secondary_engine(MemoryEngine())
    config.add_secondary(Article)
    config.commit()
    engines = engines_of(config.registry)
    engines.setup_database()
    try:
        yield _Bench(client[name], engines)
    finally:
        client.drop_database(name)
        engines.close()
        PlainArticle._disconnect()


@dataclass
class _Bench:
    """The writes, and what is before and after them.

    :attr waiting: how many entries each write of the second class has left.
    """

    database: Any
    engines: Any

    def __post_init__(self) -> None:
        (self.outbox,) = self.engines.outboxes()
        self.by_hand = self.database["by_hand"]
        # As the outbox has them: for what is due, and for dead letters.
        self.by_hand.create_index([("due_at", 1), ("_id", 1)])
        self.by_hand.create_index([("dead_at", 1), ("key", 1)])
        self._numbers = itertools.count(1)
        self.waiting: set[int] = set()

    @property
    def ways(self) -> dict[str, Callable[[Any, bool], object]]:
        """The writes, each of a class, with entries by hand or without."""
        return {
            SAVE: self._save,
            INSERT: self._insert,
            UPDATE: self._update,
            DELETE: self._delete,
        }

    def contenders(self, way: str, write: Any) -> Iterator[Contender]:
        """The three of one way to write."""
        fills = way in (UPDATE, DELETE)
        for name, model, by_hand in (
            (way, PlainArticle, False),
            (f"{way}, {FLOOR}", PlainArticle, True),
            (f"{way}, {WITH}", Article, False),
        ):
            yield Contender(
                name,
                lambda number, model=model, by_hand=by_hand: write(model, by_hand),
                before=lambda model=model: self._prepare(model, fills),
                after=lambda model=model: self._check(model),
            )

    def _prepare(self, model: Any, fills: bool) -> None:
        self.database[model._get_collection_name()].delete_many({})
        instances = _instances(model)
        if fills:
            raws = [instance.to_mongo() for instance in instances]
            self.database[model._get_collection_name()].insert_many(raws)
        # Made beforehand, so that what is measured is their writing.
        self._instances = instances
        self._empty()

    def _check(self, model: Any) -> None:
        if model is Article:
            self.waiting.add(self.outbox.waiting())
        self._empty()

    def _empty(self) -> None:
        self.outbox.flush()
        self.outbox.collections.outbox.delete_many({})
        self.by_hand.delete_many({})

    # --- the writes ------------------------------------------------------------

    def _save(self, model: Any, by_hand: bool) -> None:
        for instance in self._instances:
            if by_hand:
                self.by_hand.insert_one(self._entry(""))
            instance.save()

    def _insert(self, model: Any, by_hand: bool) -> None:
        if by_hand:
            # MongoEngine wants to make the keys itself.
            self._enter([ObjectId() for _ in self._instances])
        model.objects.insert(self._instances, load_bulk=False)

    def _update(self, model: Any, by_hand: bool) -> None:
        if not by_hand:
            model.objects.update(inc__year=1)
            return
        change = {"$inc": {"year": 1}}
        parts = [UpdateMany(query, change) for query in self._find_and_enter(model)]
        model._get_collection().bulk_write(parts)

    def _delete(self, model: Any, by_hand: bool) -> None:
        if not by_hand:
            model.objects.delete()
            return
        parts = [DeleteMany(query) for query in self._find_and_enter(model)]
        model._get_collection().bulk_write(parts)

    def _find_and_enter(self, model: Any) -> list[dict[str, Any]]:
        """Write entries of all documents; queries for these, and for no others."""
        found = model._get_collection().find({}, {"_id": True}).batch_size(DOCUMENTS)
        keys = [raw["_id"] for raw in found]
        self._enter(keys)
        return [{"_id": {"$in": part}} for part in statements(keys)]

    def _enter(self, keys: list[ObjectId]) -> None:
        texts = list(map(str, keys))
        starts = range(0, len(texts), KEYS_OF_A_LIST)
        parts = [texts[start : start + KEYS_OF_A_LIST] for start in starts]
        self.by_hand.insert_many([self._entry(part) for part in parts])

    def _entry(self, key: Any) -> dict[str, Any]:
        return {
            "_id": next(self._numbers),
            "secondary": "memory",
            "model": "Article",
            "key": key,
            "due_at": 0.0,
            "writer_until": 0.0,
        }

    def fact(self) -> tuple[str, bool]:
        """That each write of the second class was followed."""
        sentence = f"Each of {DOCUMENTS} documents has its entry after each write"
        return sentence, self.waiting == {DOCUMENTS}


def _instances(model: Any) -> list[Any]:
    return [
        model(
            title=f"No. {number}",
            year=1900 + number % 100,
            rating=number / 7,
            author=f"Author {number % 9}",
            body="x" * 200,
        )
        for number in range(DOCUMENTS)
    ]
