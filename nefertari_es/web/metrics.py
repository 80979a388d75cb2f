"""Metrics for Prometheus, by its own client library.

What is in the database (entries, dead letters, workers) is asked when Prometheus asks,
and is the same whichever process answers. What this process has done is counted by the
events of its deliveries.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

from nefertari_engine_base.engines import Engines, engines_of
from nefertari_engine_base.events import DeliveryEnded
from nefertari_engine_base.exceptions import ConfigurationError, EngineError
from nefertari_engine_base.sync.probes import Probe
from nefertari_engine_base.values import ModelStatus, SyncStatus

log = logging.getLogger(__name__)

_KEY = "nefertari_es.web.metrics"

#: Seconds: an inline delivery takes milliseconds, a batch for a busy server seconds.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_GAUGES: dict[str, tuple[str, Callable[[ModelStatus], float]]] = {
    "nefertari_sync_entries_waiting": (
        "Outbox entries to be delivered.",
        lambda status: status.waiting,
    ),
    "nefertari_sync_oldest_entry_age_seconds": (
        "Age of the change that has waited longest; 0 when nothing waits.",
        lambda status: status.oldest or 0.0,
    ),
    "nefertari_sync_entries_retried": (
        "Waiting entries that the index has refused at least once.",
        lambda status: status.retried,
    ),
    "nefertari_sync_dead_letters": (
        "Entries that were refused too often and are not tried any more.",
        lambda status: status.dead,
    ),
}


class Metrics:
    """The metrics of one application in this process.

    :param status: the question for the status.
    :param timeout: seconds to wait for its answer.
    :attr registry: what Prometheus' library exposes. An application with metrics of
        its own adds it to its registry by ``REGISTRY.register(metrics.registry)``.
    """

    def __init__(
        self, engines: Engines, status: Probe[SyncStatus], timeout: float
    ) -> None:
        self.registry = CollectorRegistry()
        self._status = StatusCollector(engines, status, timeout)
        self.registry.register(self._status)
        self._documents = Counter(
            "nefertari_sync_documents",
            "Documents that deliveries of this process sent, by what became of them.",
            ["outcome"],
            registry=self.registry,
        )
        self._entries = Counter(
            "nefertari_sync_entries_delivered",
            "Outbox entries that deliveries of this process have finished.",
            registry=self.registry,
        )
        self._failures = Counter(
            "nefertari_sync_delivery_failures",
            "Deliveries of this process that failed as a whole; their entries wait.",
            registry=self.registry,
        )
        self._seconds = Histogram(
            "nefertari_sync_delivery_duration_seconds",
            "How long the deliveries of this process took.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        for outcome in ("written", "superseded", "refused", "deferred"):
            self._documents.labels(outcome)

    def heard(self, event: DeliveryEnded) -> None:
        """Count a delivery; a subscriber of its event."""
        report = event.report
        outcomes = {
            "written": report.written,
            "superseded": report.superseded,
            # Those that could not be loaded were never sent, and are refused as well.
            "refused": len(report.errors),
            "deferred": report.deferred,
        }
        for outcome, count in outcomes.items():
            if count:
                self._documents.labels(outcome).inc(count)
        self._entries.inc(report.entries)
        if event.error is not None or report.deferred:
            self._failures.inc()
        self._seconds.observe(event.seconds)

    def exposed(self, accept: str) -> tuple[bytes, str]:
        """What Prometheus is told, and its media type.

        :param accept: the media types that it accepts.
        """
        registry = self.registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            # Each process of a preforking server has counted for itself:
            # https://prometheus.github.io/client_python/multiprocess/
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            registry.register(self._status)
        encode, media_type = choose_encoder(accept)
        return encode(registry), media_type

    def view(self, request: Request) -> Response:
        """A Pyramid view that answers Prometheus."""
        body, media_type = self.exposed(request.headers.get("accept", ""))
        response = Response(body)
        response.headers["content-type"] = media_type
        return response

    @contextmanager
    def serve(self, address: str, port: int) -> Iterator[None]:
        """Serve them by a thread meanwhile, with what the process takes of its machine.

        :raises ConfigurationError: if the port cannot be opened.
        """
        registry = CollectorRegistry()
        registry.register(self.registry)
        ProcessCollector(registry=registry)
        try:
            server, thread = start_http_server(port, address, registry)
        except OSError as error:
            raise ConfigurationError(
                f"Metrics cannot be served on {address}:{port}: {error}"
            ) from error
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class StatusCollector(Collector):
    """What waits, by model, and the workers; see the parameters of :class:`Metrics`."""

    def __init__(
        self, engines: Engines, status: Probe[SyncStatus], timeout: float
    ) -> None:
        self._engines = engines
        self._status = status
        self._timeout = timeout

    def collect(self) -> Iterator[Metric]:
        """Ask, or give the answer of a moment ago again."""
        up = GaugeMetricFamily(
            "nefertari_sync_up", "Whether the database has told what waits."
        )
        try:
            status = self._status.ask(self._timeout)
        except (EngineError, TimeoutError) as error:
            log.warning(
                "Metrics of the outbox are missing: %s",
                error or "no answer in time",
                extra={"action": "collect_metrics"},
            )
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from self._of_models(status)
        yield self._debts(status)
        workers = GaugeMetricFamily(
            "nefertari_sync_workers",
            "Workers seen within a day; a lost one has been silent for a minute.",
            labels=["state"],
        )
        lost = sum(worker.lost for worker in status.workers)
        workers.add_metric(["alive"], len(status.workers) - lost)
        workers.add_metric(["lost"], lost)
        yield workers

    def _debts(self, status: SyncStatus) -> Metric:
        owed = dict.fromkeys(self._engines.schemas, 0)
        for debt in status.debts:
            owed[debt.model] = owed.get(debt.model, 0) + debt.count
        family = GaugeMetricFamily(
            "nefertari_sync_debts",
            "Debts of a model, whose documents have to be caught up with.",
            labels=["model"],
        )
        for model, count in sorted(owed.items()):
            family.add_metric([model], count)
        return family

    def _of_models(self, status: SyncStatus) -> Iterator[Metric]:
        # A series that comes and goes with its entries could not be alerted on.
        models = {name: ModelStatus(name) for name in self._engines.schemas}
        models.update((model.model, model) for model in status.models)
        for name, (text, value_of) in _GAUGES.items():
            family = GaugeMetricFamily(name, text, labels=["model"])
            for model, one in sorted(models.items()):
                family.add_metric([model], value_of(one))
            yield family


def add_metrics(
    registry: Registry, status: Probe[SyncStatus], timeout: float
) -> Metrics:
    """The metrics of an application, made when first asked for.

    :param registry: the application's.
    """
    known: Metrics | None = registry.get(_KEY)
    if known is None:
        known = registry[_KEY] = Metrics(engines_of(registry), status, timeout)
        registry.registerHandler(known.heard, (DeliveryEnded,))
    return known
