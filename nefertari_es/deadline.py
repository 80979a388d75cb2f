"""Until when requests of one write may be sent."""

from __future__ import annotations

from collections.abc import Sequence

from nefertari_engine_base.clock import elapsed
from nefertari_engine_base.values import Outcome, Write, WriteResult

#: Seconds that a process may take beside its requests, on a machine that is busy.
_SLACK = 1.0


class Deadline:
    """When it is too late to send a request, and when one was too late.

    :param until: a moment of :func:`~nefertari_engine_base.clock.elapsed`; ``None``:
        it is never too late.
    :param longest: seconds after which the client gives up a request.
    """

    def __init__(self, until: float | None, longest: float) -> None:
        self._until = until
        self._longest = longest

    @property
    def has_passed(self) -> bool:
        """Whether nothing is to be sent any more."""
        return self._until is not None and elapsed() > self._until

    @property
    def was_missed(self) -> bool:
        """Whether a request that has just ended may have reached the server too late.

        One that was sent in time is given up before it is as late as this. So the
        process has stood still between its look at the clock and the end.
        """
        if self._until is None:
            return False
        return elapsed() > self._until + self._longest + _SLACK

    def checked(
        self, writes: Sequence[Write], results: list[WriteResult]
    ) -> list[WriteResult]:
        """The results of a request that was answered just now."""
        if not self.was_missed:
            return results
        return [
            _late(write) if result.outcome is Outcome.WRITTEN else result
            for write, result in zip(writes, results, strict=False)
        ]


def unanswered(writes: Sequence[Write]) -> list[WriteResult]:
    """The results of a request that was too late and has no answer: it may have been
    carried out."""
    return [_late(write) for write in writes]


def _late(write: Write) -> WriteResult:
    return WriteResult(write.id, Outcome.LATE)
