"""The trials of the faults: what all primaries have in common."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from chaos.application import Application
from chaos.door import Door
from chaos.primaries import Database
from chaos.victim import Victim

#: A writing process is killed after at most so many commits, and so many seconds: a few
#: of its transactions, with their deliveries.
MOST_COMMITS, LONGEST_WAIT = 8, 0.06

#: What one bulk statement changes.
BULK = 20

#: Keys of one trial: from 100 times its number on.
KEYS = 100


def keys_of(number: int) -> range:
    """The keys that the books of a trial may have."""
    return range(number * KEYS, (number + 1) * KEYS)


@dataclass
class Stage:
    """What all trials use.

    :attr door: to the search server.
    """

    app: Application
    database: Database
    door: Door
    victim: Victim
    random: random.Random


@dataclass
class Trial:
    """One trial, with an author and books of its own.

    :attr number: of the trial; the key of its author.
    """

    stage: Stage
    number: int

    @property
    def keys(self) -> range:
        """The keys that its books may have."""
        return keys_of(self.number)

    def kill_at_some_moment(self, how: str) -> None:
        """Have a process write, and kill it.

        :param how: it writes, as the primary names it.
        """
        stage = self.stage
        commits = stage.random.randint(0, MOST_COMMITS)
        pid = stage.victim.start(self.number, how, commits)
        time.sleep(stage.random.uniform(0, LONGEST_WAIT))
        stage.victim.kill(pid)
        stage.database.await_victims()


Fault = Callable[[Trial], None]
