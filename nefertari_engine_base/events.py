"""Pyramid events that announce changes, by the moment at which they are sent.

In the transaction, before a statement: :class:`TableChanging`.

In the transaction: :class:`DocumentCreated`, :class:`DocumentUpdated`,
:class:`DocumentDeleted` and, for statements that name no instances,
:class:`DocumentsChanged`. They are sent when the primary has flushed the change and
before it commits. A subscriber may raise, which makes the flush fail and so vetoes
the transaction.

After commit: :class:`ChangesCommitted`, and :class:`DeliveryEnded` for each delivery
that this process makes, in a worker too. An error of a subscriber is reported to the
failure handler and never raised.

Subscribe with ``config.add_subscriber(subscriber, DocumentUpdated,
for_models=(Movie,))``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from nefertari_engine_base.interfaces import (
    IChangesCommitted,
    IDocumentCreated,
    IDocumentDeleted,
    IDocumentsChanged,
    IDocumentUpdated,
    ITableChanging,
)
from nefertari_engine_base.values import Action, Change, DeliveryReport, DocumentRef

if TYPE_CHECKING:
    from nefertari_engine_base.interfaces import IPrimaryEngine, ITransactionLog


@dataclass(frozen=True, slots=True, eq=False)
class DocumentChanged:
    """What the three events of one document have in common.

    :attr model: the primary's class.
    :attr change: which document, which fields.
    :attr instance: the primary's instance, as flushed.
    :attr transaction: the log of the transaction, to which a secondary adds the
        documents that it has to write.
    """

    model: type
    change: Change
    instance: Any
    transaction: ITransactionLog
    primary: IPrimaryEngine

    @property
    def ref(self) -> DocumentRef:
        """The changed document."""
        return self.change.ref

    @property
    def changes(self) -> Sequence[Change]:
        """The change, as a sequence of one, like :class:`DocumentsChanged` has."""
        return (self.change,)

    def to_dict(self) -> Mapping[str, Any]:
        """The instance's fields as they stand in a document, built on demand.

        Plain strings, numbers, booleans, lists and ``None``; no engine's types.
        """
        return self.primary.to_dict(self.instance)


@implementer(IDocumentCreated)
class DocumentCreated(DocumentChanged):
    """Sent in the transaction, after the row was inserted."""

    __slots__ = ()


@implementer(IDocumentUpdated)
class DocumentUpdated(DocumentChanged):
    """Sent in the transaction, after the row was updated.

    ``change.fields`` has the names of the columns and relations that changed.
    """

    __slots__ = ()


@implementer(IDocumentDeleted)
class DocumentDeleted(DocumentChanged):
    """Sent in the transaction, after the row was deleted."""

    __slots__ = ()


@implementer(IDocumentsChanged)
@dataclass(frozen=True, slots=True, eq=False)
class DocumentsChanged:
    """Sent in the transaction, after a statement changed many rows at once.

    :attr action: what the statement did.
    :attr changes: one for each row that it changed.
    """

    model: type
    action: Action
    changes: Sequence[Change]
    transaction: ITransactionLog
    primary: IPrimaryEngine


@implementer(ITableChanging)
@dataclass(frozen=True, slots=True, eq=False)
class TableChanging:
    """Sent in the transaction, before a statement of SQL that changes rows.

    It names the table and what is done to it; which rows these are is not known, and
    costs nothing. The base subscribes to it, for every secondary.

    :attr table: its name; empty if the statement is not about one.
    :attr documents: names of the models whose documents the statement may touch.
    :attr statement: its text, with placeholders for values.
    :attr wanted: the models whose documents are wanted, by secondary.
    :attr owed: the models that are owed in place of that, by secondary.
    """

    table: str
    action: Action
    documents: frozenset[str]
    statement: str
    transaction: ITransactionLog
    primary: IPrimaryEngine
    wanted: dict[str, frozenset[str]] = field(default_factory=dict)
    owed: dict[str, frozenset[str]] = field(default_factory=dict)

    def touch(self, secondary: str, documents: Collection[str]) -> None:
        """See :meth:`ITableChanging.touch`."""
        known = self.wanted.get(secondary, frozenset())
        self.wanted[secondary] = known.union(documents)

    def owe(self, secondary: str, documents: Collection[str]) -> None:
        """See :meth:`ITableChanging.owe`."""
        known = self.owed.get(secondary, frozenset())
        self.owed[secondary] = known.union(documents)


@implementer(IChangesCommitted)
@dataclass(frozen=True, slots=True, eq=False)
class ChangesCommitted:
    """Sent after a commit that had changes, and before their delivery.

    :attr changes: all changes of the transaction that were not rolled back to a
        savepoint, in the order in which they were flushed.
    """

    changes: Sequence[Change]
    primary: IPrimaryEngine


@dataclass(frozen=True, slots=True, eq=False)
class DeliveryEnded:
    """Sent after each delivery that had something to deliver, or failed.

    :attr report: what it did; where it failed, what it had done until then.
    :attr seconds: how long it took, from the claim to its end.
    :attr error: why it failed as a whole; ``None`` otherwise.
    """

    report: DeliveryReport
    seconds: float
    error: Exception | None = None


#: The event of each action on one document.
EVENT_OF_ACTION: Mapping[Action, type[DocumentChanged]] = {
    Action.CREATED: DocumentCreated,
    Action.UPDATED: DocumentUpdated,
    Action.DELETED: DocumentDeleted,
}
