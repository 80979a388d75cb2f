"""From a primary's signals to Pyramid events, and from events to touched documents.

A primary engine reports to a :class:`Publisher`; every subscriber hears of it by the
events of :mod:`nefertari_engine_base.events`. The secondary's side is such a
subscriber, :class:`TouchDocuments`: it asks the dependency graph which documents are
touched and adds them to the transaction's log, whose entries the primary writes with
the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from nefertari_engine_base.events import (
    EVENT_OF_ACTION,
    ChangesCommitted,
    DocumentsChanged,
)
from nefertari_engine_base.interfaces import (
    IInTransaction,
    IOutbox,
    IPrimaryEngine,
    IPublisher,
    ITransactionLog,
)
from nefertari_engine_base.settings import SyncMode
from nefertari_engine_base.sync import failures, visibility
from nefertari_engine_base.sync.delivery import deliver_inline
from nefertari_engine_base.values import Change, OutboxEntry

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines


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

    def committed(
        self,
        changes: Sequence[Change],
        entries: Mapping[IOutbox, Sequence[OutboxEntry]],
    ) -> None:
        """Announce the commit, and deliver its entries if this process does that.

        The transaction is over: whatever fails is reported, and never raised.
        """
        event = ChangesCommitted(changes, self._primary)
        try:
            self._engines.registry.notify(event)
        except Exception as error:  # noqa: BLE001 - the commit has happened
            failures.handler(self._engines.registry).subscriber_failed(error, event)
        if self._engines.settings.sync is SyncMode.INLINE:
            for outbox, written in entries.items():
                deliver_inline(self._engines, outbox, written)
        if entries:
            visibility.wait(self._engines, entries)


class TouchDocuments:
    """The subscriber that stands for every secondary engine of the application.

    Adds the documents that an event's changes touch to the event's transaction.
    """

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def __call__(self, event: IInTransaction) -> None:
        """Hear an event."""
        graph, bases = self._engines.graph, self._engines.bases(event.model)
        for secondary in self._engines.secondaries:
            for change in event.changes:
                event.transaction.touch(graph.touched(secondary, change, bases))
