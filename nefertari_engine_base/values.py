"""The values that travel between engines: frozen, and made of the stdlib alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Flag, StrEnum, auto
from typing import Any, Generic, NamedTuple, TypeVar, overload

T = TypeVar("T")


class Action(StrEnum):
    """What happened to a row or a document of the primary."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class Capability(Flag):
    """What a primary engine can promise; conformance suites and docs read it."""

    NONE = 0
    #: The outbox entry and the change are committed or rolled back as one.
    TRANSACTIONAL = auto()
    #: An inner rollback undoes a part of a transaction.
    SAVEPOINTS = auto()
    #: Claimed entries are locked by the database; elsewhere they carry a lease.
    SKIP_LOCKED = auto()


class Operator(StrEnum):
    """How a filter compares a field; the suffix of a parameter after ``__``."""

    EQ = "eq"
    IN = "in"
    ALL = "all"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EXISTS = "exists"


class Outcome(StrEnum):
    """What the secondary says of one write."""

    WRITTEN = "written"
    #: A newer version is there already, which is as good as written.
    SUPERSEDED = "superseded"
    #: The document itself was refused; trying again will not help by itself.
    REFUSED = "refused"
    #: The server could not take it now; it is as if it had not been tried.
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """A document: the name of its model, and its primary key as a string.

    :attr id: the key in the form of
        :meth:`nefertari_engine_base.schema.ModelSchema.document_id`.
    """

    model: str
    id: str


_NOTHING: Mapping[str, Any] = {}
_NO_ERRORS: Mapping[DocumentRef, str] = {}


@dataclass(frozen=True, slots=True)
class Change:
    """A reference to what changed in the primary, never its contents.

    :attr fields: names of the changed columns and relations; ``None`` when
        the primary cannot tell, which means "any of them".
    :attr references: current values of the fields that refer to other models.
    :attr previous: the values that those fields had before, where they differ.
    :attr shown_in: for a row that goes: ids of the documents that show it, by model,
        looked up while it was still there.
    """

    ref: DocumentRef
    action: Action
    fields: frozenset[str] | None = None
    references: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    previous: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    shown_in: Mapping[str, Sequence[str]] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Touch:
    """Documents of one secondary that a change touches.

    With an empty ``path`` it names one document, ``key`` being its id. With a
    path it names every document of ``model`` that reaches, through the embedded
    relations of the dotted path, the row of the path's last model whose id is
    ``key``; these are looked up at delivery.
    """

    secondary: str
    model: str
    key: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A touch that is stored in the primary until a secondary has applied it.

    :attr id: the primary's number of the entry.
    :attr cursor: where an interrupted look-up of documents goes on, or ``None``.
    :attr attempts: how often the index has refused this document.
    """

    id: int
    touch: Touch
    cursor: str | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry that was refused so often that nobody tries it any more.

    :attr entry: with the number of refusals in ``attempts``.
    :attr reason: what the index said of it last.
    :attr created_at: when the change was recorded (UTC).
    :attr dead_at: when it was refused for the last time (UTC).
    """

    entry: OutboxEntry
    reason: str
    created_at: datetime
    dead_at: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Documents, and a version that was drawn before they were loaded.

    :attr documents: JSON of each document that exists, by document id, for each
        model; a document that was asked for and is not here does not exist.
    :attr errors: why a document exists but cannot be loaded.
    """

    version: int
    documents: Mapping[str, Mapping[str, bytes]]
    errors: Mapping[DocumentRef, str] = field(default_factory=lambda: _NO_ERRORS)


# Tuples, since there is one of each for every document of a mass indexing: a frozen
# dataclass takes three times as long to make.
class Write(NamedTuple):
    """One versioned write; without a ``source`` it is a delete.

    :attr source: the document as UTF-8 JSON text of an object.
    """

    id: str
    version: int
    source: bytes | None


class WriteResult(NamedTuple):
    """The answer to one :class:`Write`, in the order of the writes."""

    id: str
    outcome: Outcome
    reason: str | None = None


@dataclass(slots=True)
class DeliveryReport:
    """What a delivery did, in documents unless said otherwise.

    :attr entries: outbox entries that are gone from the outbox.
    :attr expanded: documents that were found for entries with a path.
    :attr deferred: entries left for later because the server was not there.
    :attr errors: (document, reason) of each refused document.
    """

    written: int = 0
    superseded: int = 0
    refused: int = 0
    deferred: int = 0
    expanded: int = 0
    entries: int = 0
    errors: list[tuple[DocumentRef, str]] = field(default_factory=list)

    @property
    def documents(self) -> int:
        """How many writes were sent to the secondary."""
        return self.written + self.superseded + self.refused + self.deferred

    def count(self, outcome: Outcome) -> None:
        """Count the outcome of one write."""
        setattr(self, outcome.value, getattr(self, outcome.value) + 1)

    def add(self, other: DeliveryReport) -> None:
        """Add the figures of another report to this one."""
        self.written += other.written
        self.superseded += other.superseded
        self.refused += other.refused
        self.deferred += other.deferred
        self.expanded += other.expanded
        self.entries += other.entries
        self.errors.extend(other.errors)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What waits for the documents of one model, in outbox entries.

    :attr model: its name; empty where it stands for all.
    :attr waiting: entries to be delivered.
    :attr oldest: seconds since the change that has waited longest; ``None`` when
        nothing waits.
    :attr retried: those of the waiting that the index has refused at least once.
    :attr dead: dead letters.
    """

    model: str
    waiting: int = 0
    oldest: float | None = None
    retried: int = 0
    dead: int = 0

    def __add__(self, other: ModelStatus) -> ModelStatus:
        return ModelStatus(
            self.model,
            self.waiting + other.waiting,
            max(
                (age for age in (self.oldest, other.oldest) if age is not None),
                default=None,
            ),
            self.retried + other.retried,
            self.dead + other.dead,
        )


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker that has been seen within a day.

    :attr name: its host and the number of its process.
    :attr started_at: when it was started (UTC).
    :attr seen_at: when it told last that it is alive (UTC).
    :attr documents: how many it has written since it was started.
    :attr lost: whether it has been silent for so long that it must have crashed.
    """

    name: str
    started_at: datetime
    seen_at: datetime
    documents: int
    lost: bool


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """How far the documents are behind their rows, and who catches up.

    :attr models: those of which something waits or is dead, by name.
    """

    models: tuple[ModelStatus, ...] = ()
    workers: tuple[WorkerStatus, ...] = ()

    @property
    def total(self) -> ModelStatus:
        """The models together."""
        return sum(self.models, ModelStatus(""))

    def __add__(self, other: SyncStatus) -> SyncStatus:
        models = {model.model: model for model in self.models}
        for model in other.models:
            known = models.get(model.model)
            models[model.model] = known + model if known else model
        ordered = tuple(models[name] for name in sorted(models))
        return SyncStatus(ordered, self.workers + other.workers)


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a field; dotted names reach into embedded documents."""

    field: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort key; documents without a value come last in either direction."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A read that either engine can be asked, checked against the schema.

    :attr text: a Lucene query string, or ``None``. Only a secondary answers it.
    :attr text_fields: fields that ``text`` searches; empty means all.
    :attr limit: largest number of hits; ``None`` means all that the engine gives.
    :attr fields: fields to return; ``None`` means all.
    :attr aggregations: aggregations in the secondary's own JSON, or ``None``.
    :attr ids_only: the caller needs ids and no contents.
    :attr refresh: make every earlier write visible before the search.
    :attr documents_only: a primary leaves out what has no document, since it answers
        in place of the secondary.
    """

    filters: tuple[Filter, ...] = ()
    text: str | None = None
    text_fields: tuple[str, ...] = ()
    sort: tuple[Sort, ...] = ()
    limit: int | None = 20
    start: int = 0
    fields: tuple[str, ...] | None = None
    aggregations: Mapping[str, Any] | None = None
    ids_only: bool = False
    refresh: bool = False
    documents_only: bool = False

    @property
    def needs_secondary(self) -> bool:
        """Whether only a search engine can answer this."""
        return self.text is not None or self.aggregations is not None


@dataclass(frozen=True, slots=True)
class Hit:
    """One search hit as the secondary returned it.

    :attr source: the stored JSON object, or ``None`` for a search of ids only.
    """

    id: str
    source: Mapping[str, Any] | None
    score: float | None = None


@dataclass(slots=True)
class Page(Sequence[T], Generic[T]):
    """An answer of either engine: items, and where they stand in the whole.

    :attr total: how many items match, before ``limit`` and ``start``.
    :attr took: milliseconds that the engine says it needed; ``None`` if it
        does not say.
    :attr engine: name of the engine that answered.
    """

    items: Sequence[T]
    total: int
    start: int = 0
    limit: int | None = None
    took: int | None = None
    engine: str = ""
    fields: tuple[str, ...] | None = None
    aggregations: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    @property
    def _nefertari_meta(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "start": self.start,
            "fields": list(self.fields or ()),
            "took": self.took,
        }
