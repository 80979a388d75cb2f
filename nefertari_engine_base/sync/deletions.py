"""Documents that are there again though their rows were deleted.

A late write brings a document back once the search server has forgotten its delete; see
:mod:`.lateness`. So each process remembers the documents that it has deleted last, and
some time later asks for them. One that is there with a version below that of the delete
has come back, and is delivered once more.

This is a sample: what one process can remember, and as long as it lives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nefertari_engine_base.clock import elapsed
from nefertari_engine_base.exceptions import SecondaryError, SecondaryUnavailable
from nefertari_engine_base.interfaces import IOutbox
from nefertari_engine_base.sync.lateness import deliver_anew
from nefertari_engine_base.values import Outcome, Write, WriteResult

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines

#: So many documents are remembered, those that were deleted last.
MOST = 10_000
#: So many are asked for at once.
_AT_ONCE = 1_000


class _Deleted(NamedTuple):
    """A document that was deleted.

    :attr at: when, by :func:`~nefertari_engine_base.clock.elapsed`.
    """

    at: float
    outbox: IOutbox
    secondary: str
    model: str
    id: str
    version: int


class Deletions:
    """What this process has deleted from the secondaries lately; shared by threads."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        # Each of its methods is one step to other threads, and to a fork.
        self._deleted: deque[_Deleted] = deque(maxlen=MOST)

    def note(
        self, outbox: IOutbox, secondary: str, model: str,
        writes: Iterable[Write], results: Iterable[WriteResult],
    ) -> None:  # fmt: skip
        """Remember the deletes among these writes."""
        if not self._engines.settings.deletes_checked_after:
            return
        now = elapsed()
        self._deleted.extend(
            _Deleted(now, outbox, secondary, model, write.id, write.version)
            # There are fewer results where a server has broken off.
            for write, result in zip(writes, results, strict=False)
            if write.source is None and result.outcome is Outcome.WRITTEN
        )

    def look(self) -> None:
        """Ask for those whose time has come, and have delivered what is there again.

        :raises PrimaryError: if the database does not take their entries.
        """
        due = self._due()
        places: dict[tuple[IOutbox, str, str], list[_Deleted]] = {}
        for one in due:
            places.setdefault((one.outbox, one.secondary, one.model), []).append(one)
        for (outbox, secondary, model), some in places.items():
            try:
                back = self._back(secondary, model, some)
            except SecondaryUnavailable:
                # Which is reason enough to ask later: it may be just restarting.
                now = elapsed()
                self._deleted.extend(one._replace(at=now) for one in some)
                continue
            except SecondaryError:
                continue  # the index is gone, and its documents with it
            why = "were there again after their delete"
            deliver_anew(outbox, secondary, model, back, why)

    def _due(self) -> list[_Deleted]:
        before = elapsed() - self._engines.settings.deletes_checked_after
        due: list[_Deleted] = []
        while self._deleted and len(due) < _AT_ONCE:
            try:
                one = self._deleted.popleft()
            except IndexError:
                break  # another thread was faster
            if one.at > before:
                self._deleted.appendleft(one)
                break
            due.append(one)
        return due

    def _back(self, secondary: str, model: str, some: Sequence[_Deleted]) -> list[str]:
        """Ids of those that have come back: what was made anew has a higher version."""
        schema = self._engines.schemas[model]
        engine = self._engines.secondaries[secondary]
        stored = engine.stored(schema, [one.id for one in some])
        return [
            one.id
            for one, there in zip(some, stored, strict=True)
            if there is not None and there.version < one.version
        ]
