"""What a process writes until it is killed, or kills or stops itself where it hurts."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from functools import wraps
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure

from chaos.mongo.models import Novelist, Volume
from chaos.trials import keys_of
from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.primary.mongo.capturing import AnnouncingCollection
from nefertari_engine_base.primary.mongo.outbox import MongoOutbox
from nefertari_engine_base.primary.mongo.selecting import NOTHING
from nefertari_engine_base.sync import suspended

#: The process writes until it is killed, and goes on when a connection is lost.
ANYWHERE = "anywhere"

#: The methods by which documents are written.
_WRITES = (
    "insert_one",
    "insert_many",
    "update_one",
    "update_many",
    "replace_one",
    "find_one_and_update",
    "find_one_and_replace",
    "find_one_and_delete",
    "delete_one",
    "delete_many",
)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _nothing() -> None:
    pass


def _trap(
    owner: Any, name: str, *, before: Callable[[], None] = _nothing,
    after: Callable[[], None] = _nothing,
) -> None:  # fmt: skip
    """Do something before and after each call of a method."""
    original = getattr(owner, name)

    @wraps(original)
    def trapped(self: Any, *args: Any, **options: Any) -> Any:
        # Other collections are not the documents', and some writes are not meant.
        if isinstance(self, Collection) and (
            not isinstance(self, AnnouncingCollection) or args[0] is NOTHING
        ):
            return original(self, *args, **options)
        before()
        result = original(self, *args, **options)
        after()
        return result

    setattr(owner, name, trapped)


def _trap_documents(**actions: Callable[[], None]) -> None:
    for name in _WRITES:
        _trap(Collection, name, **actions)


def _before_entry() -> None:
    _trap(MongoOutbox, "announce", before=_die)


def _before_document() -> None:
    _trap_documents(before=_die)


def _before_confirmation() -> None:
    _trap_documents(after=_die)


def _before_delivery() -> None:
    _trap(MongoOutbox, "confirm", after=_die)


def _stopped() -> None:
    """Stops before the document is written; when it goes on, dies after that."""
    _trap_documents(before=_stop, after=_die)


def _stopped_and_confirmed() -> None:
    """Stops before the document is written; when it goes on, dies after the entry is
    confirmed."""
    _trap_documents(before=_stop)
    _before_delivery()


#: Where a process can kill itself or stop.
TRAPS: Mapping[str, Callable[[], None]] = {
    trap.__name__.strip("_"): trap
    for trap in (
        _before_entry,
        _before_document,
        _before_confirmation,
        _before_delivery,
        _stopped,
        _stopped_and_confirmed,
    )
}


def write(number: int, how: str) -> Iterator[None]:
    """Change the documents of a trial; yields after each write.

    :param how: ``anywhere``, or ``TRAP/N``: the trap is set after so many writes; with
        ``/suspended`` behind it, sync is suspended for all of them.
    """
    trap, _, rest = how.partition("/")
    writes, _, is_suspended = rest.partition("/")
    with suspended() if is_suspended else nullcontext():
        for made, change in enumerate(_changes(number)):
            if trap != ANYWHERE and made == int(writes):
                TRAPS[trap]()
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
