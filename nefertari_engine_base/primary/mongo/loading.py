"""The documents of a collection, as JSON, without making instances but for computed
fields.

Documents of MongoDB arrive as dictionaries. Those that are embedded by reference are
found by the keys of all that refer to them at once, one query for each relation and
level. A document has the same bytes whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pymongo
from bson import DBRef

from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.json_text import write_json
from nefertari_engine_base.primary.mongo.computing import (
    ComputedFields,
    first_error,
)
from nefertari_engine_base.primary.mongo.encoders import encoder_of
from nefertari_engine_base.primary.mongo.ids import Ids, is_spelling
from nefertari_engine_base.primary.mongo.keys import (
    Hop,
    chunks,
    collection_of,
    find_by_keys,
    find_holding,
    hops,
    of_class,
    stored_name,
    with_document,
)
from nefertari_engine_base.primary.mongo.links import in_order, keys_in, stored_field
from nefertari_engine_base.primary.mongo.order import (
    identity,
    sort_key,
    types_behind,
)
from nefertari_engine_base.primary.mongo.relations import Place
from nefertari_engine_base.refusals import RefusedDocuments
from nefertari_engine_base.schema import ModelSchema, RelationSchema

_Raw = Mapping[str, Any]
_Document = dict[str, Any]


class Loader:
    """Loads the documents of one model; safe to share between threads.

    :param schema: of the model, with what it embeds.
    """

    def __init__(self, schema: ModelSchema) -> None:
        self.schema = schema
        self._level = _Level(schema)
        self._ids = Ids(schema)

    def load(self, ids: Sequence[str]) -> dict[str, bytes]:
        """JSON of each document that exists, by document id.

        :raises InvalidDocumentId: for an id that cannot be one of the model.
        :raises ~nefertari_engine_base.refusals.RefusedDocuments: for documents that
            cannot be written as JSON; it carries the others.
        :raises ConversionError: for a value that cannot be read.
        """
        keys = [self._ids.key(id_) for id_ in ids if not is_spelling(id_)]
        query = with_document(self.schema)
        raws = list(find_by_keys(self.schema.model, query, keys))
        loaded: dict[str, bytes] = {}
        refused = self._misfits([id_ for id_ in ids if is_spelling(id_)])
        for raw, document in zip(raws, self._level.documents(raws), strict=True):
            id_ = self._ids.of(raw["_id"])
            try:
                loaded[id_] = write_json(self.schema.name, document)
            except ConversionError as error:
                refused[id_] = str(error)
        if refused:
            raise RefusedDocuments(refused, loaded)
        return loaded

    def _misfits(self, ids: Sequence[str]) -> dict[str, str]:
        """Why those documents cannot be written which exist of these spellings."""
        keys = [self._ids.stored(id_) for id_ in ids]
        query = with_document(self.schema)
        found = find_by_keys(self.schema.model, query, keys, ["_id"]) if ids else ()
        names = (self._ids.of(raw["_id"]) for raw in found)
        return {id_: self._ids.refusal(id_) for id_ in names if is_spelling(id_)}

    def list_ids(self, after: str | None, limit: int) -> list[str]:
        """Ids of the model's documents in the order of ``_id``, spellings included.

        :param after: go on behind this id; ``None`` starts at the beginning.
        """
        query = with_document(self.schema)
        return self._page(query, after, limit)

    def find_owners(
        self, path: str, keys: Sequence[str], after: str | None, limit: int
    ) -> list[str]:
        """Ids of the documents that embed any of these documents, each once, in the
        order of the primary key.

        :param path: dotted names of the relations that lead to the documents.
        :param keys: ids of the documents among those of the path's last model.
        :param after: go on behind this id; ``None`` starts at the beginning.
        :raises LookupError: if there is no such path.
        """
        first, held = self._first_hop(path, keys)
        mine = of_class(self.schema.model)
        # The least of each chunk hold the least of all.
        found = {
            id_: None
            for chunk in chunks(held)
            for id_ in self._page(
                {"$and": [{first: {"$in": chunk}}, mine]}, after, limit
            )
        }
        if len(held) <= len(next(chunks(held), ())):
            return list(found)
        return sorted(found, key=lambda id_: sort_key(self._ids.stored(id_)))[:limit]

    def find_all_owners(self, path: str, keys: Sequence[str]) -> list[str]:
        """Ids of the documents that embed any of these documents; in no order."""
        first, found = self._first_hop(path, keys)
        raws = _holding(Hop(self.schema, first), found)
        return [self._ids.of(raw) for raw in raws]

    def _first_hop(self, path: str, keys: Sequence[str]) -> tuple[str, list[Any]]:
        """The field of this model that the path begins with, and the keys in it that
        lead to any of these documents."""
        *_, last = self.schema.follow(path)
        ids = Ids(last.document)
        # What holds no key would be found by the one that is null.
        found: list[Any] = keys_in(map(ids.stored, keys))
        first, *others = hops(self.schema, path)
        for hop in reversed(others):
            found = _held(hop, found) if hop.is_back else _holding(hop, found)
        if first.is_back:
            return "_id", _held(first, found)
        return first.name, found

    def _page(
        self, query: Mapping[str, Any], after: str | None, limit: int
    ) -> list[str]:
        if after is None:
            return self._found(query, limit)
        key = self._ids.stored(after)
        page = self._found({"$and": [{"_id": {"$gt": key}}, dict(query)]}, limit)
        if len(page) < limit:
            # Which is all of this type: those of others come behind it.
            others = {"_id": {"$type": types_behind(key)}}
            page += self._found({"$and": [others, dict(query)]}, limit - len(page))
        return page

    def _found(self, query: Mapping[str, Any], limit: int) -> list[str]:
        raws = (
            collection_of(self.schema.model)
            .find(query, {"_id": True})
            .sort([("_id", pymongo.ASCENDING)])
            .limit(limit)
        )
        return [self._ids.of(raw["_id"]) for raw in raws]


def to_dict(schema: ModelSchema, instance: Any) -> _Document:
    """The document of an instance as it is, what has not been saved included.

    :raises ConversionError: for a value that no document can hold.
    """
    (document,) = _Level(schema).documents([instance.to_mongo()], [instance])
    if error := first_error(document):
        raise error
    return document


def _holding(hop: Hop, keys: Iterable[Any]) -> list[Any]:
    """Keys of the documents that hold any of these keys where a step begins."""
    model = hop.holder.model
    found = find_holding(model, hop.name, of_class(model), keys, {"_id": True})
    return keys_in(raw["_id"] for raw in found)


def _held(hop: Hop, keys: Iterable[Any]) -> list[Any]:
    """The keys that these documents hold where a step back begins."""
    model = hop.holder.model
    found = find_by_keys(model, of_class(model), keys, [hop.name])
    return keys_in(raw.get(hop.name) for raw in found)


class _Level:
    """Documents of one schema, from raw ones."""

    def __init__(self, schema: ModelSchema) -> None:
        model: Any = schema.model
        self.name = schema.name
        self.computed = None
        if schema.primary_key:
            # What is a part of its owner is computed with it.
            self.computed = ComputedFields.of(schema)
            self.ids = Ids(schema)
        self.fields = [
            (name, stored_name(model, name), encoder_of(schema.name, field, stored))
            for name, field in schema.stored.items()
            for stored in (model._fields[name],)
        ]
        self.relations = [
            _relation_of(model, relation) for relation in schema.relations.values()
        ]

    def documents(
        self, raws: Sequence[_Raw], instances: Sequence[Any] | None = None
    ) -> list[_Document]:
        """The documents of raw ones, with what they embed.

        :param instances: those to compute fields from; by default they are made of
            the raw ones.
        """
        documents: list[_Document] = [
            {name: encode(raw.get(stored)) for name, stored, encode in self.fields}
            for raw in raws
        ]
        for relation in self.relations:
            embedded = relation.embedded(raws)
            for document, value in zip(documents, embedded, strict=True):
                document[relation.name] = value
        if self.computed is not None:
            ids = [self._spoken_id(raw.get("_id")) for raw in raws]
            self.computed.fill(raws, documents, ids, instances)
        return documents

    def _spoken_id(self, key: Any) -> str:
        return "(new)" if key is None else self.ids.of(key)


class _Relation:
    """What one relation embeds in the documents of a level.

    :param stored: where the documents of the level hold it; a step back begins there.
    """

    def __init__(self, owner: str, relation: RelationSchema, stored: str) -> None:
        self.owner = owner
        self.name = relation.name
        self.place = Place(owner, relation.name, stored, relation.many)
        self.many = relation.many
        self.schema = relation.document
        self.level = _Level(relation.document)

    def embedded(self, raws: Sequence[_Raw]) -> list[Any]:
        """What each of the raw documents embeds: a document, ``None``, or a list."""
        raise NotImplementedError

    def held(self, raw: _Raw) -> list[Any]:
        """What the raw document holds for the relation."""
        return self.place.held(raw)

    def arranged(self, embedded: Sequence[Sequence[Any]]) -> list[Any]:
        """The embedded documents of each owner in the form of the relation."""
        if self.many:
            return [list(items) for items in embedded]
        return [next(iter(items), None) for items in embedded]


class _Inline(_Relation):
    """Documents that are a part of their owner."""

    def embedded(self, raws: Sequence[_Raw]) -> list[Any]:
        """See :meth:`_Relation.embedded`."""
        held = [self.held(raw) for raw in raws]
        for item in (item for items in held for item in items):
            if not isinstance(item, Mapping):
                raise ConversionError(
                    f"{self.owner}.{self.name}: {item!r} cannot be written to a "
                    f"document: it is no embedded document"
                )
        documents = iter(self.level.documents([i for items in held for i in items]))
        return self.arranged([[next(documents) for _ in items] for items in held])


class _Referenced(_Relation):
    """Documents of other collections; those that are gone are left out."""

    def embedded(self, raws: Sequence[_Raw]) -> list[Any]:
        """See :meth:`_Relation.embedded`."""
        held = [
            [item.id if isinstance(item, DBRef) else item for item in self.held(raw)]
            for raw in raws
        ]
        keys = self._keys(held)
        model = self.schema.model
        found = list(find_by_keys(model, of_class(model), keys))
        documents = dict(
            zip(
                (identity(raw["_id"]) for raw in found),
                self.level.documents(found),
                strict=True,
            )
        )
        known = [[documents.get(identity(key)) for key in items] for items in held]
        return self.arranged(
            [[one for one in items if one is not None] for items in known]
        )

    def _keys(self, held: Sequence[Sequence[Any]]) -> list[Any]:
        for key in (key for items in held for key in items):
            if isinstance(key, Mapping | list):
                raise ConversionError(
                    f"{self.owner}.{self.name} holds what is no key: {key!r}"
                )
        return keys_in(key for items in held for key in items)


class _Holding(_Relation):
    """Documents of other collections, which hold the keys of their owners."""

    def __init__(self, owner: str, relation: RelationSchema, stored: str) -> None:
        super().__init__(owner, relation, stored)
        (field,) = relation.target_fields
        self.held_in = stored_name(relation.document.model, field)

    def embedded(self, raws: Sequence[_Raw]) -> list[Any]:
        """See :meth:`_Relation.embedded`; in the order of their keys."""
        model = self.schema.model
        owners = [raw.get(self.place.stored) for raw in raws]
        keys = [key for key in owners if key is not None]
        holding = {
            raw["_id"]: raw
            for raw in find_holding(model, self.held_in, of_class(model), keys)
        }
        found = [holding[key] for key in in_order(holding)]
        embedded: dict[Any, list[_Document]] = {key: [] for key in keys}
        for raw, document in zip(found, self.level.documents(found), strict=True):
            for key in keys_in([raw[self.held_in]]):
                if key in embedded:
                    embedded[key].append(document)
        return self.arranged([embedded.get(key, ()) for key in owners])


def _relation_of(model: Any, relation: RelationSchema) -> _Relation:
    name = model.__name__
    if relation.inline:
        return _Inline(name, relation, stored_name(model, relation.name))
    field = stored_field(model, relation.name)
    if field is None:
        return _Holding(name, relation, "_id")
    return _Referenced(name, relation, stored_name(model, field))
