"""What a running program has: a database, a session, the instances it has met."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.differential.families import Family
from tests.differential.shapes import shape_of


@dataclass
class World:
    """One run of a program.

    :attr deliver: delivers what waits; does nothing without us.
    :attr savepoints: (kind, handle) of those that are open, the innermost last.
    :attr alive: every instance that the session has met, so that none vanishes from it
        at the garbage collector's whim.
    """

    family: Family
    database: sa.Engine
    options: dict[str, Any]
    listeners: tuple[str, ...] = ()
    deliver: Callable[[], None] = lambda: None
    session: Session = None  # type: ignore[assignment]
    savepoints: list[tuple[str, Any]] = field(default_factory=list)
    alive: list[Any] = field(default_factory=list)
    held: dict[Any, Any] = field(default_factory=dict)
    undo: list[Callable[[], None]] = field(default_factory=list)

    def begin(self) -> None:
        """A new session, with the listeners of the application."""
        self.session = Session(self.database, **self.options)
        for name in ("loaded_as_persistent", "pending_to_persistent"):
            sa.event.listen(self.session, name, self._remember)
        for name in dict.fromkeys((*self.family.always, *self.listeners)):
            self.family.listeners[name](self.session, self.undo)

    def _remember(self, session: Session, instance: Any) -> None:
        self.alive.append(instance)

    def end(self) -> None:
        """The session's end; whatever it has not committed is gone."""
        self.savepoints.clear()
        try:
            self._leave(self.session.close)
        finally:
            while self.undo:
                self.undo.pop()()

    def roll_back(self) -> None:
        """What an application does after an error."""
        self.savepoints.clear()
        self._leave(self.session.rollback)

    def _leave(self, method: Callable[[], None]) -> None:
        try:
            method()
        except sa.exc.SQLAlchemyError:
            # Its savepoints have ended behind its back, so all that is left to it is
            # to throw the connection away.
            self.session.invalidate()

    def model(self, name: str) -> type:
        return self.family.models[name]

    def get(self, name: str, key: tuple[Any, ...]) -> Any:
        """An instance by key, ``None`` without a row."""
        found = self.session.get(self.model(name), key if len(key) > 1 else key[0])
        if found is not None:
            self.held[name, key] = found
        return found

    def fingerprint(self) -> list[tuple[Any, ...]]:
        """Which attributes of each held instance are loaded: nobody but the
        application loads any."""
        return [
            (name, key, sorted(vars(instance).keys() - {"_sa_instance_state"}))
            for (name, key), instance in self.held.items()
        ]


def row_of(instance: Any) -> tuple[Any, ...]:
    """The values of an instance's columns."""
    if instance is None:
        return ()
    names = shape_of(type(instance)).attributes
    return (
        type(instance).__name__,
        *(plain(getattr(instance, name)) for name in names),
    )


def plain(value: Any) -> Any:
    """A value without what differs from run to run."""
    if isinstance(value, uuid.UUID):
        return str(value) if value.int < 1 << 32 else "random"
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value):
        return plain(uuid.UUID(value))
    if isinstance(value, sa.Row | tuple | list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if sa.inspect(value, raiseerr=False) is not None:
        return row_of(value)
    return repr(value)
