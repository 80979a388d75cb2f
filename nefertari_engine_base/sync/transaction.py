"""What one transaction has changed, savepoint by savepoint.

A primary engine keeps one :class:`TransactionLog` for each running transaction and
tells it where savepoints begin and end, so that an inner rollback forgets its own
changes and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from zope.interface import implementer

from nefertari_engine_base.interfaces import IOutbox, ITransactionLog
from nefertari_engine_base.values import Change, Debt, OutboxEntry, Touch


@dataclass(slots=True)
class _Level:
    """One savepoint, or the transaction itself at the bottom."""

    changes: list[Change] = field(default_factory=list)
    touches: set[Touch] = field(default_factory=set)
    debts: set[Debt] = field(default_factory=set)
    entries: list[tuple[IOutbox, Sequence[OutboxEntry]]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Wanted:
    """Entries that a transaction has to write; its log takes them for written.

    :attr outbox: where they belong.
    """

    outbox: Any
    touches: Sequence[Touch]
    _entries: list[tuple[IOutbox, Sequence[OutboxEntry]]]

    def written(self, entries: Sequence[OutboxEntry]) -> None:
        """These are the entries, now that they are written."""
        self._entries.append((self.outbox, entries))


@implementer(ITransactionLog)
class TransactionLog:
    """The changes of a running transaction, and the entries written for them."""

    def __init__(self) -> None:
        self._levels = [_Level()]
        self._pending: dict[Touch, None] = {}
        self._owed: dict[Debt, None] = {}

    @property
    def changes(self) -> list[Change]:
        """The changes that no savepoint has rolled back, in order."""
        return [change for level in self._levels for change in level.changes]

    def entries(self) -> dict[IOutbox, list[OutboxEntry]]:
        """The entries that were written, by outbox."""
        written: dict[IOutbox, list[OutboxEntry]] = {}
        for level in self._levels:
            for outbox, entries in level.entries:
                written.setdefault(outbox, []).extend(entries)
        return written

    def record(self, changes: Iterable[Change]) -> None:
        """Remember changes that were flushed."""
        self._levels[-1].changes.extend(changes)

    def touch(self, touches: Iterable[Touch]) -> None:
        """Want entries for these documents; see :meth:`ITransactionLog.touch`."""
        written = [level.touches for level in self._levels if level.touches]
        if not written:
            self._pending.update(dict.fromkeys(touches))
            return
        for touch in touches:
            if not any(touch in each for each in written):
                self._pending[touch] = None

    def owe(self, debts: Iterable[Debt]) -> None:
        """Want these debts; see :meth:`ITransactionLog.owe`."""
        for debt in debts:
            if not any(debt in level.debts for level in self._levels):
                self._owed[debt] = None

    def write_debts(self, insert: Callable[[Sequence[Debt]], None]) -> None:
        """Write the wanted debts.

        :param insert: writes debts in the running transaction.
        """
        if self._owed:
            debts, self._owed = list(self._owed), {}
            insert(debts)
            self._levels[-1].debts.update(debts)

    def take(self, outbox: IOutbox) -> Wanted | None:
        """The wanted entries, for the caller to write before the savepoint ends that
        they are wanted in; ``None`` if none are."""
        if not self._pending:
            return None
        level = self._levels[-1]
        touches, self._pending = list(self._pending), {}
        level.touches.update(touches)
        return Wanted(outbox, touches, level.entries)

    def write(
        self,
        outbox: IOutbox,
        insert: Callable[[Sequence[Touch]], Sequence[OutboxEntry]],
    ) -> None:
        """Write the wanted entries at once.

        :param insert: writes entries in the running transaction, and returns them.
        """
        if (wanted := self.take(outbox)) is not None:
            wanted.written(insert(wanted.touches))

    def forget_written(self) -> None:
        """The transaction that entries and debts were written in is over, and this log
        goes on with another."""
        for level in self._levels:
            level.touches.clear()
            level.debts.clear()

    def forget_wanted(self) -> None:
        """Drop wanted entries and debts: what they were wanted for has failed."""
        self._pending, self._owed = {}, {}

    def begin_savepoint(self) -> None:
        """A savepoint begins."""
        self._levels.append(_Level())

    def release_savepoint(self) -> None:
        """The innermost savepoint ends, and what it held counts."""
        inner = self._levels.pop()
        outer = self._levels[-1]
        outer.changes.extend(inner.changes)
        outer.touches.update(inner.touches)
        outer.debts.update(inner.debts)
        outer.entries.extend(inner.entries)

    def rollback_savepoint(self) -> None:
        """The innermost savepoint ends, and what it held never happened."""
        self._levels.pop()
        self.forget_wanted()

    def __repr__(self) -> str:
        counts: Any = [len(level.changes) for level in self._levels]
        return f"<TransactionLog changes by level: {counts}>"
