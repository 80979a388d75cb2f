"""A secondary engine that keeps its documents in memory: real, and of no use in
production.

It is what an application's own tests run on without a server. It keeps the promises of
:class:`~nefertari_engine_base.interfaces.ISecondaryEngine`, and passes the same
:class:`~nefertari_engine_base.testing.secondary_suite.SecondaryEngineSuite` as the
engines of servers do. Aggregations and the finer parts of the query syntax are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock
from typing import Any
from uuid import uuid4

import orjson
from zope.interface import implementer

from nefertari_engine_base.clock import elapsed
from nefertari_engine_base.encoding import content_hash, convert
from nefertari_engine_base.exceptions import (
    ConversionError,
    QueryError,
    SecondaryUnavailable,
    UnknownModel,
)
from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.schema import FieldSchema, ModelSchema, RelationSchema
from nefertari_engine_base.testing.memory_documents import (
    MemoryDocument,
    MemoryField,
    MemoryRelation,
    bind,
)
from nefertari_engine_base.testing.memory_search import (
    SCORE,
    Conditions,
    FoundSource,
    project,
    sort_hits,
)
from nefertari_engine_base.testing.memory_text import TextQuery, searched_fields
from nefertari_engine_base.values import (
    Hit,
    IndexState,
    Outcome,
    Page,
    Query,
    Sort,
    StoredDocument,
    Write,
    WriteResult,
)

#: Bytes that an id may have, as in Elasticsearch.
LONGEST_ID = 512

_NO_AGGREGATIONS = "The in-memory engine has no aggregations."


@dataclass(frozen=True, slots=True)
class Stored:
    """A document, or without a source the memory of a deleted one.

    :attr told: the document as it tells of itself.
    """

    version: int
    source: Mapping[str, Any] | None
    told: StoredDocument | None = None


@dataclass(slots=True)
class Collection:
    """The documents of one model.

    :attr identity: differs from those of all other collections.
    :attr operations: how many writes were applied.
    :attr visible: what searches see.
    """

    schema: ModelSchema
    document: type[MemoryDocument]
    identity: str = field(default_factory=lambda: str(uuid4()))
    operations: int = 0
    stored: dict[str, Stored] = field(default_factory=dict)
    visible: dict[str, Stored] = field(default_factory=dict)

    @property
    def state(self) -> IndexState:
        """What tells the collection from another, or from what it was before."""
        stored = list(self.stored.values())
        living = sum(one.source is not None for one in stored)
        return IndexState(self.schema.name, self.identity, self.operations, living)


@implementer(ISecondaryEngine)
class MemoryEngine:
    """Documents in dictionaries; may be used by several threads.

    :param immediate: searches see a write at once. Otherwise they see it after
        :meth:`refresh`, as with a search server.
    :attr available: set it to false, and every call fails as if there was no server.
    :attr refuse: called with the schema and each write; a string that it returns is
        the reason to refuse the write.
    """

    name = "memory"

    def __init__(self, *, immediate: bool = True) -> None:
        self.available = True
        self.refuse: Callable[[ModelSchema, Write], str | None] | None = None
        self._immediate = immediate
        self._collections: dict[str, Collection] = {}
        self._lock = RLock()

    # --- generation

    def document_base(self) -> type:
        """:class:`~.memory_documents.MemoryDocument`."""
        return MemoryDocument

    def make_field(self, model: str, field: FieldSchema) -> MemoryField:
        """A descriptor that decodes the field. Every kind is known."""
        return MemoryField(field)

    def make_relation(
        self, model: str, relation: RelationSchema, inner: type[MemoryDocument]
    ) -> MemoryRelation:
        """A descriptor that makes embedded documents."""
        return MemoryRelation(relation, inner)

    def make_inner_document(
        self, name: str, namespace: Mapping[str, Any]
    ) -> type[MemoryDocument]:
        """A class for embedded documents."""
        return type(name, (MemoryDocument,), dict(namespace))

    def attach(self, document: type[MemoryDocument], schema: ModelSchema) -> None:
        """Bind a generated class to an empty collection."""
        bind(document, schema)
        self._collections[schema.name] = Collection(schema, document)

    def setup_database(self) -> None:
        """Nothing is missing in memory."""
        self._check_available()

    def close(self) -> None:
        """Nothing is open."""

    # --- writing

    def write(
        self,
        schema: ModelSchema,
        writes: Iterable[Write],
        *,
        until: float | None = None,
    ) -> Sequence[WriteResult]:
        """Apply versioned writes; see :meth:`ISecondaryEngine.write`."""
        collection = self._collection(schema)
        if until is not None and elapsed() > until:
            return [WriteResult(write.id, Outcome.EXPIRED) for write in writes]
        with self._lock:
            results = [self._write(collection, write) for write in writes]
            if self._immediate:
                collection.visible = dict(collection.stored)
        return results

    def _write(self, collection: Collection, write: Write) -> WriteResult:
        reason = self.refuse and self.refuse(collection.schema, write)
        try:
            source = None if write.source is None else orjson.loads(write.source)
            reason = reason or _fault(collection.schema, write.id, source)
        except orjson.JSONDecodeError as error:
            reason = f"no JSON: {error}"
        if reason:
            return WriteResult(write.id, Outcome.REFUSED, reason)
        stored = collection.stored.get(write.id)
        if stored is not None and write.version <= stored.version:
            return WriteResult(write.id, Outcome.SUPERSEDED, stored=stored.version)
        told = None if source is None else _told(write, source)
        collection.stored[write.id] = Stored(write.version, source, told)
        collection.operations += 1
        return WriteResult(write.id, Outcome.WRITTEN)

    def refresh(self, schemas: Iterable[ModelSchema]) -> None:
        """Make every write so far visible to searches."""
        for schema in schemas:
            collection = self._collection(schema)
            with self._lock:
                collection.visible = dict(collection.stored)

    # --- reading

    def search(self, schema: ModelSchema, query: Query) -> Page[Any]:
        """Documents that match; Hits if only ids are asked for."""
        collection = self._collection(schema)
        found = self._find(collection, query)
        end = None if query.limit is None else query.start + query.limit
        shown = sort_hits(schema, found, _sort_of(query))[query.start : end]
        return Page(
            items=[_item(collection, query, hit) for hit in shown],
            total=len(found),
            start=query.start,
            limit=query.limit,
            engine=self.name,
            fields=query.fields,
        )

    def explain(self, schema: ModelSchema, query: Query) -> Mapping[str, Any]:
        """The query itself: there is no request."""
        return {"model": self._collection(schema).schema.name, "query": repr(query)}

    def count(self, schema: ModelSchema, query: Query) -> int:
        """How many documents match."""
        return len(self._find(self._collection(schema), query))

    def aggregate(
        self,
        questions: Sequence[tuple[ModelSchema, Query]],
        aggregations: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        """Refused, as :meth:`search` refuses aggregations."""
        raise QueryError(_NO_AGGREGATIONS)

    def shared_name(self, schemas: Sequence[ModelSchema], path: str) -> str | None:
        """The name itself: values are compared as they are."""
        return path

    def get(self, schema: ModelSchema, ids: Sequence[str]) -> Sequence[Any | None]:
        """The documents of these ids, ``None`` where there is none; in real time."""
        collection = self._collection(schema)
        stored = [collection.stored.get(id_) for id_ in ids]
        return [
            collection.document(one.source, id_)
            if one and one.source is not None
            else None
            for id_, one in zip(ids, stored, strict=True)
        ]

    def stored(
        self, schema: ModelSchema, ids: Sequence[str]
    ) -> Sequence[StoredDocument | None]:
        """The documents of these ids as they are stored; in real time."""
        stored = self._collection(schema).stored
        return [one.told if (one := stored.get(id_)) else None for id_ in ids]

    def missing(self, timeout: float) -> Sequence[str]:
        """None: every attached model has its dictionary."""
        self._check_available()
        return ()

    def highest_version(self, schemas: Iterable[ModelSchema]) -> int:
        """The highest version that a document of these models carries; 0 if none."""
        return max(
            (
                stored.version
                for schema in schemas
                for stored in list(self._collection(schema).stored.values())
                if stored.source is not None
            ),
            default=0,
        )

    def ids_below(self, schema: ModelSchema, version: int) -> Iterator[Sequence[str]]:
        """Ids of the documents whose version is below this one, in one batch."""
        stored = dict(self._collection(schema).stored)
        found = [
            id_
            for id_, one in stored.items()
            if one.source is not None and one.version < version
        ]
        if found:
            yield found

    def index_states(self, schemas: Iterable[ModelSchema]) -> Mapping[str, IndexState]:
        """The state of each model's collection, by model."""
        return {schema.name: self._collection(schema).state for schema in schemas}

    def _find(self, collection: Collection, query: Query) -> list[FoundSource]:
        if query.aggregations is not None:
            raise QueryError(_NO_AGGREGATIONS)
        if query.refresh:
            self.refresh([collection.schema])
        schema = collection.schema
        text = None
        if query.text is not None:
            fields = searched_fields(schema, query.text_fields)
            text = TextQuery(schema, query.text, fields)
        conditions = Conditions(schema, query.filters)
        found = []
        for id_, stored in list(collection.visible.items()):
            if stored.source is None:
                continue
            score = 1.0 if text is None else text.score(stored.source)
            if score is not None and conditions.hold_for(stored.source):
                found.append(FoundSource(id_, stored.source, score))
        return found

    def _collection(self, schema: ModelSchema) -> Collection:
        self._check_available()
        try:
            return self._collections[schema.name]
        except KeyError:
            raise UnknownModel(
                f"{schema.name} has no documents in {self.name}: it was not attached."
            ) from None

    def _check_available(self) -> None:
        if not self.available:
            raise SecondaryUnavailable("The in-memory engine is switched off.")


def _told(write: Write, source: Mapping[str, Any]) -> StoredDocument:
    digest = content_hash(write.source or b"")
    now = datetime.now(UTC)
    return StoredDocument(write.version, source, write.version, digest, now, write.why)


def _fault(schema: ModelSchema, document_id: str, source: Any) -> str | None:
    """Why an index would refuse a document, or ``None``."""
    if not 0 < len(document_id.encode()) <= LONGEST_ID:
        return f"an id has 1 to {LONGEST_ID} bytes"
    if source is None:
        return None
    if not isinstance(source, dict):
        return "no JSON object"
    for name, one in schema.fields.items():
        try:
            convert(name, one.decode, source.get(name))
        except ConversionError as error:
            return str(error)
    return None


def _sort_of(query: Query) -> Sequence[Sort]:
    if not query.sort and query.text is not None:
        return (Sort(SCORE, descending=True),)
    return query.sort


def _item(collection: Collection, query: Query, hit: FoundSource) -> Any:
    score = hit.score if query.text is not None else None
    if query.ids_only:
        return Hit(hit.id, None, score)
    source = hit.source
    if query.fields is not None:
        source = project(source, query.fields)
    return collection.document(source, hit.id, score)
