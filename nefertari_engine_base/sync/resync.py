"""Workers synchronise models again whose changes could not be followed.

A statement of which nobody can tell the rows leaves a debt of its model, in its own
transaction. A worker settles it by comparing contents, so that only documents that
differ are written, and goes on to deliver in between. What people have suspended, or an
index has lost, is left to them: they may have reasons to wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nefertari_engine_base.interfaces import IOutbox
from nefertari_engine_base.sync.catch_up import CaughtUp, catch_up
from nefertari_engine_base.values import DeliveryReport
from nefertari_engine_base.values.debts import LEFT_TO_PEOPLE

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines

#: Seconds after which a synchronisation makes room for deliveries.
_TURN = 0.5


def resync(
    engines: Engines,
    deliver: Callable[[], object],
    is_stopped: Callable[[], bool] = lambda: False,
) -> list[CaughtUp]:
    """Settle what no people have to decide about, one model after the other.

    Two workers do not take the same model at the same time, where the database can
    prevent that; if they do, it is harmless.

    :param deliver: is called now and then: what is due in the outbox shall not wait.
    :param is_stopped: whether to begin with no further model.
    :raises SecondaryUnavailable: if the server could not be reached; the debts stay.
    """
    done: list[CaughtUp] = []
    for outbox in engines.outboxes():
        for model in wanted(engines, outbox):
            if is_stopped():
                return done
            with outbox.exclusively(f"resync {model}") as is_mine:
                if is_mine:
                    turns = _Turns(deliver)
                    schema = engines.schemas[model]
                    done.append(catch_up(engines, schema, turns, only_different=True))
    return done


def wanted(engines: Engines, outbox: IOutbox) -> list[str]:
    """Names of the models that workers have to synchronise again."""
    return list(
        dict.fromkeys(
            debt.model
            for debt in outbox.debt_status()
            if debt.reason not in LEFT_TO_PEOPLE
            and debt.model in engines.schemas
            and debt.secondary in engines.secondaries
        )
    )


class _Turns:
    def __init__(self, deliver: Callable[[], object]) -> None:
        self._deliver = deliver
        self._next = time.monotonic() + _TURN

    def __call__(self, report: DeliveryReport) -> None:
        if time.monotonic() >= self._next:
            self._deliver()
            self._next = time.monotonic() + _TURN
