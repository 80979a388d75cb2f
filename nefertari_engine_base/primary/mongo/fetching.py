"""Instances with what their documents embed by reference, and what their computed
fields read: one query for each relation.

MongoEngine fetches a reference when it is looked at, one by one. Its own way to fetch
many does not look into embedded documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bson import DBRef
from mongoengine.base import BaseList, LazyReference

from nefertari_engine_base.primary.mongo.keys import chunks, of_class
from nefertari_engine_base.schema import ModelSchema, RelationSchema


def fetch(
    schema: ModelSchema, query: Mapping[str, Any], keys: Iterable[Any]
) -> dict[Any, Any]:
    """Instances of a model by ``_id``, with what their documents embed and what their
    computed fields read.

    :param query: what they have to match, too.
    """
    return _fetch([schema], query, keys)


def _fetch(
    schemas: Sequence[ModelSchema], query: Mapping[str, Any], keys: Iterable[Any]
) -> dict[Any, Any]:
    """See :func:`fetch`; with what any of these schemas of one model embeds."""
    model: Any = schemas[0].model
    collection = model._get_collection()
    found = {
        raw["_id"]: model._from_son(raw)
        for chunk in chunks(keys)
        for raw in collection.find({"$and": [{"_id": {"$in": chunk}}, dict(query)]})
    }
    _attach(schemas, list(found.values()))
    return found


def _attach(schemas: Sequence[ModelSchema], instances: Sequence[Any]) -> None:
    """Put the instances that these refer to in the places of the references."""
    for name, relations in _relations(schemas).items():
        values = [instance._data.get(name) for instance in instances]
        below = [relation.document for relation in relations]
        if relations[0].inline:
            _attach(below, list(_flat(values)))
            continue
        keys = {ref.id for ref in _flat(values) if isinstance(ref, DBRef)}
        found = _fetch(below, of_class(below[0].model), keys)
        for instance, value in zip(instances, values, strict=True):
            if isinstance(value, list):
                # As MongoEngine leaves a list that it has fetched itself.
                items = [_resolved(ref, found) for ref in value]
                instance._data[name] = fetched = BaseList(items, instance, name)
                fetched._dereferenced = True
            elif value is not None:
                instance._data[name] = _resolved(value, found)


def _relations(schemas: Sequence[ModelSchema]) -> dict[str, list[RelationSchema]]:
    """Those that documents embed, and those that computed fields read, by name."""
    found: dict[str, list[RelationSchema]] = {}
    for schema in schemas:
        for relation in (*schema.relations.values(), *schema.followed.values()):
            found.setdefault(relation.name, []).append(relation)
    return found


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
