"""Which documents a query of a write means, asked before the write."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pymongo.collection
from bson import Regex
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern

from nefertari_engine_base.primary.mongo.keys import MOST_KEYS, RawCollection

#: What is asked of a document: its ``_id``, its ``_cls``, and what it refers to if that
#: is about to change.
Raw = Mapping[str, Any]

#: A query that no document matches.
NOTHING: Mapping[str, Any] = {"_id": {"$in": []}}

_KEY_AND_CLASS = ("_id", "_cls")
#: Options of writes that say which documents are meant.
_SELECTING = ("collation", "hint", "session", "let")


def is_key(value: Any) -> bool:
    """Whether a query for this value means the one document that has it as its key."""
    if value is None or isinstance(value, re.Pattern | Regex):
        return False
    return not (
        isinstance(value, Mapping) and any(str(name).startswith("$") for name in value)
    )


def narrowed(query: Mapping[str, Any], keys: Sequence[Any]) -> dict[str, Any]:
    """A query for those of these documents that match another query."""
    chosen = keys[0] if len(keys) == 1 else {"$in": list(keys)}
    if "_id" not in query:
        # Side by side: an update may name a position that the query has found.
        return {**query, "_id": chosen}
    if is_key(query["_id"]):
        return dict(query)
    return {"$and": [dict(query), {"_id": chosen}]}


def as_read(
    query: Mapping[str, Any], raws: Sequence[Raw], held: Collection[str]
) -> dict[str, Any]:
    """A query for those of these documents that match another query, and that hold
    what they held when they were read.

    :param held: names of what has to be the same.
    """
    chosen = narrowed(query, [raw["_id"] for raw in raws])
    if not held:
        return chosen
    same: dict[Hashable, tuple[dict[str, Any], list[Any]]] = {}
    for raw in raws:
        values = {name: raw.get(name) for name in held}
        same.setdefault(repr(values), (values, []))[1].append(raw["_id"])
    states = [{"_id": {"$in": ids}, **values} for values, ids in same.values()]
    if "$or" in chosen:
        return {"$and": [chosen, {"$or": states}]}
    return {**chosen, "$or": states}


def _next_of(cursor: Any) -> list[Raw]:
    """As many documents of a cursor as one query can name."""
    try:
        take = cursor.to_list
    except AttributeError:  # PyMongo before 4.9
        return [*islice(cursor, MOST_KEYS)]
    found: list[Raw] = take(MOST_KEYS)  # half the time of one by one
    return found


class Selection:
    """The documents that a query means now, as the primary has them.

    :param options: of the write, for what they say of the query.
    :param held: names of fields that are read as well.
    """

    def __init__(
        self,
        collection: RawCollection,
        query: Mapping[str, Any],
        options: Mapping[str, Any],
        held: Collection[str] = (),
    ) -> None:
        # Not by the collection's own method, which would make one that announces.
        self._collection: RawCollection = pymongo.collection.Collection(
            collection.database,
            collection.name,
            codec_options=collection.codec_options,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("local"),
        )
        self._query = query
        self._held = held
        self._names = dict.fromkeys((*_KEY_AND_CLASS, *held), True)
        self._options = {name: options[name] for name in _SELECTING if name in options}

    def first(self, sort: Any = None) -> Raw | None:
        """The first of them in an order; ``None`` if there is none."""
        return self._collection.find_one(
            self._query, self._names, sort=sort or None, **self._options
        )

    def chunks(self) -> Iterator[Sequence[Raw]]:
        """All of them, each once, in parts that one query can name."""
        found = self._collection.find(self._query, self._names, **self._options)
        with found.sort("_id", 1).batch_size(MOST_KEYS) as cursor:
            while chunk := _next_of(cursor):
                yield chunk

    def rounds(
        self, raws: Sequence[Raw], values: Mapping[str, Any]
    ) -> Iterator[tuple[Sequence[Raw], dict[str, Any]]]:
        """Documents to announce, and the query to write them by.

        Those that somebody else has let refer to others between the two are read, and
        told, again.

        :param values: what the write makes of each of the fields that are read.
        """
        while raws:
            yield raws, as_read(self._query, raws, self._held)
            if not self._held:
                return
            before = {raw["_id"]: raw for raw in raws}
            query = narrowed(self._query, list(before))
            found = self._collection.find(query, self._names, **self._options)
            raws = [raw for raw in found if self._has_moved(raw, before, values)]

    def _has_moved(
        self, raw: Raw, before: Mapping[Any, Raw], values: Mapping[str, Any]
    ) -> bool:
        held = {name: raw.get(name) for name in self._held}
        was = {name: before[raw["_id"]].get(name) for name in self._held}
        return held != was and not (values and held == values)
