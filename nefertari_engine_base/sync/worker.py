"""Delivery by a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nefertari_engine_base.exceptions import SecondaryUnavailable
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
