"""What a family of mapped classes tells of itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Session

#: Installs a listener of the application; called with the session, and a list for what
#: undoes it in the end.
Install = Callable[[Session, list[Callable[[], None]]], None]


@dataclass(frozen=True)
class Family:
    """Classes that a program is about.

    :attr documents: what each class with documents is declared with.
    :attr seed: makes the instances that a program may begin with.
    :attr listeners: those that the application may have, by name.
    :attr always: names of listeners that it always has.
    :attr joins: (class, name of a column, class that this column refers to): what
        statements on two tables go along.
    """

    name: str
    base: type[DeclarativeBase]
    documents: Mapping[type, Mapping[str, Any]]
    seed: Callable[[], Sequence[Any]]
    listeners: Mapping[str, Install] = field(default_factory=dict)
    always: tuple[str, ...] = ()
    joins: tuple[tuple[type, str, type], ...] = ()

    @property
    def models(self) -> dict[str, type]:
        """All mapped classes, by name."""
        found = {mapper.class_ for mapper in self.base.registry.mappers}
        return {cls.__name__: cls for cls in sorted(found, key=lambda c: c.__name__)}

    @property
    def tables(self) -> list[sa.Table]:
        """All tables, those that are referred to first."""
        return list(self.base.metadata.sorted_tables)


_COUNTER = itertools.count(1)


def tick() -> int:
    """The next number; the application's own defaults use it, so a default that is
    asked once more than without us shows."""
    return next(_COUNTER)


@contextmanager
def ticking() -> Iterator[None]:
    """Numbers begin anew in the block."""
    global _COUNTER
    _COUNTER = itertools.count(1)
    yield


def listening(target: Any, name: str, undo: list[Callable[[], None]]) -> Any:
    """Decorator: listen to an event until what is added to ``undo`` is called."""

    def decorate(function: Any) -> Any:
        sa.event.listen(target, name, function)
        undo.append(lambda: sa.event.remove(target, name, function))
        return function

    return decorate
