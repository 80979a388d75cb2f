"""From a primary's signals to Pyramid events, and from events to touched documents.

A primary engine reports to a :class:`Publisher`; every subscriber hears of it by the
events of :mod:`nefertari_engine_base.events`. The secondary's side is such a
subscriber, :class:`TouchDocuments`: it asks the dependency graph which documents are
touched and adds them to the transaction's log, whose entries the primary writes with
the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import implementedBy, implementer

from nefertari_engine_base.events import (
    EVENT_OF_ACTION,
    ChangesCommitted,
    DocumentChanged,
    DocumentsChanged,
    TableChanging,
)
from nefertari_engine_base.exceptions import EngineError
from nefertari_engine_base.interfaces import (
    IInTransaction,
    IOutbox,
    IPrimaryEngine,
    IPublisher,
    ITableChanging,
    ITransactionLog,
)
from nefertari_engine_base.settings import SyncMode, Uncaptured, Visibility
from nefertari_engine_base.sync import failures, suspension, visibility
from nefertari_engine_base.sync.delivery import deliver_inline
from nefertari_engine_base.values import (
    Action,
    Change,
    Debt,
    OutboxEntry,
    Touch,
)
from nefertari_engine_base.values.debts import SUSPENDED

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines


#: Events that the base hears itself.
_OWN = (DocumentChanged, DocumentsChanged)
#: More entries than there can be.
_ALL = 2**62
_NO_NUMBERS: Mapping[IOutbox, Sequence[int]] = {}
_NOT_SOUGHT: Mapping[IOutbox, Callable[[], Sequence[OutboxEntry]]] = {}


@implementer(IPublisher)
class Publisher:
    """Announces the changes of one primary engine to one application."""

    def __init__(self, engines: Engines, primary: IPrimaryEngine) -> None:
        self._engines = engines
        self._primary = primary

    def publish(
        self,
        transaction: ITransactionLog,
        changes: Sequence[tuple[Change, type, Any]],
    ) -> None:
        """Send one event for each change."""
        notify = self._engines.registry.notify
        for change, model, instance in changes:
            event = EVENT_OF_ACTION[change.action]
            notify(event(model, change, instance, transaction, self._primary))

    def publish_many(
        self, transaction: ITransactionLog, model: type, changes: Sequence[Change]
    ) -> None:
        """Send one event for the changes of one statement."""
        if changes:
            event = DocumentsChanged(
                model, changes[0].action, changes, transaction, self._primary
            )
            self._engines.registry.notify(event)

    def documents_of(self, models: Iterable[type]) -> frozenset[str]:
        """See :meth:`IPublisher.documents_of`."""
        engines = self._engines
        return frozenset(
            name
            for model in models
            for name in engines.graph.documents_of(model.__name__, engines.bases(model))
        )

    def forgo(self, transaction: ITransactionLog, names: frozenset[str]) -> bool:
        """See :meth:`IPublisher.forgo`."""
        off = suspension.current(self._engines.settings.suspended)
        if not all(map(off.covers, names)):
            return False
        self.owe(transaction, names, SUSPENDED)
        return True

    def owe(
        self, transaction: ITransactionLog, names: frozenset[str], reason: str
    ) -> None:
        """See :meth:`IPublisher.owe`."""
        for secondary in self._engines.secondaries:
            transaction.owe(Debt(secondary, name, reason) for name in sorted(names))

    def publish_statement(
        self, transaction: ITransactionLog, table: str, action: Action,
        documents: frozenset[str], statement: str,
    ) -> TableChanging:  # fmt: skip
        """See :meth:`IPublisher.publish_statement`."""
        event = TableChanging(
            table, action, documents, statement, transaction, self._primary
        )
        self._engines.registry.notify(event)
        return event

    def is_heard(self, *events: type) -> bool:
        """See :meth:`IPublisher.is_heard`."""
        find = self._engines.registry.adapters.subscriptions
        return any(
            # One is the base's own.
            len(find([implementedBy(event)], None))  # type: ignore[no-untyped-call]
            > issubclass(event, _OWN)
            for event in events
        )

    def entries_to_know(self) -> int:
        """See :meth:`IPublisher.entries_to_know`."""
        settings = self._engines.settings
        if visibility.wanted(self._engines) is not Visibility.ASYNC:
            return _ALL
        return settings.inline_limit if settings.sync is SyncMode.INLINE else 0

    @property
    def refuses_uncaptured(self) -> bool:
        """See :attr:`IPublisher.refuses_uncaptured`."""
        return self._engines.settings.uncaptured is Uncaptured.REFUSE

    def committed(
        self,
        changes: Sequence[Change],
        entries: Mapping[IOutbox, Sequence[OutboxEntry]],
        numbers: Mapping[IOutbox, Sequence[int]] = _NO_NUMBERS,
        sought: Mapping[IOutbox, Callable[[], Sequence[OutboxEntry]]] = _NOT_SOUGHT,
    ) -> None:
        """Announce the commit, and deliver its entries if this process does that.

        The transaction is over: whatever fails is reported, and never raised.

        :param numbers: of entries that are known by nothing else.
        :param sought: finds entries that the database alone knows.
        """
        if changes:
            event = ChangesCommitted(changes, self._primary)
            try:
                self._engines.registry.notify(event)
            except Exception as error:  # noqa: BLE001 - the commit has happened
                failures.handler(self._engines.registry).subscriber_failed(error, event)
        if sought:
            entries = {**entries, **self._found(sought)}
        outboxes = dict.fromkeys([*entries, *numbers])
        if self._engines.settings.sync is SyncMode.INLINE:
            for outbox in outboxes:
                written = entries.get(outbox, ()), numbers.get(outbox, ())
                deliver_inline(self._engines, outbox, *written)
        if outboxes:
            visibility.wait(self._engines, entries, numbers)

    def _found(
        self, sought: Mapping[IOutbox, Callable[[], Sequence[OutboxEntry]]]
    ) -> dict[IOutbox, Sequence[OutboxEntry]]:
        """The entries that are found; the others are left to a worker."""
        found: dict[IOutbox, Sequence[OutboxEntry]] = {}
        for outbox, find in sought.items():
            try:
                if entries := find():
                    found[outbox] = entries
            except EngineError as error:
                failures.handler(self._engines.registry).delivery_failed(error, 0)
        return found


class TouchRows:
    """The subscriber that stands for every secondary engine of the application, before
    statements of SQL.

    Wants entries for all documents that a statement touches, or the debt for those
    whose model is suspended.
    """

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def __call__(self, event: ITableChanging) -> None:
        """Hear an event."""
        off = suspension.current(self._engines.settings.suspended)
        for secondary in self._engines.secondaries:
            documents = event.documents
            if off:
                owed = frozenset(filter(off.covers, documents))
                event.owe(secondary, owed)
                documents -= owed
            if documents:
                event.touch(secondary, documents)


class TouchDocuments:
    """The subscriber that stands for every secondary engine of the application.

    Adds the documents that an event's changes touch to the event's transaction, or the
    debt for those whose model is suspended.
    """

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def __call__(self, event: IInTransaction) -> None:
        """Hear an event."""
        if event.primary.follows_rows:
            return
        graph, bases = self._engines.graph, self._engines.bases(event.model)
        off = suspension.current(self._engines.settings.suspended)
        for secondary in self._engines.secondaries:
            touches: Iterable[Touch] = graph.touched_by_all(
                secondary, event.changes, bases
            )
            if off:
                touches = _without_suspended(event.transaction, off, touches)
            event.transaction.touch(touches)


def _without_suspended(
    transaction: ITransactionLog, off: suspension.Suspension, touches: Iterable[Touch]
) -> list[Touch]:
    """The touches of models that are not suspended; the others are owed."""
    kept: list[Touch] = []
    for touch in touches:
        if off.covers(touch.model):
            transaction.owe((Debt(touch.secondary, touch.model),))
        else:
            kept.append(touch)
    return kept
