"""Delivery by a process of its own."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from nefertari_engine_base.exceptions import EngineError, SecondaryUnavailable
from nefertari_engine_base.interfaces import IOutbox
from nefertari_engine_base.sync import failures
from nefertari_engine_base.sync.delivery import deliver, put_aside
from nefertari_engine_base.sync.pace import Pace
from nefertari_engine_base.sync.resync import resync
from nefertari_engine_base.sync.status import Presence
from nefertari_engine_base.sync.waker import Waker
from nefertari_engine_base.values import DeliveryReport

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines


def drain(
    engines: Engines,
    on_batch: Callable[[DeliveryReport], None] | None = None,
    waker: Waker | None = None,
    pace: Pace | None = None,
) -> DeliveryReport:
    """Deliver what is due in every outbox, until there is nothing left to claim.

    :param on_batch: is called with the report of each delivery.
    :param waker: when stopped, the delivery that is under way is the last one.
    :param pace: how many entries to claim; by default as many as the settings say.
    :return: the sum of all.
    :raises SecondaryUnavailable: if the server could not be reached, or put off
        documents; everything that was not applied is still in the outbox.
    """
    total = DeliveryReport()
    waker, pace = waker or Waker(), pace or Pace()
    for outbox in engines.outboxes():
        while not waker.stopped:
            report = _deliver_paced(engines, outbox, waker, pace)
            total.add(report)
            if on_batch:
                on_batch(report)
            if report.deferred:
                raise SecondaryUnavailable(
                    f"The secondary put off {report.deferred} documents; their "
                    f"entries wait in the outbox."
                )
            if not (report.entries or report.expanded or report.errors):
                break
    return total


def _deliver_paced(
    engines: Engines, outbox: IOutbox, waker: Waker, pace: Pace
) -> DeliveryReport:
    """One delivery, and the pause that its documents cost."""
    settings, begun = engines.settings, time.monotonic()
    rate = settings.documents_per_second
    # Not more at once than a second's worth: a batch is written in one go.
    limit = min(settings.batch_size, max(1, int(rate))) if rate else settings.batch_size
    limit = pace.limit(outbox, limit)
    try:
        report = deliver(engines, outbox, limit)
    except Exception as error:
        # A server that does not answer tells nothing of an entry, and who writes to it
        # looks for the documents that it does not answer to.
        is_away = isinstance(error, SecondaryUnavailable)
        if not is_away and pace.failed(outbox, limit):
            put_aside(engines, outbox, error)
        raise
    pace.succeeded(outbox)
    if rate:
        waker.pause(begun + report.documents / rate - time.monotonic())
    return report


#: Seconds after the first failure; see :func:`run`.
SHORTEST_BACKOFF = 1.0
#: The longest time, in seconds, between two tries to reach a secondary.
LONGEST_BACKOFF = 30.0


def run(engines: Engines, waker: Waker) -> None:
    """Deliver what is due, again and again, until the waker is stopped.

    Databases that can tell of new entries do so; the outbox is looked at in intervals
    all the same, for entries that come due and for notifications that were lost.

    While the secondary or the database cannot be reached it is tried again after
    times that double, with jitter, so that many workers do not come back at once. So is
    whatever else fails: nothing but the end of its process ends a worker.
    """
    with ExitStack() as listening:
        for outbox in engines.outboxes():
            listening.enter_context(outbox.listen(waker.wake))
        presence = Presence(engines)
        listening.callback(presence.end)

        failures_in_a_row = 0

        def after_batch(report: DeliveryReport) -> None:
            nonlocal failures_in_a_row
            if report.entries or report.errors:
                failures_in_a_row = 0
            presence.count(report)
            engines.watch.look()
            engines.deletions.look()

        deliver_due = partial(drain, engines, after_batch, waker, Pace())
        # At the start in any case, whoever has looked before in this process.
        look: Callable[[], object] = engines.watch.check
        while not waker.stopped:
            try:
                look()
                look = engines.watch.look
                deliver_due()
                resync(engines, deliver_due, lambda: waker.stopped)
                failures_in_a_row = 0
                _idle(engines, waker, presence)
            except Exception as error:  # noqa: BLE001 - nothing but its end ends a worker
                handler = failures.handler(engines.registry)
                handler.delivery_failed(error, _waiting(engines))
                # Bounded, since a power of two that is no float would end the worker.
                doubled = SHORTEST_BACKOFF * 2 ** min(failures_in_a_row, 10)
                ceiling = min(LONGEST_BACKOFF, doubled)
                failures_in_a_row += 1
                waker.pause(random.uniform(ceiling / 2, ceiling))


def _idle(engines: Engines, waker: Waker, presence: Presence) -> None:
    """Wait until woken or stopped, for the poll interval at most; show to be alive, and
    keep an eye on the indices."""
    end = time.monotonic() + engines.settings.poll_interval
    while (left := end - time.monotonic()) > 0:
        presence.tell()
        engines.watch.look()
        engines.deletions.look()
        if waker.wait(min(left, presence.interval)):
            return


def _waiting(engines: Engines) -> int:
    try:
        return sum(outbox.waiting() for outbox in engines.outboxes())
    except EngineError:
        # It is the number for a message about what keeps it from being known.
        return 0
