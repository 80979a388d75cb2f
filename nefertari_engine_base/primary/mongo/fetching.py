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

from nefertari_engine_base.primary.mongo.keys import (
    chunks,
    find_holding,
    of_class,
    stored_key,
    stored_name,
)
from nefertari_engine_base.primary.mongo.links import Link, in_order, keys_in, links_of
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
    links = links_of(schemas[0].model)
    for name, relations in _relations(schemas).items():
        if name in links:
            _attach_linked(
                links[name], [each.document for each in relations], instances
            )
            continue
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


def _attach_linked(
    link: Link, schemas: Sequence[ModelSchema], instances: Sequence[Any]
) -> None:
    if link.attach is None or not instances:
        return
    keys = _held_by(link, instances) if link.owner_field else _holders(link, instances)
    found = _fetch(schemas, of_class(link.target), keys_in(keys))
    for instance, ids in zip(instances, keys, strict=True):
        link.attach(instance, link, [found[id_] for id_ in ids if id_ in found])


def _held_by(link: Link, instances: Sequence[Any]) -> list[list[Any]]:
    """The keys that each instance holds, as MongoDB has them."""
    field = type(instances[0])._fields[link.owner_field]
    values = (instance._data.get(link.owner_field) for instance in instances)
    return [keys_in([None if v is None else field.to_mongo(v)]) for v in values]


def _holders(link: Link, instances: Sequence[Any]) -> list[list[Any]]:
    """The keys of the documents that hold the key of each instance."""
    held = stored_name(link.target, link.target_field or "")
    keys = [stored_key(instance) for instance in instances]
    mine = of_class(link.target)
    found: dict[Any, dict[Any, None]] = {key: {} for key in keys}
    for raw in find_holding(link.target, held, mine, keys, {held: True}):
        for key in keys_in([raw[held]]):
            if key in found:
                found[key][raw["_id"]] = None
    return [in_order(found[key]) for key in keys]


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
