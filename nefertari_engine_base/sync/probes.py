"""Questions to servers that may not answer, asked by those who cannot wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

#: Seconds after which a call that hangs is given up, and another is made when somebody
#: asks: connections may hang for hours when their server is long back.
GIVEN_UP_AFTER = 30.0


class _Call(Future[T]):
    """One call; its times are those of :func:`time.monotonic`."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = self.ended = time.monotonic()

    def make(self, call: Callable[[], T]) -> None:
        """Make the call, and keep its answer."""
        try:
            answer = call()
        except BaseException as error:  # noqa: BLE001 - whoever asks raises it
            self.set_exception(error)
        else:
            self.ended = time.monotonic()
            self.set_result(answer)


class Probe(Generic[T]):
    """A call that is made in a thread of its own; several threads may ask.

    There is one call at a time, whose answer all who ask meanwhile are given.

    :param name: of the threads.
    :param call: what is to be answered.
    :param max_age: seconds for which an answer is given again.
    """

    def __init__(self, name: str, call: Callable[[], T], max_age: float = 0.0) -> None:
        self._name = name
        self._call = call
        self._max_age = max_age
        self._lock = Lock()
        self._latest: _Call[T] | None = None

    def begin(self) -> Future[T]:
        """Make the call, unless one is under way or its answer is young enough."""
        with self._lock:
            latest = self._latest
            if latest is None or not self._serves(latest):
                self._latest = latest = _Call()
                # A daemon: who hangs must not keep the process from ending.
                Thread(
                    target=latest.make,
                    args=(self._call,),
                    name=self._name,
                    daemon=True,
                ).start()
            return latest

    def ask(self, timeout: float) -> T:
        """The answer; raises what the call raises.

        :param timeout: seconds to wait for it.
        :raises TimeoutError: if there is none in time.
        """
        return self.begin().result(timeout)

    def _serves(self, latest: _Call[T]) -> bool:
        now = time.monotonic()
        if not latest.done():
            return now - latest.begun < GIVEN_UP_AFTER
        return latest.exception() is None and now - latest.ended < self._max_age
