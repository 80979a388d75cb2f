"""Whether the documents are kept in step: what a probe asks, in bounded time."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.settings import SyncMode
from nefertari_engine_base.sync.probes import Probe
from nefertari_engine_base.sync.status import sync_status
from nefertari_engine_base.values import SyncStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nefertari_engine_base.engines import Engines

log = logging.getLogger(__name__)

T = TypeVar("T")


class HealthState(StrEnum):
    """How well something is."""

    OK = "ok"
    #: Something has to be looked after; requests are answered.
    DEGRADED = "degraded"
    #: Requests cannot be answered.
    DOWN = "down"


_ORDER = list(HealthState)

#: Names of the checks, in the order of a report.
CHECKS = (
    "primary", "secondary", "indices", "waiting", "workers", "dead_letters", "debts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """What one check has found.

    :attr name: one of :data:`CHECKS`.
    :attr says: what is wrong, without names of hosts; the log has the rest.
    :attr value: what was measured, and ``unit`` its unit; ``None`` if nothing was.
    """

    name: str
    state: HealthState
    says: str | None = None
    value: float | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """What all checks have found."""

    checks: tuple[Check, ...]

    @property
    def state(self) -> HealthState:
        """The worst of all."""
        return max((check.state for check in self.checks), key=_ORDER.index)


class HealthChecks:
    """The checks of one application; may be used by several threads.

    :param timeout: seconds after which a server counts as silent.
    :param oldest_limit: seconds that a change may wait.
    :param fatal: names of the checks whose failure means that the application is down.
        Others mean that it is degraded.
    :param status: the question for the status; by default one of its own.
    """

    def __init__(
        self, engines: Engines, *, timeout: float, oldest_limit: float,
        fatal: Collection[str], status: Probe[SyncStatus] | None = None,
    ) -> None:  # fmt: skip
        self._engines = engines
        self._timeout = timeout
        self._oldest_limit = oldest_limit
        self._fatal = frozenset(fatal)
        self._status = status or Probe("status", partial(sync_status, engines))
        self._primary = Probe("primary", self._ask_primary)
        self._secondaries: dict[str, Probe[Sequence[str]]] = {}
        self._silent: set[str] = set()

    def run(self) -> Health:
        """Make all checks at once; takes little longer than the time-out at most."""
        deadline = time.monotonic() + self._timeout
        primary, status = self._primary.begin(), self._status.begin()
        missing = {
            name: self._probe_of(name, engine).begin()
            for name, engine in self._engines.secondaries.items()
        }
        checks = [
            *self._of_primary(primary, deadline),
            *self._of_secondaries(missing, deadline),
            *self._of_status(status, deadline),
        ]
        return Health(tuple(checks))

    def _ask_primary(self) -> bool:
        # Any question would do; this one reads nothing.
        return not sum(outbox.remaining(()) for outbox in self._engines.outboxes())

    def _probe_of(self, name: str, engine: ISecondaryEngine) -> Probe[Sequence[str]]:
        call = partial(engine.missing, self._timeout)
        return self._secondaries.setdefault(name, Probe(name, call))

    def _of_primary(self, answer: Future[bool], deadline: float) -> Iterator[Check]:
        answers = self._wait("primary", answer, deadline)
        yield self._check("primary", not answers and "The database does not answer.")

    def _of_secondaries(
        self, answers: Mapping[str, Future[Sequence[str]]], deadline: float
    ) -> Iterator[Check]:
        silent: list[str] = []
        missing: list[str] = []
        for name, answer in answers.items():
            models = self._wait(name, answer, deadline)
            missing += models or ()
            if models is None:
                silent.append(name)
        names = ", ".join(silent)
        yield self._check("secondary", silent and f"{names} does not answer.")
        if silent:
            yield self._check("indices", f"{names} could not be asked.")
        else:
            said = f"There is no index for {', '.join(missing)}: nefertari-es setup."
            yield self._check("indices", missing and said)

    def _of_status(
        self, answer: Future[SyncStatus], deadline: float
    ) -> Iterator[Check]:
        status = self._wait("status", answer, deadline)
        if status is None:
            for name in ("waiting", "workers", "dead_letters", "debts"):
                yield self._check(name, "The outbox could not be asked.")
            return
        total, limit = status.total, self._oldest_limit
        oldest = total.oldest or 0.0
        says: object = oldest > limit and f"A change waits for more than {limit:g} s."
        yield self._check("waiting", says, oldest, "s")
        alive = sum(not worker.lost for worker in status.workers)
        needed = self._engines.settings.sync is SyncMode.WORKER
        says = needed and not alive and "No worker is alive: nefertari-es worker."
        yield self._check("workers", says, alive, "workers")
        says = total.dead and "See nefertari-es dead-letters list."
        yield self._check("dead_letters", says, total.dead, "entries")
        models = sorted({debt.model for debt in status.debts})
        says = models and f"Documents of {', '.join(models)}: nefertari-es catch-up."
        yield self._check("debts", says, len(models), "models")

    def _check(
        self,
        name: str,
        says: object,
        value: float | None = None,
        unit: str | None = None,
    ) -> Check:
        if not says:
            return Check(name, HealthState.OK, None, value, unit)
        fatal = name in self._fatal
        state = HealthState.DOWN if fatal else HealthState.DEGRADED
        return Check(name, state, str(says), value, unit)

    def _wait(self, name: str, answer: Future[T], deadline: float) -> T | None:
        """The answer, or ``None`` if there is none in time."""
        try:
            given = answer.result(max(0.0, deadline - time.monotonic()))
        except Exception as error:  # noqa: BLE001 - the report says that it failed
            # Once, and not with every probe of an outage.
            if name not in self._silent:
                self._silent.add(name)
                log.warning(
                    "Health check: %s does not answer: %s",
                    name,
                    str(error) or "it takes too long",
                    extra={"action": "health_check"},
                )
            return None
        self._silent.discard(name)
        return given
