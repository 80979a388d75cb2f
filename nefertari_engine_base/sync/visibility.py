"""What a commit waits for: read-your-writes.

The changes are committed whatever happens here. Who asks for it waits, for a bounded
time, until the index has them (``written``) or until searches find them (``visible``),
whether this process delivers them or a worker does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from pyramid.threadlocal import get_current_request

from nefertari_engine_base.exceptions import EngineError, SecondaryUnavailable
from nefertari_engine_base.interfaces import IOutbox
from nefertari_engine_base.settings import SyncMode, Visibility, visibility_of
from nefertari_engine_base.sync import failures
from nefertari_engine_base.values import OutboxEntry

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines

#: Seconds between the first two questions whether entries are gone, and between later
#: ones at most.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.002, 0.1

_of_block: ContextVar[Visibility | None] = ContextVar("visibility", default=None)


@contextmanager
def visibility(level: Visibility | str) -> Iterator[None]:
    """What the commits of a block wait for.

    :param level: ``async``, ``written`` or ``visible``.
    :raises ConfigurationError: for any other word.
    """
    token = _of_block.set(visibility_of(level))
    try:
        yield
    finally:
        _of_block.reset(token)


def wanted(engines: Engines) -> Visibility:
    """What the commit that is being made waits for: as the block says, else as the
    request says by ``request.sync_visibility``, else as the settings say."""
    level = _of_block.get()
    if level is None:
        level = getattr(get_current_request(), "sync_visibility", None)
    return engines.settings.visibility if level is None else visibility_of(level)


def wait(
    engines: Engines,
    entries: Mapping[IOutbox, Sequence[OutboxEntry]],
    numbers: Mapping[IOutbox, Sequence[int]],
) -> None:
    """Wait until the entries of a commit are as visible as is wanted.

    Never raises; what is not applied in time is reported to the failure handler.

    :param numbers: of entries that are known by nothing else.
    """
    level = wanted(engines)
    if level is Visibility.ASYNC or engines.settings.sync is SyncMode.OFF:
        return
    try:
        ids = {
            outbox: [
                *(entry.id for entry in entries.get(outbox, ())),
                *numbers.get(outbox, ()),
            ]
            for outbox in dict.fromkeys([*entries, *numbers])
        }
        _wait_until_applied(engines, ids)
        if level is Visibility.VISIBLE and numbers:
            for secondary in engines.secondaries.values():
                secondary.refresh(list(engines.schemas.values()))
        elif level is Visibility.VISIBLE:
            _refresh(engines, entries)
    except EngineError as error:
        count = sum(map(len, [*entries.values(), *numbers.values()]))
        failures.handler(engines.registry).delivery_failed(error, count)


def _wait_until_applied(
    engines: Engines, numbers: Mapping[IOutbox, Sequence[int]]
) -> None:
    timeout = engines.settings.visibility_timeout
    deadline, pause = time.monotonic() + timeout, _SHORTEST_PAUSE
    for outbox, ids in numbers.items():
        while waiting := outbox.remaining(ids):
            if time.monotonic() >= deadline:
                raise SecondaryUnavailable(
                    f"{waiting} changes of a commit were not applied within "
                    f"{timeout} s; they wait in the outbox."
                )
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _refresh(
    engines: Engines, entries: Mapping[IOutbox, Sequence[OutboxEntry]]
) -> None:
    models: dict[str, set[str]] = {}
    for written in entries.values():
        for entry in written:
            models.setdefault(entry.touch.secondary, set()).add(entry.touch.model)
    for name, touched in models.items():
        schemas = [engines.schemas[model] for model in touched]
        engines.secondaries[name].refresh(schemas)
