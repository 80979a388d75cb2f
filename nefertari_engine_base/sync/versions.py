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
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from nefertari_engine_base.interfaces import IOutbox
from nefertari_engine_base.values import Outcome, Snapshot, WriteResult

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

    def drawn(self, outbox: IOutbox, draw: Callable[[], T]) -> T:
        """What ``draw`` returns, with a version above those of the index.

        :param draw: draws a version, and may load documents after that.
        :raises SecondaryUnavailable: if the secondary cannot be asked.
        """
        if not self._is_checked(outbox):
            self.check(outbox)
        before = self._drawn.get(outbox, 0)
        found = draw()
        if not self._is_checked(outbox):
            # Drawing has opened a connection, perhaps to another server.
            self.check(outbox)
            found = draw()
        version = _version(found)
        if version <= before:
            self.check(outbox, before)
            found = draw()
            version = _version(found)
        # Another thread may have drawn a higher one meanwhile.
        self._drawn[outbox] = max(version, self._drawn.get(outbox, 0))
        return found

    def overtake(self, outbox: IOutbox, results: Iterable[WriteResult]) -> None:
        """Make sure that versions to come are above what has superseded writes."""
        there = max(
            (
                result.stored
                for result in results
                if result.outcome is Outcome.SUPERSEDED and result.stored is not None
            ),
            default=0,
        )
        if there == 0:
            return
        # What is there was so before this is drawn.
        now = self.drawn(outbox, partial(outbox.draw_and_load, ()))
        if now.version <= there:
            self.check(outbox, there)

    def check(self, outbox: IOutbox, above: int = 0) -> None:
        """Ask the index for its highest version, and go on above that.

        :param above: a version that is known; the primary was set back.
        :raises SecondaryUnavailable: if the secondary cannot be asked.
        """
        self._engines.watch.look()
        schemas = list(self._engines.schemas.values())
        secondaries = self._engines.secondaries.values()
        highest = [secondary.highest_version(schemas) for secondary in secondaries]
        if above:
            _log.warning(_SET_BACK, max(above, *highest, 0))
        outbox.advance_version(max(above, *highest, 0))
        # What was drawn before says nothing any more.
        self._drawn.pop(outbox, None)
        self._checked[outbox] = outbox.generation

    def _is_checked(self, outbox: IOutbox) -> bool:
        return bool(self._checked.get(outbox) == outbox.generation)


def _version(found: Snapshot | int) -> int:
    return found if isinstance(found, int) else found.version
