"""A worker in a thread of the test's process."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

from nefertari_engine_base.sync.waker import Waker
from nefertari_engine_base.sync.worker import run

#: Seconds that nothing here takes, unless it hangs.
FOREVER = 60


@contextmanager
def working(app):
    """A worker of the application; its waker."""
    waker = Waker()
    thread = threading.Thread(target=run, args=(app.engines, waker), daemon=True)
    thread.start()
    try:
        yield waker
    finally:
        waker.stop()
        thread.join(FOREVER)
        assert not thread.is_alive()


def until(answer, seconds=FOREVER):
    """Ask until the answer is true; the answer."""
    deadline = time.monotonic() + seconds
    while not (given := answer()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.001)
    return given
