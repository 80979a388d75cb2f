"""Instances with what their documents embed by reference: one query for each relation.

MongoEngine fetches a reference when it is looked at, one by one. Its own way to fetch
many does not look into embedded documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bson import DBRef
from mongoengine.base import BaseList, LazyReference

from nefertari_engine_base.primary.mongo.keys import chunks, of_class
from nefertari_engine_base.schema import ModelSchema


def fetch(
    schema: ModelSchema, query: Mapping[str, Any], keys: Iterable[Any]
) -> dict[Any, Any]:
    """Instances of a model by ``_id``, with what their documents embed.

    :param query: what they have to match, too.
    """
    model: Any = schema.model
    collection = model._get_collection()
    found = {
        raw["_id"]: model._from_son(raw)
        for chunk in chunks(keys)
        for raw in collection.find({"$and": [{"_id": {"$in": chunk}}, dict(query)]})
    }
    _attach(schema, list(found.values()))
    return found


def _attach(schema: ModelSchema, instances: Sequence[Any]) -> None:
    """Put the instances that these refer to in the places of the references."""
    for name, relation in schema.relations.items():
        values = [instance._data.get(name) for instance in instances]
        if relation.inline:
            _attach(relation.document, list(_flat(values)))
            continue
        keys = {ref.id for ref in _flat(values) if isinstance(ref, DBRef)}
        found = fetch(relation.document, of_class(relation.document.model), keys)
        for instance, value in zip(instances, values, strict=True):
            if isinstance(value, list):
                # As MongoEngine leaves a list that it has fetched itself.
                items = [_resolved(ref, found) for ref in value]
                instance._data[name] = fetched = BaseList(items, instance, name)
                fetched._dereferenced = True
            elif value is not None:
                instance._data[name] = _resolved(value, found)


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from (item for item in value if item is not None)
        elif value is not None:
            yield value


def _resolved(ref: Any, found: Mapping[Any, Any]) -> Any:
    if isinstance(ref, LazyReference):
        ref._cached_doc = found.get(ref.id, ref._cached_doc)
        return ref
    return found.get(ref.id, ref) if isinstance(ref, DBRef) else ref
