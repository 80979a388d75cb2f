"""Listeners that an import makes on classes are there again for each test.

SQLAlchemy's tests of events remove all listeners of ``Session``, ``Mapper`` and others
when they are over, by a method that is none of its public ones. No application does
that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event


class Listeners:
    """The listeners that were made in a context."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, ...]] = []

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Remember the listeners that are made meanwhile."""
        listen = event.listen

        def remember(target: Any, name: str, fn: Any, *args: Any, **more: Any) -> None:
            self._made.append((target, name, fn, args, more))
            listen(target, name, fn, *args, **more)

        event.listen = event.api.listen = remember  # type: ignore[assignment]
        try:
            yield
        finally:
            event.listen = event.api.listen = listen

    def restore(self) -> None:
        """Make those anew that were removed."""
        for target, name, fn, args, more in self._made:
            if not event.contains(target, name, fn):
                event.listen(target, name, fn, *args, **more)
