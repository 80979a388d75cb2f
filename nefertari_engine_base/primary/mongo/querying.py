"""Reads that MongoDB answers, with the shape that the index gives them.

Instances are made by MongoEngine; what their documents embed by reference is fetched
with them, not one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nefertari_engine_base.exceptions import QueryError
from nefertari_engine_base.primary.mongo.defaults import findable_default
from nefertari_engine_base.primary.mongo.fetching import fetch
from nefertari_engine_base.primary.mongo.filtering import check_order, conditions
from nefertari_engine_base.primary.mongo.ids import Ids
from nefertari_engine_base.primary.mongo.keys import (
    of_class,
    reference_name,
    stored_name,
    with_document,
)
from nefertari_engine_base.query.answerable import check_answerable
from nefertari_engine_base.schema import FieldSchema, ModelSchema, RelationSchema
from nefertari_engine_base.values import Page, Query, Sort


def search(schema: ModelSchema, query: Query) -> Page[Any]:
    """Instances that match, with what their documents embed.

    :raises QueryError: for what only a secondary answers.
    """
    if query.limit == 0:
        return Page(
            [], count(schema, query), query.start, query.limit, fields=query.fields
        )
    model: Any = schema.model
    keys = [
        raw["_id"] for raw in model._get_collection().aggregate(_steps(schema, query))
    ]
    found = fetch(schema, of_class(model), keys)
    items = [found[key] for key in keys if key in found]
    total = query.start + len(keys)
    is_last_page = query.limit is None or len(keys) < query.limit
    if not is_last_page or (query.start and not keys):
        total = count(schema, query)
    return Page(items, total, query.start, query.limit, fields=query.fields)


def count(schema: ModelSchema, query: Query) -> int:
    """How many documents match, before ``limit`` and ``start``. :raises QueryError:"""
    model: Any = schema.model
    found: int = model._get_collection().count_documents(_matching(schema, query))
    return found


def explain(schema: ModelSchema, query: Query) -> Mapping[str, Any]:
    """The pipeline that :func:`search` executes."""
    model: Any = schema.model
    name: str = model._get_collection_name()
    return {"collection": name, "pipeline": _steps(schema, query)}


def get_by_ids(
    schema: ModelSchema, ids: Sequence[str], documents_only: bool = False
) -> dict[str, Any]:
    """The instances that exist of these ids, in no particular order.

    :param documents_only: leave out those that have no document.
    :raises InvalidDocumentId: for an id that cannot be one of the model.
    """
    names = Ids(schema)
    keys = [names.key(id_) for id_ in ids]
    query = with_document(schema) if documents_only else of_class(schema.model)
    return {
        names.of(key): instance for key, instance in fetch(schema, query, keys).items()
    }


def _matching(schema: ModelSchema, query: Query) -> dict[str, Any]:
    check_answerable(schema, query)
    mine = with_document(schema) if query.documents_only else of_class(schema.model)
    parts = [part for part in (mine, conditions(schema, query.filters)) if part]
    return {"$and": parts} if parts else {}


def _steps(schema: ModelSchema, query: Query) -> list[dict[str, Any]]:
    """The pipeline that finds the keys of what matches, in order."""
    steps: list[dict[str, Any]] = [{"$match": _matching(schema, query)}]
    added: dict[str, Any] = {}
    order: dict[str, int] = {}
    known = set()
    for number, sort in enumerate(query.sort):
        name, default = _sort_key(schema, sort)
        if name in known:
            continue  # the first one has decided
        known.add(name)
        # MongoDB has what has no value first; the index has it last.
        value = {"$ifNull": [f"${name}", []]}
        if default is not None:
            value = _with_default(name, default)
            added[name := f"_value{number}"] = value
        added[f"_absent{number}"] = {"$cond": [{"$eq": [value, []]}, 1, 0]}
        order[f"_absent{number}"] = 1
        order[name] = -1 if sort.descending else 1
    if added:
        steps.append({"$addFields": added})
    steps.append({"$sort": {**order, **({} if "_id" in order else {"_id": 1})}})
    if query.start:
        steps.append({"$skip": query.start})
    if query.limit is not None:
        steps.append({"$limit": query.limit})
    steps.append({"$project": {"_id": 1}})
    return steps


def _with_default(name: str, default: Any) -> dict[str, Any]:
    """The value of a field, or its default; an empty list, if what it is a part of is
    not there."""
    value = {"$ifNull": [f"${name}", {"$literal": default}]}
    owner, _, _ = name.rpartition(".")
    if not owner:
        return value
    is_there = {"$ne": [{"$ifNull": [f"${owner}", []]}, []]}
    return {"$cond": [is_there, value, []]}


def _sort_key(schema: ModelSchema, sort: Sort) -> tuple[str, Any]:
    """What MongoDB is to sort by: the name of a field, and what counts in its place
    where nothing is stored, if anything."""
    relations, field = schema.find(sort.field)
    names, model = [], schema.model
    for relation in relations:
        if relation is relations[-1] and _holds(relation, field):
            names.append(reference_name(model, relation.name))
            return ".".join(names), None
        if not relation.inline:
            raise QueryError(
                f"MongoDB cannot sort by {sort.field}, which is in documents of "
                f"another collection; ask the secondary engine."
            )
        names.append(stored_name(model, relation.name))
        model = relation.document.model
    found: Any = model
    stored = found._fields[field.name]
    check_order(field, stored)
    is_one = not any(relation.many for relation in relations)
    default = findable_default(stored) if is_one and not field.many else None
    return ".".join([*names, stored_name(model, field.name)]), default


def _holds(relation: RelationSchema, field: FieldSchema) -> bool:
    """Whether a field of what one reference leads to is the key that it holds."""
    is_key = field.name in relation.document.primary_key
    return is_key and bool(relation.owner_fields) and not relation.many
