"""``python -m chaos.writer INI NUMBER SEED``: a process that changes data.

It goes on until SIGTERM, or until it is killed.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from pyramid.paster import setup_logging

from chaos.application import application

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
        self._stopping = False

    def stop(self) -> None:
        """Make the transaction that is under way the last one."""
        self._stopping = True

    def run(self) -> None:
        """Make transactions until :meth:`stop`."""
        transactions = 0
        while not self._stopping:
            try:
                if transactions % _LOOK == 0:
                    self.crowded = self.is_crowded()
                self.transact()
                transactions += 1
            except self.clashes as error:
                log.debug("clash: %s", error)
                if isinstance(error, self.outages):
                    time.sleep(self.random.uniform(0, PAUSE))

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
        writer.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
