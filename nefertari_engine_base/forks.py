"""What a process that was forked must not share with its parent.

A server that loads the application and then forks (``gunicorn --preload``) leaves its
children the sockets that are open by then, and numbers that were reserved. Two that
talk over one socket get each other's answers. So whatever holds any is renewed in the
child, before anything else runs there: it forgets what the parent has, and closes
nothing of it, since a farewell on a shared socket would end the parent's connection.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Protocol
from weakref import WeakValueDictionary

log = logging.getLogger(__name__)


class Renewable(Protocol):
    """Something that belongs to one process."""

    def renew(self) -> None:
        """In a process that was forked: begin anew, without what the parent has."""


#: By identity: two that are equal hold sockets of their own.
_HELD: WeakValueDictionary[int, Any] = WeakValueDictionary()

#: What the parent has, in a child: it stays as it is, and so nobody closes it.
_OF_PARENT: list[Any] = []


def renew_after_fork(held: Renewable) -> None:
    """Have this renewed in every process that is forked from this one."""
    _HELD[id(held)] = held


def abandon(thing: object) -> None:
    """Keep what is the parent's from being closed by this process."""
    _OF_PARENT.append(thing)


def _renew_all() -> None:
    for held in list(_HELD.values()):
        try:
            held.renew()
        except Exception:
            # The others are to be renewed all the same.
            log.exception(
                "%r could not be renewed after a fork",
                held,
                extra={"action": "renew_after_fork"},
            )


os.register_at_fork(after_in_child=_renew_all)
