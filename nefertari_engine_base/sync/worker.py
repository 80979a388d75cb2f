"""Delivery by a process of its own."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from nefertari_engine_base.exceptions import EngineError, SecondaryUnavailable
from nefertari_engine_base.sync import failures
from nefertari_engine_base.sync.delivery import deliver
from nefertari_engine_base.values import DeliveryReport

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines


def drain(
    engines: Engines, on_batch: Callable[[DeliveryReport], None] | None = None
) -> DeliveryReport:
    """Deliver what is due in every outbox, until there is nothing left to claim.

    :param on_batch: is called with the report of each delivery.
    :return: the sum of all.
    :raises SecondaryUnavailable: if the server could not be reached, or put off
        documents; everything that was not applied is still in the outbox.
    """
    total = DeliveryReport()
    for outbox in engines.outboxes():
        while True:
            report = deliver(engines, outbox, engines.settings.batch_size)
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


#: Seconds between two looks at an empty outbox.
POLL_INTERVAL = 0.5
#: The longest time, in seconds, between two tries to reach a secondary.
LONGEST_BACKOFF = 30.0


def run(engines: Engines, stop: threading.Event) -> None:
    """Deliver what is due, again and again, until ``stop`` is set.

    While the secondary or the database cannot be reached it is tried again after
    times that double, with jitter, so that many workers do not come back at once.
    """
    failures_in_a_row = 0
    while not stop.is_set():
        try:
            drain(engines)
        except EngineError as error:
            failures_in_a_row += 1
            failures.handler(engines.registry).delivery_failed(error, _waiting(engines))
            ceiling = min(LONGEST_BACKOFF, POLL_INTERVAL * 2**failures_in_a_row)
            stop.wait(random.uniform(ceiling / 2, ceiling))
        else:
            failures_in_a_row = 0
            stop.wait(POLL_INTERVAL)


def _waiting(engines: Engines) -> int:
    try:
        return sum(outbox.waiting() for outbox in engines.outboxes())
    except EngineError:
        return 0
