"""What is known to be missing from an index as a whole, and who is asked about it.

A debt says of one model: its documents may be missing, stale, or left over. Debts come
from changes that were made while sync was suspended, and from indices that have lost
what they held. See :mod:`nefertari_engine_base.sync.catch_up`, which settles them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zope.interface import Interface

if TYPE_CHECKING:
    from nefertari_engine_base.interfaces import ITransactionLog
    from nefertari_engine_base.schema import ModelSchema

#: Reasons of debts.
SUSPENDED = "sync was suspended"
GONE = "the index was gone"
REPLACED = "the index was replaced"
OLDER = "the index is older than what was written to it"
EMPTIED = "documents are missing from the index"


@dataclass(frozen=True, slots=True)
class Debt:
    """That documents of a model may be missing, stale, or left over.

    :attr secondary: name of the engine whose documents are meant.
    :attr reason: in words, for people.
    """

    secondary: str
    model: str
    reason: str = SUSPENDED


@dataclass(frozen=True, slots=True)
class IndexState:
    """What tells whether an index is still the one that it was a while ago.

    :attr place: where it is to be found, such as its alias. What is there under another
        place is no loss of this one.
    :attr identity: of the index; one that was made anew or restored has another.
        Empty: there is no index.
    :attr operations: how many writes and deletes it has taken; never becomes less.
    :attr documents: about how many it holds.
    """

    place: str
    identity: str
    operations: int = 0
    documents: int = 0


class IComparableSecondary(Interface):
    """What a secondary engine tells of all documents of a model."""

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


class IIndebtedOutbox(Interface):
    """What an outbox remembers of indices as a whole."""

    def owe(debts: Iterable[Debt]) -> None:
        """Remember debts, in a transaction of their own."""

    def debts(model: str, secondaries: Iterable[str]) -> Sequence[int]:
        """Numbers of a model's debts to these secondaries, as far as committed."""

    def settle(numbers: Sequence[int]) -> None:
        """Forget these debts: what they stand for has been caught up with."""

    def waiting_keys(
        secondary: str, model: str, keys: Collection[str]
    ) -> Collection[str]:
        """Those of the ids that an entry names, a dead one included."""

    def fence(secondary: str, model: str) -> int:
        """Draw a version, and have every delivery repeated that drew a lower one and
        has acknowledged nothing yet; see :mod:`nefertari_engine_base.sync.catch_up`."""

    def is_fenced(version: int) -> bool:
        """Whether there is a fence above this version: what was written with it has to
        be loaded and written again."""

    def index_states(secondary: str) -> Mapping[tuple[str, str], IndexState]:
        """What is remembered of the secondary's indices, by model and place."""

    def remember_index(
        secondary: str,
        model: str,
        known: IndexState | None,
        state: IndexState,
        reason: str | None = None,
    ) -> bool:
        """Remember the state of an index, unless another process has meanwhile.

        :param known: what was remembered when it was asked for; ``None``: nothing.
        :param reason: of a debt that is made with it.
        :return: whether it is remembered, and the debt made.
        """


class IOwing(Interface):
    """What a transaction's log takes beside touches."""

    def owe(debts: Iterable[Debt]) -> None:
        """Write these debts with the transaction, each of them once."""


class IForgoing(Interface):
    """What a primary asks about a statement whose rows cannot be known."""

    def documents_of(models: Iterable[type]) -> frozenset[str]:
        """Names of the models whose documents show rows of any of these classes."""

    def forgo(transaction: ITransactionLog, names: frozenset[str]) -> bool:
        """Whether sync is suspended for all of these models; then they are owed."""


class ILossHandler(Interface):
    """What a failure handler is told of indices as a whole."""

    def index_lost(debt: Debt) -> None:
        """Documents have vanished from an index behind our back, and a debt was made:
        ``nefertari-es catch-up`` brings them back."""
