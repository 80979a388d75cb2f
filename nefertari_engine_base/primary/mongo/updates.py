"""What an update of MongoDB's language changes, without asking the server.

https://www.mongodb.com/docs/manual/reference/operator/update/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo.collection import Collection

from nefertari_engine_base.primary.mongo.selecting import is_key

#: Of an inserted document only.
_ON_INSERT = "$setOnInsert"
#: Set fields to the values that they give.
_SETTING = ("$set", _ON_INSERT)


def changed_fields(update: Any) -> frozenset[str] | None:
    """Names, as MongoDB has them, of the fields that an update may change in a document
    that is there; ``None`` for any of them, as by a pipeline or a replacement."""
    if not _has_operators(update):
        return None
    names = (
        name
        for operator, operands in update.items()
        if operator != _ON_INSERT and isinstance(operands, Mapping)
        for name in _named(operator, operands)
    )
    return frozenset(name.partition(".")[0] for name in names)


def _named(operator: str, operands: Mapping[str, Any]) -> Iterator[str]:
    yield from operands
    if operator == "$rename":
        yield from operands.values()


def known_values(update: Any) -> dict[str, Any]:
    """What an update makes of fields, by their names in MongoDB, where that does not
    depend on what they are."""
    if not _has_operators(update):
        return {}
    unset = dict.fromkeys(update.get("$unset", ()))
    return {**unset, **update.get("$set", {})}


def new_class(update: Any) -> str | None:
    """The class that an update gives a document; ``None`` if it keeps its own."""
    if isinstance(update, Mapping):
        values = update.get("$set", {}) if _has_operators(update) else update
        found = values.get("_cls")
        return found if isinstance(found, str) else None
    return None


def inserted_by(query: Mapping[str, Any], update: Any) -> dict[str, Any]:
    """The ``_id`` and the ``_cls`` of the document that an upsert inserts, as far as
    its query and its update say them."""
    found: dict[str, Any] = {}
    sources = [query]
    if _has_operators(update):
        sources += [update[operator] for operator in _SETTING if operator in update]
    elif isinstance(update, Mapping):
        sources.append(update)
    for source in sources:
        for name in ("_id", "_cls"):
            if is_key(source.get(name)):
                found[name] = source[name]
    return found


def replaced_by(collection: Collection[Any], pipeline: Any) -> Collection[Any] | None:
    """The collection that an aggregation writes to; ``None`` if it only reads."""
    last = pipeline[-1] if isinstance(pipeline, Sequence) and pipeline else {}
    target = last.get("$out")
    if target is None and (merge := last.get("$merge")) is not None:
        target = merge["into"] if isinstance(merge, Mapping) else merge
    if target is None:
        return None
    database = collection.database
    if isinstance(target, Mapping):
        return database.client[target.get("db", database.name)][target["coll"]]
    return database[target]


def _has_operators(update: Any) -> bool:
    return isinstance(update, Mapping) and any(name.startswith("$") for name in update)
