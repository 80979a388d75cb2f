"""Why the index holds what it holds of one row: what a person asks who misses it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson

from nefertari_engine_base.encoding import content_hash
from nefertari_engine_base.interfaces import IOutbox, ISecondaryEngine
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.settings import SyncMode
from nefertari_engine_base.values import (
    DebtStatus,
    DocumentRef,
    Filter,
    Operator,
    Query,
    RecordedEntry,
    StoredDocument,
)

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines

#: How often it is asked again when a delivery writes the document meanwhile.
_TRIES = 5


class RowState(StrEnum):
    """What the primary says of a row."""

    #: It is there, and has a document.
    PRESENT = "present"
    #: There is none.
    MISSING = "missing"
    #: It is there, and ``when=`` gives it no document.
    LEFT_OUT = "left out"
    #: It is there, and holds what no document can.
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the primary, as delivery would load it now.

    :attr id: the id of its document.
    :attr other_ids: other spellings of the key that were asked for, such as ``1.1``
        for ``1.10``; no document belongs there.
    :attr document: its document; ``None`` unless it is present.
    :attr hash: the content hash of that document.
    :attr error: why it is unreadable.
    """

    id: str
    state: RowState
    other_ids: tuple[str, ...] = ()
    document: Mapping[str, Any] | None = None
    hash: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class IndexedRow:
    """What one secondary engine holds of a row, and what waits for it.

    :attr stored: its document there, or ``None``.
    :attr strays: other spellings of its id that have a document, too.
    :attr differing: names of the fields that are not as in the primary.
    :attr equal: whether the engine holds the document that the row has, or neither
        has one.
    :attr waiting: entries that will write it, those of embedded rows included.
    :attr dead: those that nobody tries any more.
    :attr owed: what is to be caught up with for all documents of the model.
    """

    secondary: str
    stored: StoredDocument | None
    strays: tuple[str, ...]
    differing: tuple[str, ...]
    equal: bool
    waiting: tuple[RecordedEntry, ...]
    dead: tuple[RecordedEntry, ...]
    owed: tuple[DebtStatus, ...] = ()

    @property
    def in_order(self) -> bool:
        """Whether the index equals the primary and nothing is dead."""
        return self.equal and not self.dead


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of one row and its documents.

    :attr indices: one for each secondary engine, by its name.
    """

    model: str
    row: Row
    sync: SyncMode
    indices: tuple[IndexedRow, ...]

    @property
    def in_order(self) -> bool:
        """Whether every index equals the primary and nothing is dead."""
        return all(index.in_order for index in self.indices)


def explain(engines: Engines, model: type | str, document_id: str) -> Explanation:
    """Compare a row with its documents, and find what will be written of it.

    The row is loaded by the road of deliveries, which costs a version. Reads the whole
    outbox. What waits for an embedded row is found by the key of that row; where the
    document does not show it, all that wait for rows by the same path are told.

    :param model: a class or its name.
    :param document_id: the row's key, as the id of its document.
    :raises UnknownModel: if the model has no documents.
    :raises InvalidDocumentId: if it is no id of the model.
    :raises PrimaryError: if the database cannot be asked.
    :raises SecondaryUnavailable: if the search server did not answer.
    :raises SecondaryError: if the index is missing.
    """
    schema = engines.schema_of(model)
    canonical = schema.document_id(schema.parse_id(document_id))
    spellings = list(dict.fromkeys((document_id, canonical)))
    row, indices = None, []
    for secondary in engines.secondaries.values():
        row, index = _explain(engines, secondary, schema, spellings)
        indices.append(index)
    row = row or _load(engines, schema, spellings)
    return Explanation(schema.name, row, engines.settings.sync, tuple(indices))


def _explain(
    engines: Engines,
    secondary: ISecondaryEngine,
    schema: ModelSchema,
    spellings: Sequence[str],
) -> tuple[Row, IndexedRow]:
    """The row and its documents in one engine, at one moment: what is read first is
    read again in the end, and must not have been written meanwhile."""
    outbox = engines.primary_of(schema.model).outbox_of(schema)
    ids = list(spellings)
    for _ in range(_TRIES):
        before = _stored(secondary, schema, ids)
        row = _load(engines, schema, spellings)
        if row.id not in ids:
            ids.append(row.id)
            continue
        documents = [one.source for one in before.values()]
        if row.document is not None:
            documents.append(row.document)
        entries = _recorded(outbox, secondary.name, schema, ids, documents)
        stored = _stored(secondary, schema, ids)
        if stored == before:
            break
    index = _compare(secondary.name, row, stored, entries)
    debts = outbox.debt_status()
    owed = (d for d in debts if (d.secondary, d.model) == (secondary.name, schema.name))
    return row, replace(index, owed=tuple(owed))


def _stored(
    secondary: ISecondaryEngine, schema: ModelSchema, ids: Sequence[str]
) -> dict[str, StoredDocument]:
    found = secondary.stored(schema, ids)
    return {id_: one for id_, one in zip(ids, found, strict=True) if one is not None}


def _load(engines: Engines, schema: ModelSchema, spellings: Sequence[str]) -> Row:
    primary = engines.primary_of(schema.model)
    asked, canonical = spellings[0], spellings[-1]
    ref = DocumentRef(schema.name, asked)
    snapshot = primary.outbox_of(schema).draw_and_load([ref])
    if (error := snapshot.errors.get(ref)) is not None:
        return Row(
            canonical, RowState.UNREADABLE, _without(spellings, canonical), error=error
        )
    for id_, source in snapshot.documents.get(schema.name, {}).items():
        return Row(
            id_,
            RowState.PRESENT,
            _without(spellings, id_),
            orjson.loads(source),
            content_hash(source),
        )
    state = RowState.MISSING
    if schema.condition is not None:
        key = zip(schema.primary_key, schema.parse_id(asked), strict=True)
        filters = tuple(Filter(name, Operator.EQ, value) for name, value in key)
        if primary.count(schema, Query(filters=filters)):
            state = RowState.LEFT_OUT
    return Row(canonical, state, _without(spellings, canonical))


def _without(spellings: Sequence[str], id_: str) -> tuple[str, ...]:
    return tuple(other for other in spellings if other != id_)


def _recorded(
    outbox: IOutbox,
    secondary: str,
    schema: ModelSchema,
    ids: Sequence[str],
    documents: Sequence[Mapping[str, Any]],
) -> list[RecordedEntry]:
    keys: dict[str, Collection[str] | None] = {"": ids}
    for relations, inner in schema.walk(followed=True):
        if relations:
            path = ".".join(relation.name for relation in relations)
            keys[path] = None if path in keys else _keys(inner, path, documents)
    return [
        entry
        for entry in outbox.recorded(schema.name, keys)
        if entry.entry.touch.secondary == secondary
    ]


def _keys(
    schema: ModelSchema, path: str, documents: Sequence[Mapping[str, Any]]
) -> Collection[str] | None:
    """Ids of the rows that documents embed by a path; ``None`` for any."""
    names = path.split(".")
    embedded = [one for doc in documents for one in _embedded(doc, names)]
    return _ids(schema, embedded)


def _embedded(value: Any, path: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The embedded objects that a path leads to."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Mapping):
            if path:
                yield from _embedded(one.get(path[0]), path[1:])
            else:
                yield one


def _ids(
    schema: ModelSchema, embedded: Sequence[Mapping[str, Any]]
) -> Collection[str] | None:
    """Ids of embedded rows; ``None`` where the document does not show their keys."""
    fields = schema.key_fields
    if any(field.name not in one for one in embedded for field in fields):
        return None
    return {
        schema.document_id([field.decode(one[field.name]) for field in fields])
        for one in embedded
    }


def _compare(
    secondary: str,
    row: Row,
    stored: Mapping[str, StoredDocument],
    entries: Sequence[RecordedEntry],
) -> IndexedRow:
    document = stored.get(row.id)
    strays = tuple(id_ for id_ in row.other_ids if id_ in stored)
    differing: tuple[str, ...] = ()
    if document is None or row.document is None:
        equal = document is None and row.document is None
    else:
        differing = _differing(document.source, row.document)
        equal = document.hash == row.hash and not differing
    return IndexedRow(
        secondary,
        document,
        strays,
        differing,
        equal and not strays and row.state is not RowState.UNREADABLE,
        tuple(entry for entry in entries if entry.dead_at is None),
        tuple(entry for entry in entries if entry.dead_at is not None),
    )


def _differing(left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[str, ...]:
    # Not by ==, which takes 1, 1.0 and true for the same.
    return tuple(
        name
        for name in dict.fromkeys((*right, *left))
        if (name in left) != (name in right)
        or orjson.dumps(left[name]) != orjson.dumps(right[name])
    )
