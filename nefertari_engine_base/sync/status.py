"""How far the indices are behind, and who catches up: what an operator asks."""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING

from nefertari_engine_base.exceptions import EngineError
from nefertari_engine_base.values import DeliveryReport, SyncStatus

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines

log = logging.getLogger(__name__)


def sync_status(engines: Engines) -> SyncStatus:
    """What waits in all outboxes of an application, and which workers there are.

    :raises PrimaryError: if a database cannot be asked.
    """
    total = SyncStatus()
    for outbox in engines.outboxes():
        total += outbox.status()
    return total


class Presence:
    """Tells every outbox that this worker is alive, now and then.

    :attr name: the host and the number of the process.
    :attr interval: seconds between two heartbeats, at least.
    """

    interval = 5.0

    def __init__(self, engines: Engines) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._engines = engines
        self._started = time.monotonic()
        self._documents = 0
        self._told = (self._started, 0)
        self._due = self._started

    def count(self, report: DeliveryReport) -> None:
        """Count what a delivery has written."""
        self._documents += report.written
        self.tell()

    def tell(self) -> None:
        """Tell, unless that was done a moment ago. :raises PrimaryError:"""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + self.interval
        then, documents = self._told
        per_second = (self._documents - documents) / max(now - then, 0.001)
        for outbox in self._engines.outboxes():
            outbox.heartbeat(
                self.name, now - self._started, self._documents, per_second
            )
        self._told = (now, self._documents)

    def end(self) -> None:
        """Tell that this worker is gone, if the databases can be reached."""
        try:
            for outbox in self._engines.outboxes():
                outbox.forget_worker(self.name)
        except EngineError as error:
            log.warning(
                "This worker will be shown as lost for a day: %s",
                error,
                extra={"action": "forget_worker"},
            )
