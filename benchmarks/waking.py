"""How long after its commit a change is in the index, by a worker that was idle.

The worker is a thread of this process, on PostgreSQL, which would look for itself only
once a minute: what is measured begins with a notification.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks.measure import Bar, Contender, Result
from benchmarks.models import StoryColumns, new_base, story_values
from benchmarks.setting import Setting, application, database
from nefertari_engine_base.engines import Engines
from nefertari_engine_base.sync.waker import Waker
from nefertari_engine_base.sync.worker import run as run_worker

ALONE = "insert and commit alone"
WOKEN = "and until an idle worker has indexed it"

BARS = (Bar(WOKEN, None, 0.1, "seconds"),)

#: Seconds that no delivery takes, unless notifications are lost.
FOREVER = 30


def run(setting: Setting) -> Result:
    """Measure."""
    base = new_base()
    plain, story = (
        type(name, (StoryColumns, base), {"__tablename__": name.lower()})
        for name in ("PlainStory", "WokenStory")
    )
    with ExitStack() as stack:
        engine = stack.enter_context(database(setting))
        base.metadata.create_all(engine)
        engines = stack.enter_context(
            application(
                setting, engine, lambda config: config.add_secondary(story),
                nefertari__sync="worker",
                nefertari__sync__poll_interval="60",
            )
        )  # fmt: skip
        waker = Waker()
        worker = threading.Thread(target=run_worker, args=(engines, waker))
        worker.start()
        stack.callback(worker.join)
        stack.callback(waker.stop)
        contenders = [
            Contender(ALONE, lambda number: _insert(engine, plain, number)),
            Contender(WOKEN, _insert_and_see(engine, engines, story)),
        ]
        plan = setting.plan(operations=10, blocks=10, warm_up=100)
        samples = setting.measure(contenders, plan)
    return Result("waking: one change until it is indexed", samples, ALONE, BARS)


def _insert(engine: sa.Engine, model: Any, number: int) -> int:
    with Session(engine) as session:
        instance = model(**story_values(number))
        session.add(instance)
        session.flush()
        id_: int = instance.id
        session.commit()
    return id_


def _insert_and_see(
    engine: sa.Engine, engines: Engines, model: Any
) -> Callable[[int], None]:
    schema, secondary = engines.schema_of(model), engines.secondary
    assert secondary is not None

    def operation(number: int) -> None:
        id_ = str(_insert(engine, model, number))
        deadline = time.monotonic() + FOREVER
        while secondary.get(schema, [id_])[0] is None:
            assert time.monotonic() < deadline, "the worker was not woken"

    return operation
