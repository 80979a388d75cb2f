"""``python -m chaos.writer INI NUMBER SEED``: a process that changes data.

It goes on until SIGTERM, or until it is killed. When it is told to fork, both processes
go on with what the first one has opened.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from pyramid.paster import setup_logging

from chaos.application import application
from chaos.processes import FORK

log = logging.getLogger(__name__)

#: The longest pause, in seconds, after a lock that was not to be had or a lost
#: connection.
PAUSE = 0.1

#: Transactions between two looks at how much there is.
_LOOK = 20


class Writer(ABC):
    """Makes random changes until it is told to stop.

    :param number: what its changes are counted under.
    :param seed: of all random choices.
    """

    #: What a database says of changes that got into each other's way, and when it is
    #: gone.
    clashes: tuple[type[Exception], ...]
    #: Those after which a pause is due.
    outages: tuple[type[Exception], ...]

    def __init__(self, number: int, seed: str) -> None:
        self.number = number
        self.random = random.Random(seed)
        self.crowded = False
        self._seed = seed
        self._stopping = False
        self._forking = False
        self._child: int | None = None

    def stop(self) -> None:
        """Make the transaction that is under way the last one."""
        self._stopping = True

    def fork(self) -> None:
        """Fork before the next transaction."""
        self._forking = True

    def run(self) -> None:
        """Make transactions until :meth:`stop`; in the end the child has ended, too.

        :raises RuntimeError: if the child fails.
        """
        try:
            self._run()
        finally:
            self._stopping = True
            if self._child is not None:
                os.kill(self._child, signal.SIGTERM)
            self._await_child(0)

    def _run(self) -> None:
        transactions = 0
        while not self._stopping:
            self._await_child(os.WNOHANG)
            if self._forking:
                self._fork()
            try:
                if transactions % _LOOK == 0:
                    self.crowded = self.is_crowded()
                self.transact()
                transactions += 1
            except self.clashes as error:
                log.debug("clash: %s", error)
                if isinstance(error, self.outages):
                    time.sleep(self.random.uniform(0, PAUSE))

    def _fork(self) -> None:
        self._forking = False
        if self._child is None:
            child = os.fork()
            self._child = child or None
            if not child:
                self.random.seed(f"{self._seed}-{os.getpid()}")

    def _await_child(self, options: int) -> None:
        if self._child is None:
            return
        pid, status = os.waitpid(self._child, options)
        if pid:
            self._child = None
            # That may reach it when it has ended already, but for its last breath.
            is_told = self._stopping and status in (0, signal.SIGTERM)
            if not is_told:
                raise RuntimeError(f"The child has ended by itself: {status}")

    @abstractmethod
    def is_crowded(self) -> bool:
        """Whether there is more than a comparison should take long for."""

    @abstractmethod
    def transact(self) -> None:
        """Make a few changes, and count those that were committed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m chaos.writer", description=__doc__)
    parser.add_argument("ini", type=Path, help="of the application")
    parser.add_argument("number", type=int, help="what its changes are counted under")
    parser.add_argument("seed", help="of all random choices")
    options = parser.parse_args(arguments)
    setup_logging(str(options.ini))
    with application(options.ini) as app:
        writer = app.kind.writer(app, options.number, options.seed)
        signal.signal(signal.SIGTERM, lambda *_: writer.stop())
        signal.signal(FORK, lambda *_: writer.fork())
        writer.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
