"""Which documents a query of a write means, asked before the write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from bson import Regex
from pymongo import ReadPreference
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from nefertari_engine_base.primary.mongo.keys import MOST_KEYS

#: What is asked of a document: its ``_id`` and its ``_cls``.
Raw = Mapping[str, Any]

#: A query that no document matches.
NOTHING: Mapping[str, Any] = {"_id": {"$in": []}}

_KEY_AND_CLASS = {"_id": True, "_cls": True}
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


class Selection:
    """The documents that a query means now, as the primary has them.

    :param options: of the write, for what they say of the query.
    """

    def __init__(
        self,
        collection: Collection[dict[str, Any]],
        query: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> None:
        # Not by the collection's own method, which would make one that announces.
        self._collection: Collection[dict[str, Any]] = Collection(
            collection.database,
            collection.name,
            codec_options=collection.codec_options,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("local"),
        )
        self._query = query
        self._options = {name: options[name] for name in _SELECTING if name in options}

    def first(self, sort: Any = None) -> Raw | None:
        """The first of them in an order; ``None`` if there is none."""
        return self._collection.find_one(
            self._query, _KEY_AND_CLASS, sort=sort or None, **self._options
        )

    def chunks(self) -> Iterator[Sequence[Raw]]:
        """All of them, each once, in parts that one query can name."""
        found = self._collection.find(self._query, _KEY_AND_CLASS, **self._options)
        with found.sort("_id", 1).batch_size(MOST_KEYS) as cursor:
            while chunk := [*islice(cursor, MOST_KEYS)]:
                yield chunk
