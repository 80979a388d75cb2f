"""What a worker waits for."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue


class Waker:
    """Wakes or stops one waiting thread, from other threads and signal handlers.

    A :class:`threading.Event` would not do: a handler that sets it can interrupt its
    own ``wait`` where that holds the event's lock. ``SimpleQueue.put`` is reentrant.
    https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._stopped

    def wake(self) -> None:
        """End the wait that is under way, or the next one if there is none."""
        self._calls.put(None)

    def stop(self) -> None:
        """End every wait from now on."""
        self._stopped = True
        self._calls.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait until woken or stopped; ``False`` if the time is over before."""
        if self._stopped:
            return True
        try:
            self._calls.get(timeout=max(0.0, seconds))
        except Empty:
            return False
        while not self._calls.empty():
            self._calls.get_nowait()
        return True

    def pause(self, seconds: float) -> None:
        """Wait for this time, or until stopped, whoever wakes meanwhile."""
        end = time.monotonic() + seconds
        while not self._stopped and (left := end - time.monotonic()) > 0:
            self.wait(left)
