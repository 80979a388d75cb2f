"""How many entries a worker claims at once: fewer after each failure.

A delivery may fail for one of its entries that nobody can name: it takes so long that
the claim is lost, say, or it ends the connection. With half as many at each turn its
neighbours are delivered, and in the end it is alone.
"""

from __future__ import annotations

from nefertari_engine_base.interfaces import IOutbox

#: After so many failures of one entry alone it is the entry that is to blame.
_STUCK = 3


class Pace:
    """The pace of one worker."""

    def __init__(self) -> None:
        self._divisors: dict[IOutbox, int] = {}
        self._alone: dict[IOutbox, int] = {}

    def limit(self, outbox: IOutbox, most: int) -> int:
        """How many entries to claim.

        :param most: as long as nothing fails.
        """
        return max(1, most // self._divisors.get(outbox, 1))

    def failed(self, outbox: IOutbox, limit: int) -> bool:
        """A delivery of so many entries has failed; whether one entry is to blame."""
        if limit > 1:
            self._divisors[outbox] = 2 * self._divisors.get(outbox, 1)
            return False
        self._alone[outbox] = self._alone.get(outbox, 0) + 1
        return self._alone[outbox] >= _STUCK

    def succeeded(self, outbox: IOutbox) -> None:
        """A delivery has been done."""
        self._alone.pop(outbox, None)
        divisor = self._divisors.get(outbox, 1) // 2
        if divisor > 1:
            self._divisors[outbox] = divisor
        else:
            self._divisors.pop(outbox, None)
