"""What delivery works with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from nefertari_engine_base.values import (
        DeadLetter,
        Debt,
        DebtStatus,
        DocumentRef,
        IndexState,
        OutboxEntry,
        RecordedEntry,
        Snapshot,
        SyncStatus,
        Touch,
        TriggerState,
    )


class IOutbox(Interface):
    """The changes of one database that are not yet known to be indexed."""

    generation = Attribute(
        "A number that changes whenever the server behind the outbox may have become "
        "another one: a standby, or one restored from a backup."
    )

    def claim(
        limit: int, ids: Sequence[int] | None = None, without: Collection[str] = ()
    ) -> AbstractContextManager[IClaim]:
        """Claim entries that are visible, due and claimed by nobody else.

        :param limit: how many at most.
        :param ids: only these entries.
        :param without: models of which none are claimed, unless ``ids`` are given.
        """

    def recorded_forms() -> Mapping[str, str]:
        """The form of each model's documents that setup has recorded; see
        :mod:`nefertari_engine_base.sync.forms`."""

    def record_forms(forms: Mapping[str, str]) -> None:
        """Record the forms of these models' documents."""

    def forget_form(model: str) -> bool:
        """Remove what is recorded of a model; whether there was anything."""

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

    def heartbeat(
        name: str, uptime: float, documents: int, per_second: float = 0.0
    ) -> None:
        """Remember that a worker of this name is alive.

        :param uptime: seconds since it was started.
        :param documents: how many it has written since.
        :param per_second: how many a second since it told last.
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

    def recorded(
        model: str, keys: Mapping[str, Collection[str] | None]
    ) -> Sequence[RecordedEntry]:
        """Entries for documents of this model, dead ones included, in the order that
        they were made. Reads the whole outbox.

        :param keys: the keys of the touches that are meant, by their path, ``None``
            for any; the empty path is that of the documents themselves.
        """

    def owe(debts: Iterable[Debt]) -> None:
        """Remember debts, in a transaction of their own."""

    def debts(model: str, secondaries: Iterable[str]) -> Sequence[int]:
        """Numbers of a model's debts to these secondaries, as far as committed."""

    def debt_status() -> Sequence[DebtStatus]:
        """What is owed, by model and reason; the part of :meth:`status` that does not
        read the entries."""

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

    def exclusively(name: str) -> AbstractContextManager[bool]:
        """Whether no other process does what is called so, for as long as the context
        lasts; true where the database cannot tell."""

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

    def recorded_forms() -> Mapping[str, str]:
        """As :meth:`IOutbox.recorded_forms`, after the version was drawn."""

    def acknowledge(entries: Sequence[OutboxEntry]) -> None:
        """These are applied: remove them, and with them the dead letters of the same
        documents that were there before the version was drawn.

        What was written holds the changes of those as well. Dead letters with a path
        stay: they stand for other documents too.
        """

    def refuse(entry: OutboxEntry, reason: str, delay: float | None) -> None:
        """Count a refusal, and try again in ``delay`` seconds; ``None``: never, the
        document becomes a dead letter."""


class ITriggers(Interface):
    """Triggers of one database. They write entries for what is changed in it by
    anybody: a console, another program, a restore."""

    required = Attribute("Whether nobody else tells of changes in this database.")

    def install() -> Sequence[TriggerState]:
        """Make the triggers what they should be, or change nothing.

        :return: what they were before.
        :raises PrimaryError: if the database refuses.
        :raises ConfigurationError: if a trigger cannot name the documents of a row.
        """

    def check() -> Sequence[TriggerState]:
        """What is right with the triggers, and what is not; changes nothing."""

    def ensure() -> None:
        """If they are required, see by one query that they are as they should be.

        A database that cannot be reached is warned of.

        :raises ConfigurationError: if a change could be lost.
        """

    def script(*, remove: bool = False) -> Sequence[str]:
        """Statements for a migration, which may be repeated: they make what
        :meth:`install` would make in an empty database, and remove what is left over.

        :param remove: statements that remove the triggers.
        """

    def remove() -> Sequence[TriggerState]:
        """Remove every trigger of ours; those that were there."""


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

    def index_lost(debt: Debt) -> None:
        """Documents have vanished from an index behind our back, and a debt was made:
        ``nefertari-es catch-up`` brings them back."""
