"""Adapters to a store that owns the data, and to a store derived from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from nefertari_engine_base.interfaces.capture import IDependencyGraph, IPublisher
    from nefertari_engine_base.interfaces.delivery import IOutbox, ITriggers
    from nefertari_engine_base.schema import (
        FieldSchema,
        ModelSchema,
        RelationSchema,
        SecondaryOptions,
    )
    from nefertari_engine_base.values import (
        IndexState,
        Page,
        Query,
        Write,
        WriteResult,
    )


class IPrimaryEngine(Interface):
    """Adapter to the store that owns the data."""

    name = Attribute("Short name, shown in messages and in Page.engine.")
    follows_rows = Attribute(
        "bool: entries follow from the rows that statements change, as TableChanging "
        "announces them, and not from the events of instances."
    )
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

    def triggers(secondaries: Sequence[str]) -> Sequence[ITriggers]:
        """The triggers of each database of this engine; none if it knows no such
        thing.

        :param secondaries: names of the engines that entries are for.
        """

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
        """Ids of the model's documents in the order of the primary key; rows that have
        no document may be among them.

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

    def write(
        schema: ModelSchema, writes: Iterable[Write], *, until: float | None = None
    ) -> Sequence[WriteResult]:
        """Apply versioned writes, each on its own; in the order of ``writes``.

        A repeat is harmless: a write whose version is not above the stored one
        changes nothing and is SUPERSEDED. No outcome of a single document raises.

        :param until: a moment of :func:`~nefertari_engine_base.clock.elapsed`. What is
            not sent by then is EXPIRED. What may have been written much later than
            that, since this process stood still, is LATE. ``None``: any time will do.
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

    def aggregate(
        questions: Sequence[tuple[ModelSchema, Query]],
        aggregations: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        """What the matching documents of several models add up to, as if all were of
        one collection.

        Merging answers would not do: the first buckets of each model are not the
        first of all, and there is no mean of means.

        :param questions: each model with the query that chooses among its documents;
            of a query, filters, ``text``, ``text_fields`` and ``refresh`` count.
        :param aggregations: in the engine's own JSON, with names of
            :meth:`shared_name`.
        :return: the answers by the names of ``aggregations``, as the engine gives them.
        :raises SecondaryUnavailable: if the server did not answer.
        :raises QueryError: if the server says that the aggregations are wrong.
        """

    def shared_name(schemas: Sequence[ModelSchema], path: str) -> str | None:
        """What aggregations over these models, one or several, call whole values of
        the field of a dotted name; ``None`` if the engine cannot compare such values.
        Models without such a field do not count.

        :raises QueryError: if no model has it, or the models that do compare its
            values differently.
        """

    def get(schema: ModelSchema, ids: Sequence[str]) -> Sequence[Any | None]:
        """The documents of these ids, in their order, ``None`` where there is none.

        They are read in real time: no refresh is needed to see a write.
        """

    def highest_version(schemas: Iterable[ModelSchema]) -> int:
        """The highest version that any document of these models carries; 0 if none."""

    def close() -> None:
        """Close every connection."""

    def stored(schema: ModelSchema, ids: Sequence[str]) -> Sequence[Any]:
        """:class:`StoredDocument` of each id, in order, ``None`` where there is none.

        They are read in real time: no refresh is needed to see a write.

        :raises SecondaryUnavailable: if the server did not answer.
        :raises SecondaryError: if the model's index is missing.
        """

    def missing(timeout: float) -> Sequence[str]:
        """Names of the attached models whose documents have no place yet; asks the
        server, once.

        :param timeout: seconds to wait for the answer.
        :raises SecondaryUnavailable: if the server did not answer in time.
        """

    def ids_below(schema: ModelSchema, version: int) -> Iterator[Sequence[str]]:
        """Ids of the documents whose version is below this one, or that have none, in
        batches and in no particular order.

        Every write that was answered before the first batch is asked for is seen.

        :raises SecondaryUnavailable: if the answer would not be complete.
        """

    def index_states(schemas: Iterable[ModelSchema]) -> Mapping[str, IndexState]:
        """The state of each model's index, by model.

        It shows every write that was answered before. A model is left out if its index
        cannot tell now.

        :raises SecondaryUnavailable: if the server did not answer.
        """


class IEngines(Interface):
    """Utility: :class:`nefertari_engine_base.engines.Engines` of an application."""
