"""Indexes of MongoDB that look-ups of documents by what they embed, or compute fields
from, need.

A change of such a document is followed back by a query for its key. Without an
index on the reference each such query reads the whole collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from nefertari_engine_base.primary.mongo.keys import Hop, hops
from nefertari_engine_base.schema import ModelSchema, Reindex


@dataclass(frozen=True, slots=True)
class MissingIndex:
    """That look-ups by a reference read a whole collection.

    :attr model: name of the class that has the reference.
    :attr path: where the documents of the class have it, in MongoDB's names.
    """

    model: str
    collection: str
    path: str

    def __str__(self) -> str:
        return (
            f"{self.model} has no index of MongoDB on {self.path!r}: each change of a "
            f"document that it refers to reads all of {self.collection!r}. Name it in "
            f"meta['indexes'], or create it by "
            f'db.{self.collection}.createIndex({{"{self.path}": 1}}).'
        )


def missing_indexes(schemas: Iterable[ModelSchema]) -> list[MissingIndex]:
    """The indexes that MongoDB has not, and that deliveries of these models want; asks
    the server.

    Relations that are not followed back (``reindex="link"``, ``"never"``) want one all
    the same, for the delete of what they embed, unless nothing is followed at all.
    """
    found: dict[MissingIndex, None] = {}
    for schema in schemas:
        for hop in _looked_up(schema):
            model: Any = hop.holder.model
            collection = model._get_collection()
            if hop.name not in _first_keys(collection):
                found[MissingIndex(hop.holder.name, collection.name, hop.name)] = None
    return list(found)


def _first_keys(collection: Any) -> set[str]:
    """The keys by which the indexes of a collection serve a look-up."""
    found = set()
    for index in collection.index_information().values():
        # Look-ups name the class, too, which MongoEngine puts in front of its indexes.
        keys = [key for key, _ in index["key"] if key != "_cls"]
        found.update(keys[:1])
    return found


def _looked_up(schema: ModelSchema) -> Iterator[Hop]:
    """The references by which documents of this model are looked up."""
    for relations, _ in schema.walk(followed=True):
        if not relations or relations[-1].inline:
            continue
        if any(relation.reindex is Reindex.NEVER for relation in relations):
            continue
        yield from hops(schema, ".".join(relation.name for relation in relations))
