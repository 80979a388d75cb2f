"""The index against what plain PyMongo finds, and against what would be written now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import mongoengine as me
import orjson
import pymongo.collection
from bson import ObjectId
from harness.application import Application
from harness.server import COMMANDS
from mongoengine.connection import ConnectionFailure

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.primary.mongo.ids import Ids
from nefertari_engine_base.primary.mongo.keys import home_of, of_class
from nefertari_engine_base.refusals import load_apart
from nefertari_engine_base.values import DocumentRef


class Comparison:
    """What is found by comparing.

    :attr differences: in words.
    :attr documents: how many were compared.
    :attr unseen: models that were written past, of which nothing can be promised.
    """

    def __init__(self, application: Application) -> None:
        self.differences: list[str] = []
        self.documents = 0
        self.unseen: list[str] = []
        self._application = application
        self._dead = application.dead()

    def compare(self) -> None:
        """Compare every model."""
        for name, schema in list(self._application.schemas.items()):
            try:
                home = home_of(schema.model)
            except (PrimaryError, ConnectionFailure):
                self.unseen.append(name)
                continue
            if COMMANDS.has_seen(home.database.name, home.name):
                self.differences += self._compare(schema, home)
            else:
                self.unseen.append(name)

    def _compare(self, schema, home) -> Iterator[str]:
        plain = pymongo.collection.Collection(home.database, home.name)
        ids = Ids(schema)
        stored = {ids.of(raw["_id"]): raw for raw in plain.find(of_class(schema.model))}
        index = self._index(schema)
        alive = {id_ for id_ in stored if (schema.name, id_) not in self._dead}
        self.documents += len(alive)
        for id_, raw in stored.items():
            if (
                isinstance(raw["_id"], ObjectId)
                and alive
                and str(raw["_id"]) not in id_
            ):
                yield f"{schema.name} {id_} is the id of {raw['_id']}"
        for id_ in sorted(alive - index.keys()):
            yield f"{schema.name} {id_} is lost: {stored[id_]!r:.200}"
        for id_ in sorted(index.keys() - stored.keys()):
            yield f"{schema.name} {id_} is left over: {index[id_]!r:.200}"
        both = sorted(alive & index.keys())
        loaded = self._loaded(schema, both)
        for id_ in both:
            if loaded.get(id_) != index[id_]:
                yield (
                    f"{schema.name} {id_} is stale: {index[id_]!r:.200}, and would be "
                    f"{loaded.get(id_)!r:.200}"
                )
            yield from _stale_values(schema, id_, stored[id_], index[id_])

    def _index(self, schema) -> dict[str, Any]:
        memory = self._application.memory
        ids = [id_ for part in memory.ids_below(schema, 2**62) for id_ in part]
        found = zip(ids, memory.stored(schema, ids), strict=True)
        return {id_: dict(one.source) for id_, one in found}

    def _loaded(self, schema, ids) -> dict[str, Any]:
        load = self._application.primary._loader_of(schema.name).load
        refs = [DocumentRef(schema.name, id_) for id_ in ids]
        documents, _ = load_apart(lambda model, some: load(some), refs)
        found = documents.get(schema.name, {})
        return {id_: orjson.loads(text) for id_, text in found.items()}


def _stale_values(schema, id_: str, raw: dict, document: dict) -> Iterator[str]:
    """Values of a document that are plainly not those which are stored."""
    for name in schema.stored:
        field = schema.model._fields[name]
        if isinstance(field, me.ComplexDateTimeField):
            continue  # stored in a form of its own
        stored, shown = raw.get(field.db_field), document.get(name)
        if isinstance(stored, datetime) and isinstance(shown, str):
            stored, shown = stored.isoformat()[:10], shown[:10]
        comparable = bool | int | float | str
        if (
            isinstance(stored, comparable)
            and type(stored) is type(shown)
            and stored != shown
        ):
            yield f"{schema.name} {id_}: {name} is {shown!r}, and stored {stored!r}"
