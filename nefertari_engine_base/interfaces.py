"""Every interface of the base, public ones first.

Engines meet only here: a primary never imports a secondary nor the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from nefertari_engine_base.schema import (
        FieldSchema,
        ModelSchema,
        RelationSchema,
        SecondaryOptions,
    )
    from nefertari_engine_base.values import (
        Change,
        DeadLetter,
        DocumentRef,
        OutboxEntry,
        Page,
        Query,
        Snapshot,
        SyncStatus,
        Touch,
        Write,
        WriteResult,
    )


# --- events ------------------------------------------------------------------


class IInTransaction(Interface):
    """An event that is sent in the transaction; a subscriber may raise and veto."""

    model = Attribute("The primary's class.")
    changes = Attribute("Sequence of Change.")
    transaction = Attribute("ITransactionLog of the running transaction.")
    primary = Attribute("The IPrimaryEngine that was changed.")


class IDocumentChanged(IInTransaction):
    """One document changed."""

    change = Attribute("The Change.")
    instance = Attribute("The primary's instance.")

    def to_dict() -> Mapping[str, Any]:
        """The fields of the instance as plain data, built on demand."""


class IDocumentCreated(IDocumentChanged):
    """A row was inserted."""


class IDocumentUpdated(IDocumentChanged):
    """A row was updated."""


class IDocumentDeleted(IDocumentChanged):
    """A row was deleted."""


class IDocumentsChanged(IInTransaction):
    """A statement changed many rows."""

    action = Attribute("Action of the statement.")


class IChangesCommitted(Interface):
    """A transaction with changes was committed."""

    changes = Attribute("Sequence of Change.")
    primary = Attribute("The IPrimaryEngine that was changed.")


# --- engines -----------------------------------------------------------------


class IPrimaryEngine(Interface):
    """Adapter to the store that owns the data."""

    name = Attribute("Short name, shown in messages and in Page.engine.")
    capabilities = Attribute("Capability flags: what this store can promise.")

    def owns(model: type) -> bool:
        """Whether instances of this class are stored by this engine."""

    def describe(
        model: type, options_of: Callable[[type], SecondaryOptions | None]
    ) -> ModelSchema:
        """The schema of a model, embedded relations included.

        :param options_of: finds what ``@secondary`` was told of a model, of this one
            and of those that it embeds; ``None`` for a model without documents.

        :raises UnmappableField: for a field that no document can hold.
        :raises MissingInverse: for a relation that cannot be followed back.
        """

    def listen(publisher: IPublisher, graph: IDependencyGraph) -> None:
        """Start to report the changes of the models that the graph knows.

        Called when the application's configuration is complete, and again when
        models were added after that; the last call counts.
        """

    def announce_entries() -> None:
        """Wake workers by every transaction that writes entries from now on.

        A store that cannot do that does nothing: workers look by themselves, too.
        """

    def setup_database() -> None:
        """Create what is missing of the tables, the outbox among them."""

    def outboxes() -> Sequence[IOutbox]:
        """The outbox of each database of this engine."""

    def document_id(instance: Any) -> str:
        """The id of the instance's document."""

    def to_dict(instance: Any) -> Mapping[str, Any]:
        """The instance's document as plain data, from the instance as it is."""

    def search(schema: ModelSchema, query: Query) -> Page[Any]:
        """Instances that match a query without ``text`` and ``aggregations``."""

    def count(schema: ModelSchema, query: Query) -> int:
        """How many instances match such a query."""

    def explain(schema: ModelSchema, query: Query) -> Mapping[str, Any]:
        """The statement that :meth:`search` would execute, for people to read."""

    def get_by_ids(
        schema: ModelSchema, ids: Sequence[str], documents_only: bool = False
    ) -> Mapping[str, Any]:
        """The instances that exist of these ids, by one query (and one for each
        embedded to-many relation), in no particular order.

        :param documents_only: leave out those that have no document.
        """

    def list_ids(schema: ModelSchema, after: str | None, limit: int) -> Sequence[str]:
        """Ids of the model's documents in the order of the primary key.

        :param after: go on behind this id; ``None`` starts at the beginning.
        """

    def outbox_of(schema: ModelSchema) -> IOutbox:
        """The outbox of the database that the model's rows are in."""

    def close() -> None:
        """Stop to report changes and give back every resource."""


class ISecondaryEngine(Interface):
    """Adapter to a store of documents that are derived from a primary."""

    name = Attribute("Short name; stored in outbox entries.")

    def document_base() -> type:
        """The one base of generated document classes."""

    def make_field(model: str, field: FieldSchema) -> Any:
        """The engine's own field for a field. :raises UnmappableField:"""

    def make_relation(model: str, relation: RelationSchema, inner: type) -> Any:
        """The engine's own field for embedded documents of a generated class."""

    def make_inner_document(name: str, namespace: Mapping[str, Any]) -> type:
        """A class for the embedded documents of a relation."""

    def attach(document: type, schema: ModelSchema) -> None:
        """Bind a generated class to its collection. Opens no connection."""

    def setup_database() -> None:
        """Create the indices that are missing."""

    def write(schema: ModelSchema, writes: Iterable[Write]) -> Sequence[WriteResult]:
        """Apply versioned writes, each on its own; in the order of ``writes``.

        A repeat is harmless: a write whose version is not above the stored one
        changes nothing and is SUPERSEDED. No outcome of a single document raises.

        :raises SecondaryUnavailable: if nothing could be sent.
        """

    def refresh(schemas: Iterable[ModelSchema]) -> None:
        """Make every write so far visible to searches."""

    def search(schema: ModelSchema, query: Query) -> Page[Any]:
        """Documents that match, made lazily from the hits; Hits if ``ids_only``.

        :raises SecondaryUnavailable: if the server did not answer.
        :raises QueryError: if the server says that the query is wrong.
        """

    def explain(schema: ModelSchema, query: Query) -> Mapping[str, Any]:
        """The request that :meth:`search` would send."""

    def count(schema: ModelSchema, query: Query) -> int:
        """How many documents match, exactly."""

    def get(schema: ModelSchema, ids: Sequence[str]) -> Sequence[Any | None]:
        """The documents of these ids, in their order, ``None`` where there is none.

        They are read in real time: no refresh is needed to see a write.
        """

    def highest_version(schemas: Iterable[ModelSchema]) -> int:
        """The highest version that any document of these models carries; 0 if none."""

    def close() -> None:
        """Close every connection."""


class IOutbox(Interface):
    """The changes of one database that are not yet known to be indexed."""

    generation = Attribute(
        "A number that changes whenever the server behind the outbox may have become "
        "another one: a standby, or one restored from a backup."
    )

    def claim(
        limit: int, ids: Sequence[int] | None = None
    ) -> AbstractContextManager[IClaim]:
        """Claim entries that are visible, due and claimed by nobody else.

        :param limit: how many at most.
        :param ids: only these entries.
        """

    def claim_own(entries: Sequence[OutboxEntry]) -> AbstractContextManager[IClaim]:
        """Claim entries without path that the caller has committed a moment ago.

        Nobody is kept from claiming them as well: that would cost more than the
        repeat, which is rare and harmless. None is acknowledged that was not visible
        before the version was drawn.
        """

    def draw_and_load(refs: Sequence[DocumentRef]) -> Snapshot:
        """As :meth:`IClaim.draw_and_load`, without a claim."""

    def remaining(ids: Sequence[int]) -> int:
        """How many of these entries are still to be applied; dead ones are not."""

    def waiting() -> int:
        """How many entries there are, claimed and not due ones included."""

    def status() -> SyncStatus:
        """What waits, by model, and the workers that were seen within a day."""

    def heartbeat(name: str, uptime: float, documents: int) -> None:
        """Remember that a worker of this name is alive.

        :param uptime: seconds since it was started.
        :param documents: how many it has written since.
        """

    def forget_worker(name: str) -> None:
        """A worker of this name has ended."""

    def add(touches: Iterable[Touch]) -> None:
        """Add entries in a transaction of their own."""

    def listen(wake: Callable[[], object]) -> AbstractContextManager[None]:
        """Call ``wake`` when there may be new entries, until the context ends.

        Never called where the store cannot tell, and now and then for nothing. After
        a lost connection it may come late: what waits for it has to look by itself,
        too.

        :param wake: is called by another thread, and must return quickly.
        """

    def dead_letters(
        model: str | None = None, key: str | None = None
    ) -> Sequence[DeadLetter]:
        """Entries that are not tried any more, in the order that they were made.

        :param model: only those of documents of this model.
        :param key: only those whose touch has this key.
        """

    def retry(model: str | None = None, key: str | None = None) -> int:
        """Make these dead letters due, with no attempt counted; how many there were."""

    def drop(model: str | None = None, key: str | None = None) -> int:
        """Remove these dead letters for good; how many there were."""

    def advance_version(above: int) -> None:
        """Make every later version greater than ``above``."""


class IClaim(Interface):
    """Entries that are this delivery's until it ends.

    What has not been acknowledged when the claim ends is everybody's again. If it
    ends by an exception, nothing of it was acknowledged.
    """

    entries = Attribute("Sequence of OutboxEntry.")

    def expand(entry: OutboxEntry, limit: int) -> Sequence[OutboxEntry]:
        """Replace an entry with a path by entries of at most ``limit`` documents.

        The new entries are claimed too. If there are more documents, the entry stays,
        remembers how far it got, and goes behind the entries that are due. Safe to
        undo: at worst it is done again.
        """

    def draw_and_load(refs: Sequence[DocumentRef]) -> Snapshot:
        """Draw a version, and then, in a newer snapshot, load these documents."""

    def acknowledge(entries: Sequence[OutboxEntry]) -> None:
        """These are applied: remove them, and with them the dead letters of the same
        documents that were there before the version was drawn.

        What was written holds the changes of those as well. Dead letters with a path
        stay: they stand for other documents too.
        """

    def refuse(entry: OutboxEntry, reason: str, delay: float | None) -> None:
        """Count a refusal, and try again in ``delay`` seconds; ``None``: never, the
        document becomes a dead letter."""


class IDependencyGraph(Interface):
    """Which rows the documents show; see :mod:`nefertari_engine_base.sync.related`."""

    def models() -> frozenset[str]:
        """Names of the models whose changes matter to any document."""

    def references(model: str, bases: Sequence[str]) -> frozenset[str]:
        """Fields of a model whose old values are needed: they name documents."""

    def contents(model: str, bases: Sequence[str]) -> frozenset[str]:
        """Fields and relations of a model that any document shows."""

    def shown_in(model: str, bases: Sequence[str]) -> Sequence[tuple[str, str]]:
        """(model, path) of the documents that show rows of this model and that only
        a look-up can name; the look-up has to come before a row is deleted."""


class ITransactionLog(Interface):
    """What one transaction of a primary has changed so far."""

    def touch(touches: Iterable[Touch]) -> None:
        """Write entries for these documents with the transaction.

        A document that the transaction has an entry for gets no other.
        """


class IPublisher(Interface):
    """What a primary reports to; see :mod:`nefertari_engine_base.sync.capture`."""

    def publish(
        transaction: ITransactionLog, changes: Sequence[tuple[Change, type, Any]]
    ) -> None:
        """Announce changes in the transaction: (change, model, instance)."""

    def publish_many(
        transaction: ITransactionLog, model: type, changes: Sequence[Change]
    ) -> None:
        """Announce the changes of one statement in the transaction."""

    def committed(
        changes: Sequence[Change], entries: Mapping[IOutbox, Sequence[OutboxEntry]]
    ) -> None:
        """The transaction is committed, with these entries. Never raises."""


class IFailureHandler(Interface):
    """Is told of everything that goes wrong behind the application's back.

    Register one with ``config.registry.registerUtility(handler, IFailureHandler)``.
    It must return quickly, and may be called by several threads at once.
    """

    def delivery_failed(error: BaseException, waiting: int) -> None:
        """A delivery was put off; ``waiting`` entries stay in the outbox."""

    def document_refused(ref: DocumentRef, reason: str, final: bool) -> None:
        """The index refused a document; ``final`` if it became a dead letter."""

    def subscriber_failed(error: BaseException, event: Any) -> None:
        """A subscriber of an event after commit raised."""


class IEngines(Interface):
    """Utility: :class:`nefertari_engine_base.engines.Engines` of an application."""
