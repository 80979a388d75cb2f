"""The signals that ask this process to end: to be obeyed, or sent on to a command."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def handling(handle: Callable[[int], None]) -> Iterator[None]:
    """Let ``handle`` see SIGINT and SIGTERM while the block runs in the main thread."""

    def handler(signum: int, _: FrameType | None) -> None:
        handle(signum)

    previous = {signum: signal.signal(signum, handler) for signum in _SIGNALS}
    try:
        yield
    finally:
        for signum, old in previous.items():
            signal.signal(signum, old)


def leave(signum: int) -> None:
    """End this process in good order, with the status that shells give to a signal."""
    raise SystemExit(128 + signum)


class Forwarder:
    """Sends signals on to a command, also those that come just before it exists."""

    def __init__(self) -> None:
        self._command: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def __call__(self, signum: int) -> None:
        """Send on one signal, now or when there is a command."""
        # A terminal sends Ctrl-C to all of its foreground processes, the command among
        # them; to send it once more would make two interrupts of one.
        if signum == signal.SIGINT and os.isatty(0):
            return
        if self._command:
            self._command.send_signal(signum)
        else:
            self._early.append(signum)

    def begin(self, command: subprocess.Popen[bytes]) -> None:
        """Send on to this command."""
        self._command = command
        for signum in self._early:
            command.send_signal(signum)
