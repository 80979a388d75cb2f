"""Versions of a primary that was set back: restored, or replaced by a standby.

It draws again what it has drawn before, so every write would be taken for an outdated
one. What tells:

* the index has a higher version; it is asked before the first draw, and again when a
  connection was opened, since there may be another server behind it;
* a draw is not above the one before it in the same process: the database was restored
  in its place, and connections have survived;
* a write is superseded by a version that is not below one that is drawn afterwards. The
  index remembers the versions of deleted documents as well, which nobody can ask for.

A version conflict alone proves nothing: soon after a restore, others may have drawn
what the index has from before it. So who meets one draws, loads and writes again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from nefertari_engine_base.interfaces import IOutbox
from nefertari_engine_base.values import Snapshot, WriteResult

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines

T = TypeVar("T", Snapshot, int)

_log = logging.getLogger(__name__)

_SET_BACK = (
    "The database draws versions again that it has drawn before: it was restored, or "
    "another server has taken over. Versions go on above %s. Run nefertari-es index: "
    "documents of rows that are gone, and rows without documents, are found by that."
)


class Versions:
    """Makes sure that versions to come are above all that the index holds."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._checked: dict[IOutbox, int] = {}
        self._drawn: dict[IOutbox, int] = {}

    def drawn(self, outbox: IOutbox, draw: Callable[[], T], above: int = 0) -> T:
        """What ``draw`` returns, with a version above those of the index.

        :param draw: draws a version, and may load documents after that.
        :param above: a version that the index has, and that was seen before.
        :raises SecondaryUnavailable: if the secondary cannot be asked.
        """
        self.check(outbox)
        before = max(above, self._drawn.get(outbox, 0))
        found = draw()
        if not self.is_checked(outbox):
            # Drawing has opened a connection, perhaps to another server.
            self.move_ahead(outbox)
            found = draw()
        if _version(found) <= before:
            _log.warning(_SET_BACK, before)
            self.move_ahead(outbox, before)
            found = draw()
        # Another thread may have drawn a higher one meanwhile.
        self._drawn[outbox] = max(_version(found), self._drawn.get(outbox, 0))
        return found

    def check(self, outbox: IOutbox) -> None:
        """Move versions ahead of those of the index, unless that was done.

        :raises SecondaryUnavailable: if the secondary cannot be asked.
        """
        if not self.is_checked(outbox):
            self.move_ahead(outbox)

    def is_checked(self, outbox: IOutbox) -> bool:
        """Whether that was done since a connection of deliveries was opened last."""
        return bool(self._checked.get(outbox) == outbox.generation)

    def move_ahead(self, outbox: IOutbox, above: int = 0) -> None:
        """Ask the index for its highest version, and go on above that.

        :param above: another version to be above of.
        :raises SecondaryUnavailable: if the secondary cannot be asked.
        """
        self._engines.watch.look()
        schemas = list(self._engines.schemas.values())
        secondaries = self._engines.secondaries.values()
        highest = [secondary.highest_version(schemas) for secondary in secondaries]
        outbox.advance_version(max(above, *highest, 0))
        # What was drawn before says nothing any more.
        self._drawn.pop(outbox, None)
        self._checked[outbox] = outbox.generation


def highest_stored(results: Iterable[WriteResult]) -> int:
    """The highest version that has superseded a write; 0 if none has told it."""
    return max((result.stored or 0 for result in results), default=0)


def _version(found: Snapshot | int) -> int:
    return found if isinstance(found, int) else found.version
