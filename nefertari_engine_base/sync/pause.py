"""A process that leaves a secondary alone for a while."""

from __future__ import annotations

import time


class Pause:
    """For how long this process does without the secondary where it can.

    A commit must not wait for a server that was dead a moment ago: its delivery is
    left to a worker. Nor must a read that the primary can answer.
    """

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def active(self) -> bool:
        """Whether the pause still lasts."""
        return time.monotonic() < self._until

    def begin(self, seconds: float) -> None:
        """Begin a pause of this many seconds."""
        self._until = time.monotonic() + seconds

    def end(self) -> None:
        """End the pause: the secondary is known to answer."""
        self._until = 0.0
