"""The entries of a write: announced before it, confirmed after it.

MongoDB's writes are each their own transaction. What is about to be written is told to
subscribers, who may still refuse it; then its entries are stored, then it is written,
then the entries are confirmed. See :mod:`~.primary.mongo.outbox` for what a crash
between any two of these costs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pymongo.errors import ConnectionFailure, WTimeoutError

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.interfaces import IPublisher
from nefertari_engine_base.primary.mongo.outbox import MongoOutbox
from nefertari_engine_base.primary.mongo.sources import Source
from nefertari_engine_base.sync.transaction import TransactionLog
from nefertari_engine_base.values import Action, Change, Debt, OutboxEntry

log = logging.getLogger(__name__)

T = TypeVar("T")

#: A change, and the instance that it happens to, if there is one.
Found = tuple[Source, Change, Any]

#: Of the error that has ended a write: the announced changes which may have happened
#: all the same; ``None`` if the error does not tell what is still to come.
Written = Callable[[Exception], Sequence[Change] | None]


@dataclass(slots=True)
class _Announcement:
    """What one publisher was told of a write.

    :attr numbers: of the debts that were opened for it.
    """

    publisher: IPublisher
    outbox: MongoOutbox
    log: TransactionLog = field(default_factory=TransactionLog)
    debts: list[Debt] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def announce(self, found: Sequence[Found]) -> None:
        """Tell of changes, and store their entries and debts."""
        self.log.record(change for _, change, _ in found)
        self._publish(found)
        self.log.write(self.outbox, self.outbox.announce)
        self.log.write_debts(self._open_debts)

    def forgo(self, sources: Sequence[Source]) -> bool:
        """Owe all documents that show these, if sync is suspended for all of them."""
        names = self.publisher.documents_of([source.model for source in sources])
        if not names or not self.publisher.forgo(self.log, names):
            return False
        self.log.write_debts(self._open_debts)
        return True

    def owe(self, sources: Sequence[Source], reason: str) -> None:
        """Owe all documents that show these."""
        names = self.publisher.documents_of([source.model for source in sources])
        self.publisher.owe(self.log, names, reason)
        self.log.write_debts(self._open_debts)

    def confirm(self) -> bool:
        """The write is done, or never will be; whether MongoDB could be told."""
        for written in self.log.entries().values():
            self.outbox.confirmations.add(written)
        if not self.numbers:
            return True
        try:
            self.outbox.close_debts(self.numbers, self.debts)
        except PrimaryError as error:
            # The write itself has been answered, and nothing of it is lost.
            log.warning(
                "%d debts could not be closed, and will be settled later: %s",
                len(self.numbers),
                error,
            )
            return False
        return True

    def finish(self, changes: Sequence[Change] | None = None) -> None:
        """Confirm the write, and have it delivered.

        :param changes: those that have happened; ``None``: all that were announced.
        """
        happened = self.log.changes if changes is None else changes
        entries: dict[Any, Sequence[OutboxEntry]] = {**self.log.entries()}
        if not self.confirm():
            entries = {}
        if happened:
            self.publisher.committed(happened, entries)

    def _open_debts(self, debts: Sequence[Debt]) -> None:
        self.debts = list(debts)
        self.numbers = self.outbox.open_debts(debts)

    def _publish(self, found: Sequence[Found]) -> None:
        single = [
            (change, source.model, instance)
            for source, change, instance in found
            if instance is not None
        ]
        if single:
            self.publisher.publish(self.log, single)
        groups: dict[tuple[type, Action], list[Change]] = {}
        for source, change, instance in found:
            if instance is None:
                group = groups.setdefault((source.model, change.action), [])
                group.append(change)
        for (model, _), changes in groups.items():
            self.publisher.publish_many(self.log, model, changes)


@contextmanager
def announced(
    found: Sequence[Found], is_answered: bool = True, written: Written | None = None
) -> Iterator[None]:
    """Announce changes; the block writes them.

    :param is_answered: the write is done for good when the block ends. Otherwise its
        entries stay as they are until their writer's lease ends.
    :param written: says what the error that ends the block has let happen; by default
        nothing.
    :raises PrimaryError: if the entries could not be stored; nothing is written then.
    """
    announcements = []
    pairs = ((item[0], item) for item in found)
    for (publisher, outbox), group in _by_publisher(pairs):
        announcement = _Announcement(publisher, outbox)
        announcement.announce(group)
        announcements.append(announcement)
    with _confirming(announcements, is_answered, written):
        yield


@contextmanager
def forgone(sources: Sequence[Source], is_answered: bool = True) -> Iterator[bool]:
    """Owe all documents that show these sources', if sync is suspended for all.

    :return: whether it is; if not, nothing is owed.
    """
    groups = dict(_by_publisher((source, source) for source in sources))
    announcements = []
    for (publisher, outbox), own in groups.items():
        announcement = _Announcement(publisher, outbox)
        if announcement.forgo(own):
            announcements.append(announcement)
    if len(announcements) < len(groups):
        # Some have to be announced: then all of them are.
        for announcement in announcements:
            announcement.confirm()
        yield False
        return
    with _confirming(announcements, is_answered):
        yield True


@contextmanager
def owed(sources: Sequence[Source], reason: str) -> Iterator[None]:
    """Owe all documents that show these sources' documents: the block changes more of
    them than it can name."""
    announcements = []
    for (publisher, outbox), own in _by_publisher((one, one) for one in sources):
        announcement = _Announcement(publisher, outbox)
        announcement.owe(own, reason)
        announcements.append(announcement)
    with _confirming(announcements, is_answered=True):
        yield


@contextmanager
def _confirming(
    announcements: Sequence[_Announcement],
    is_answered: bool,
    written: Written | None = None,
) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # After these the write may still come, or come back.
        if is_answered and not isinstance(error, ConnectionFailure | WTimeoutError):
            happened = [] if written is None else written(error)
            if happened is not None:
                _finish(announcements, happened)
        raise
    if is_answered:
        for announcement in announcements:
            announcement.finish()


def _finish(announcements: Sequence[_Announcement], happened: Sequence[Change]) -> None:
    """Confirm what has ended with an error, and have delivered what is written."""
    chosen = {id(change) for change in happened}
    for announcement in announcements:
        own = announcement.log.changes
        announcement.finish([change for change in own if id(change) in chosen])


def _by_publisher(
    pairs: Iterable[tuple[Source, T]],
) -> Iterator[tuple[tuple[IPublisher, MongoOutbox], list[T]]]:
    """What belongs to sources, by the publishers and outboxes of these."""
    by_source: dict[int, tuple[Source, list[T]]] = {}
    for source, item in pairs:
        by_source.setdefault(id(source), (source, []))[1].append(item)
    groups: dict[tuple[IPublisher, MongoOutbox], list[T]] = {}
    for source, items in by_source.values():
        # Finding the outbox of each item would cost more than all the rest.
        groups.setdefault((source.publisher, source.outbox()), []).extend(items)
    yield from groups.items()
