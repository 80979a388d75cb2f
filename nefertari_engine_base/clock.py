"""A clock for how long something has taken, sleep of the machine included."""

from __future__ import annotations

import time


def elapsed() -> float:
    """Seconds since some moment in the past.

    ``time.monotonic`` stands still while the machine sleeps, and what others have
    waited for meanwhile is as old as it is. Linux has a clock that goes on; elsewhere
    this is the monotonic one.
    https://man7.org/linux/man-pages/man2/clock_gettime.2.html
    """
    if _COUNTS_SLEEP is None:
        return time.monotonic()
    return time.clock_gettime(_COUNTS_SLEEP)


_COUNTS_SLEEP: int | None = getattr(time, "CLOCK_BOOTTIME", None)
