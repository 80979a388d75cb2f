"""Confirmations of entries, several at a time.

A write need not wait for the confirmation of its entry: until that comes it is as if
the writer were slow, which is provided for. What this process has written is confirmed
together, a moment later by a thread of its own, or earlier by the thread whose write
makes them many, or that asks the outbox for anything.

A process that dies in between leaves entries that are delivered when they are due and
once more when their writer's lease ends, as one that dies before it confirms.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from threading import Lock, Thread

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.forks import renew_after_fork
from nefertari_engine_base.primary.mongo.entries import list_of
from nefertari_engine_base.values import OutboxEntry

log = logging.getLogger(__name__)

#: For how long a confirmation may wait for others, in seconds.
DELAY = 0.05

#: So many are confirmed without waiting, by who makes them so many: they take memory.
MOST = 10_000


def _list_of(entry: OutboxEntry) -> int:
    return list_of(entry.id)


class Confirmations:
    """Entries whose documents are written, and that are to be confirmed.

    :param confirm: confirms entries. :raises PrimaryError:
    """

    def __init__(self, confirm: Callable[[Sequence[OutboxEntry]], None]) -> None:
        self._confirm = confirm
        self._begin()
        renew_after_fork(self)

    def _begin(self) -> None:
        self._lock = Lock()
        #: Held while some are on their way, so that whoever waits for them can.
        self._sending = Lock()
        #: By what they are stored in, which is confirmed as a whole.
        self._waiting: dict[int, list[OutboxEntry]] = {}
        self._count = 0
        self._thread: Thread | None = None

    def add(self, entries: Iterable[OutboxEntry]) -> None:
        """Confirm these soon."""
        with self._lock:
            for number, own in groupby(entries, _list_of):
                waiting = self._waiting.setdefault(number, [])
                self._count -= len(waiting)
                waiting.extend(own)
                self._count += len(waiting)
            are_many = self._count >= MOST
            if self._waiting and not are_many and self._thread is None:
                # No daemon: a program that ends waits for it.
                self._thread = Thread(target=self._flush_late, name="confirmations")
                self._thread.start()
        if are_many:
            self.flush()

    def take(self, entries: Iterable[OutboxEntry]) -> list[OutboxEntry]:
        """Those that are still to be confirmed of these, and of the lists that they
        are in; the caller sees to them."""
        with self._lock:
            numbers = dict.fromkeys(list_of(entry.id) for entry in entries)
            taken = [
                entry for number in numbers for entry in self._waiting.pop(number, ())
            ]
            self._count -= len(taken)
            return taken

    def flush(self) -> None:
        """Confirm now whatever waits. What fails is delivered later, and logged."""
        with self._sending:
            with self._lock:
                entries = [one for each in self._waiting.values() for one in each]
                self._waiting, self._count = {}, 0
            if not entries:
                return
            try:
                self._confirm(entries)
            except PrimaryError as error:
                # The writes have been answered, and nothing of them is lost.
                log.warning(
                    "%d entries could not be confirmed, and will be delivered later: "
                    "%s",
                    len(entries),
                    error,
                )

    def _flush_late(self) -> None:
        """Confirm again and again, as long as others come: to start a thread for each
        time would cost a program that saves one by one more than what it does."""
        goes_on = True
        try:
            while goes_on:
                time.sleep(DELAY)
                self.flush()
                with self._lock:
                    goes_on = bool(self._waiting)
                    if not goes_on:
                        self._thread = None
        except BaseException:
            with self._lock:
                self._thread = None  # the next to come start another
            raise

    def renew(self) -> None:
        """See :class:`~nefertari_engine_base.forks.Renewable`: those that wait are the
        parent's."""
        self._begin()
