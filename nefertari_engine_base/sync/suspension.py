"""Sync switched off for a block: changes become debts in place of outbox entries.

A debt is written in the transaction of the change, so it is there if and only if the
change is. What is owed is caught up with later, by
:mod:`nefertari_engine_base.sync.catch_up`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Suspension:
    """The models whose documents do not follow for now.

    :attr models: their names.
    :attr all: whether it is every model, whatever ``models`` says.
    """

    models: frozenset[str] = frozenset()
    all: bool = False

    def __bool__(self) -> bool:
        return self.all or bool(self.models)

    def __or__(self, other: Suspension) -> Suspension:
        return Suspension(self.models | other.models, self.all or other.all)

    def covers(self, model: str) -> bool:
        """Whether documents of the model of this name do not follow."""
        return self.all or model in self.models


#: What is suspended unless somebody says otherwise.
NOTHING = Suspension()

_of_block: ContextVar[Suspension | None] = ContextVar("suspension", default=None)


@contextmanager
def suspended(*models: type) -> Iterator[None]:
    """Keep documents of these models as they are, whatever changes in the block.

    What is flushed or executed in the block, by this thread or task, is owed to them:
    ``nefertari-es catch-up`` brings them up to date. What is flushed after the block
    is synced as ever, whenever it was changed; so flush, or commit, inside of it.
    Documents of other models follow changes of these rows, too. Events are sent.

    Blocks may stand inside of each other, and add up.

    :param models: classes that have documents; none stands for all.
    :raises UnknownModel: for a class that has no documents in any application.
    """
    # That module stands on the write path, and so imports this one.
    from nefertari_engine_base.engines import owner_of

    names = [owner_of(model).schema_of(model).name for model in models]
    inner = Suspension(frozenset(names), all=not models)
    token = _of_block.set(inner | (_of_block.get() or NOTHING))
    try:
        yield
    finally:
        _of_block.reset(token)


def current(always: Suspension) -> Suspension:
    """What is suspended here and now, with what is suspended always."""
    of_block = _of_block.get()
    return always if of_block is None else always | of_block
