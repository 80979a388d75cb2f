"""What a process writes until it is killed, or kills or stops itself where it hurts."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pymongo.errors import ConnectionFailure

from chaos.mongo.models import Novelist, Volume
from chaos.trials import keys_of
from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.primary.mongo.outbox import MongoOutbox

#: The process writes until it is killed, and goes on when a connection is lost.
ANYWHERE = "anywhere"


def _before_entry(outbox: type[MongoOutbox]) -> None:
    """Dies before an entry is stored."""
    outbox.announce = _then_die()  # type: ignore[method-assign]


def _before_document(outbox: type[MongoOutbox]) -> None:
    """Dies after the entry is stored, before the document is written."""
    outbox.announce = _then_die(outbox.announce)  # type: ignore[method-assign]


def _before_confirmation(outbox: type[MongoOutbox]) -> None:
    """Dies after the document is written, before the entry is confirmed."""
    outbox.confirm = _then_die()  # type: ignore[method-assign]


def _before_delivery(outbox: type[MongoOutbox]) -> None:
    """Dies after the entry is confirmed, before it is delivered."""
    outbox.confirm = _then_die(outbox.confirm)  # type: ignore[method-assign]


def _for_too_long(outbox: type[MongoOutbox]) -> None:
    """Stops after the entry is stored; when it goes on it writes the document, confirms
    the entry and dies."""
    announce = outbox.announce

    def stopping(self: MongoOutbox, touches: Any) -> Any:
        entries = announce(self, touches)
        os.kill(os.getpid(), signal.SIGSTOP)
        return entries

    outbox.announce = stopping  # type: ignore[method-assign]
    _before_delivery(outbox)


#: Where a process can kill itself or stop.
TRAPS: Mapping[str, Callable[[type[MongoOutbox]], None]] = {
    trap.__name__.strip("_"): trap
    for trap in (
        _before_entry,
        _before_document,
        _before_confirmation,
        _before_delivery,
        _for_too_long,
    )
}


def _then_die(first: Callable[..., Any] | None = None) -> Callable[..., Any]:
    def dying(*args: Any) -> None:
        if first is not None:
            first(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    return dying


def write(number: int, how: str) -> Iterator[None]:
    """Change the documents of a trial; yields after each write.

    :param how: ``anywhere``, or ``TRAP/N``: the trap is set after so many writes.
    """
    trap, _, writes = how.partition("/")
    for made, change in enumerate(_changes(number)):
        if trap != ANYWHERE and made == int(writes):
            TRAPS[trap](MongoOutbox)
        with suppress(ConnectionFailure, PrimaryError):
            change()
        yield


def _changes(number: int) -> Iterator[Callable[[], Any]]:
    """Writes of every sort, in an order in which each finds something."""
    keys = keys_of(number)
    for first in keys[::4]:
        volumes = [Volume(id=first + n, title="new", author=number) for n in range(4)]
        yield volumes[0].save
        yield lambda volumes=volumes: Volume.objects.insert(volumes[1:])  # type: ignore[misc]
        some = Volume.objects(pk__gte=first, pk__lt=first + 4)
        yield lambda some=some: some.update(set__title="changed")  # type: ignore[misc]
        yield lambda some=some: some.order_by("-pk").modify(set__year=1)  # type: ignore[misc]
        yield lambda first=first: Volume.objects(pk=first).upsert_one(set__year=2)  # type: ignore[misc]
        yield lambda first=first: Novelist.objects(pk=number).update(  # type: ignore[misc]
            set__name=f"Author of {first}"
        )
        yield volumes[2].delete
        yield lambda some=some: some.update(set__published=False)  # type: ignore[misc]
        yield lambda some=some: some.update_one(set__published=True)  # type: ignore[misc]
        yield lambda first=first: Volume.objects(pk=first + 1).delete()  # type: ignore[misc]
