"""What a primary engine uses to report changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from nefertari_engine_base.events import TableChanging
    from nefertari_engine_base.interfaces.delivery import IOutbox
    from nefertari_engine_base.sync.related import Dependency
    from nefertari_engine_base.values import Action, Change, Debt, OutboxEntry, Touch


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

    refuses_uncaptured = Attribute(
        "bool: whether a statement that cannot be followed is not to be executed."
    )

    def publish_statement(
        transaction: ITransactionLog, table: str, action: Action,
        documents: frozenset[str], statement: str,
    ) -> TableChanging:  # fmt: skip
        """Announce a statement that is about to change rows of a table.

        :param documents: names of the models whose documents it may touch.
        :return: the event, which says whose documents are to have entries.
        """

    def is_heard(*events: type) -> bool:
        """Whether anybody but the base subscribes to any of these events."""

    def entries_to_know() -> int:
        """How many entries of a transaction have to be known when it is committed."""

    def committed(
        changes: Sequence[Change],
        entries: Mapping[IOutbox, Sequence[OutboxEntry]],
        numbers: Mapping[IOutbox, Sequence[int]] = ...,
        sought: Mapping[IOutbox, Callable[[], Sequence[OutboxEntry]]] = ...,
    ) -> None:
        """The transaction is committed, with these entries. Never raises.

        :param numbers: of entries that are known by nothing else.
        :param sought: finds entries that the database alone knows.
        """

    def documents_of(models: Iterable[type]) -> frozenset[str]:
        """Names of the models whose documents show rows of any of these classes."""

    def forgo(transaction: ITransactionLog, names: frozenset[str]) -> bool:
        """Whether sync is suspended for all of these models; then they are owed."""

    def owe(transaction: ITransactionLog, names: frozenset[str], reason: str) -> None:
        """Owe the documents of these models."""


class ITransactionLog(Interface):
    """What one transaction of a primary has changed so far."""

    def touch(touches: Iterable[Touch]) -> None:
        """Write entries for these documents with the transaction.

        A document that the transaction has an entry for gets no other.
        """

    def owe(debts: Iterable[Debt]) -> None:
        """Write these debts with the transaction, each of them once."""


class IDependencyGraph(Interface):
    """Which rows the documents show; see :mod:`nefertari_engine_base.sync.related`."""

    def dependencies() -> Iterable[Dependency]:
        """Every dependency of documents on rows, their own rows included."""

    def models() -> frozenset[str]:
        """Names of the models whose changes matter to any document."""

    def references(model: str, bases: Sequence[str]) -> frozenset[str]:
        """Fields of a model whose old values are needed: they name documents."""

    def contents(model: str, bases: Sequence[str]) -> frozenset[str]:
        """Fields and relations of a model that any document shows."""

    def shown_in(model: str, bases: Sequence[str]) -> Sequence[tuple[str, str]]:
        """(model, path) of the documents that show rows of this model and that only
        a look-up can name; the look-up has to come before a row is deleted."""
