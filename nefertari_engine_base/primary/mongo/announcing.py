"""The entries of a write: announced before it, confirmed after it.

MongoDB's writes are each their own transaction. What is about to be written is told to
subscribers, who may still refuse it; then its entries are stored, then it is written,
then the entries are confirmed. See :mod:`~.primary.mongo.outbox` for what a crash
between any two of these costs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
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

    def confirm(self, entries: Iterable[OutboxEntry] = ()) -> bool:
        """The write is done, or never will be; whether MongoDB could be told.

        :param entries: of the write.
        """
        self.outbox.confirmations.add(entries)
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
        entries: Mapping[Any, Sequence[OutboxEntry]] = self.log.entries()
        # Written by this process, they are all in its own outbox.
        if not self.confirm(entries.get(self.outbox, ())):
            entries = {}
        if happened:
            self.publisher.committed(happened, entries)

    def _open_debts(self, debts: Sequence[Debt]) -> None:
        self.debts = list(debts)
        self.numbers = self.outbox.open_debts(debts)

    def _publish(self, found: Sequence[Found]) -> None:
        single: list[tuple[Change, type, Any]] = []
        groups: dict[tuple[type, Action], list[Change]] = {}
        for source, change, instance in found:
            if instance is not None:
                single.append((change, source.model, instance))
                continue
            key = source.model, change.action
            if (group := groups.get(key)) is None:
                group = groups[key] = []
            group.append(change)
        if single:
            self.publisher.publish(self.log, single)
        for (model, _), changes in groups.items():
            self.publisher.publish_many(self.log, model, changes)


class _Confirming:
    """The block in which something is written that was announced.

    A class, since it is entered by every write, and a generator takes twice as long.

    :param is_answered: see :func:`announced`.
    :param written: see :func:`announced`.
    """

    __slots__ = ("_announcements", "_is_answered", "_written")

    def __init__(
        self,
        announcements: Sequence[_Announcement],
        is_answered: bool = True,
        written: Written | None = None,
    ) -> None:
        self._announcements = announcements
        self._is_answered = is_answered
        self._written = written

    def __enter__(self) -> None:
        """Begin to write."""

    def __exit__(
        self, kind: object, error: BaseException | None, trace: object
    ) -> None:
        """Confirm what was written, as far as that is known."""
        if not self._is_answered:
            return
        if error is None:
            for announcement in self._announcements:
                announcement.finish()
        # After these the write may still come, or come back.
        elif isinstance(error, Exception) and not isinstance(
            error, ConnectionFailure | WTimeoutError
        ):
            happened = [] if self._written is None else self._written(error)
            if happened is not None:
                _finish(self._announcements, happened)


def announced(
    found: Sequence[Found], is_answered: bool = True, written: Written | None = None
) -> AbstractContextManager[None]:
    """Announce changes; the block of what this returns writes them.

    :param is_answered: the write is done for good when the block ends. Otherwise its
        entries stay as they are until their writer's lease ends.
    :param written: says what the error that ends the block has let happen; by default
        nothing.
    :raises PrimaryError: if the entries could not be stored; nothing is written then.
    """
    announcements = []
    by_source: dict[Source, list[Found]] = {}
    for item in found:
        if (own := by_source.get(item[0])) is None:
            own = by_source[item[0]] = []
        own.append(item)
    for (publisher, outbox), group in _by_publisher(by_source.items()):
        announcement = _Announcement(publisher, outbox)
        announcement.announce(group)
        announcements.append(announcement)
    return _Confirming(announcements, is_answered, written)


@contextmanager
def forgone(sources: Sequence[Source], is_answered: bool = True) -> Iterator[bool]:
    """Owe all documents that show these sources', if sync is suspended for all.

    :return: whether it is; if not, nothing is owed.
    """
    groups = dict(_by_publisher((source, [source]) for source in sources))
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
    with _Confirming(announcements, is_answered):
        yield True


def owed(sources: Sequence[Source], reason: str) -> AbstractContextManager[None]:
    """Owe all documents that show these sources' documents: the block of what this
    returns changes more of them than it can name."""
    announcements = []
    for (publisher, outbox), own in _by_publisher((one, [one]) for one in sources):
        announcement = _Announcement(publisher, outbox)
        announcement.owe(own, reason)
        announcements.append(announcement)
    return _Confirming(announcements)


def _finish(announcements: Sequence[_Announcement], happened: Sequence[Change]) -> None:
    """Confirm what has ended with an error, and have delivered what is written."""
    chosen = {id(change) for change in happened}
    for announcement in announcements:
        own = announcement.log.changes
        announcement.finish([change for change in own if id(change) in chosen])


def _by_publisher(
    pairs: Iterable[tuple[Source, list[T]]],
) -> Iterator[tuple[tuple[IPublisher, MongoOutbox], list[T]]]:
    """What belongs to sources, by the publishers and outboxes of these."""
    groups: dict[tuple[IPublisher, MongoOutbox], list[T]] = {}
    for source, items in pairs:
        groups.setdefault((source.publisher, source.outbox()), []).extend(items)
    yield from groups.items()
