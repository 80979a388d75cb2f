"""Kills, freezes, forks, cuts connections, and worse, at random moments."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from chaos.operator import Operator
from chaos.primaries import Database
from chaos.processes import Process
from chaos.upheavals import Deployment, SetBack
from tools.servers import Server


@dataclass(frozen=True)
class Often:
    """How often something is done.

    :attr every: mean time between two times, in seconds.
    :attr most: how many times at most; ``None`` for no limit.
    """

    every: float
    most: int | None = None


WRITER_KILLED = "writer killed"
WRITER_FROZEN = "writer frozen"
WORKER_KILLED = "worker killed"
WRITER_FORKED = "writer forked"
WORKER_FROZEN = "worker frozen"
WORKER_FROZEN_IN_CLAIM = "worker frozen in a claim"
CONNECTIONS_ENDED = "connections ended"
ELASTICSEARCH_KILLED = "Elasticsearch killed"
ELASTICSEARCH_FROZEN = "Elasticsearch frozen"
DATABASE_KILLED = "database killed"
DATABASE_FROZEN = "database frozen"
DATABASE_RESTARTED = "database restarted"
DATABASE_SET_BACK = "database set back"
POOLED_DROPPED = "pooled connections dropped"
DEPLOYED = "new version deployed"

#: What is done in a full run, whatever the primary is.
FULL: Mapping[str, Often] = {
    WRITER_KILLED: Often(5),
    WRITER_FROZEN: Often(15),
    WRITER_FORKED: Often(4),
    WORKER_KILLED: Often(8),
    WORKER_FROZEN: Often(15),
    WORKER_FROZEN_IN_CLAIM: Often(30),
    CONNECTIONS_ENDED: Often(5),
    ELASTICSEARCH_KILLED: Often(60),
    ELASTICSEARCH_FROZEN: Often(30),
    DATABASE_SET_BACK: Often(20),
    DEPLOYED: Often(15, most=1),
}

#: What is done in a run of less than a minute: restores and deployments take longer.
SHORT: Mapping[str, Often] = {
    WRITER_KILLED: Often(5),
    WRITER_FORKED: Often(3),
    WORKER_KILLED: Often(6),
    WORKER_FROZEN: Often(6),
    CONNECTIONS_ENDED: Often(3),
    ELASTICSEARCH_KILLED: Often(5, most=1),
    ELASTICSEARCH_FROZEN: Often(2, most=1),
}


def fitting(torments: Mapping[str, Often], capture: str) -> Mapping[str, Often]:
    """Those that go with a capture: a process of the old version that is started again
    after the setup of the new one finds triggers that are not its own, and ends."""
    if capture != "triggers":
        return torments
    return {name: often for name, often in torments.items() if name != DEPLOYED}


#: Shortest and longest time, in seconds, that something is frozen.
FREEZE = (0.5, 5.0)
#: How much longer than its claim lasts a worker is frozen, in seconds.
OVERDUE = (0.5, 4.0)
#: How often a worker is stopped to see whether it has a claim, and how long the claim
#: has to be there to be its own, in seconds: those of others end.
_LOOKS, _OWN_CLAIM = 40, 0.2
#: Shortest and longest time, in seconds, that a killed search server stays away.
AWAY = (0.0, 4.0)


@dataclass(frozen=True)
class Victims:
    """What is tormented.

    :attr server: of the database.
    :attr database: that the processes use.
    :attr operator: looks after the application.
    :attr new: the ini files of its new version: of the processes, and of the operator.
    :attr backup: where a backup of the database is put.
    """

    elasticsearch: Server
    server: Server
    database: Database
    writers: Sequence[Process]
    workers: Sequence[Process]
    operator: Operator
    new: tuple[Path, Path]
    backup: Path


class Tormentor:
    """Does everything of a plan, in random order, at random times.

    :attr done: how often what was done.
    """

    def __init__(
        self, plan: Mapping[str, Often], random_: random.Random, victims: Victims
    ) -> None:
        self.done: Counter[str] = Counter(dict.fromkeys(plan, 0))
        self._plan = plan
        self._random = random_
        self._elasticsearch, self._server = victims.elasticsearch, victims.server
        self._database, self._operator = victims.database, victims.operator
        writers, workers = victims.writers, victims.workers
        self._processes = [*writers, *workers]
        self._deployment = Deployment(
            victims.operator, workers, writers, victims.new, self._after, random_
        )
        set_back = SetBack(
            victims.database,
            victims.operator,
            writers,
            victims.backup,
            lambda: self._deployment.is_under_way,
        )
        database = victims.database
        self._acts: dict[str, Callable[[], bool]] = {
            WRITER_KILLED: lambda: self._kill(writers),
            WRITER_FROZEN: lambda: self._freeze(writers),
            WRITER_FORKED: lambda: random_.choice(writers).fork(),
            WORKER_KILLED: lambda: self._kill(workers),
            WORKER_FROZEN: lambda: self._freeze(workers),
            WORKER_FROZEN_IN_CLAIM: lambda: self._freeze_in_claim(workers),
            CONNECTIONS_ENDED: lambda: database.end_connections(random_),
            ELASTICSEARCH_KILLED: self._kill_elasticsearch,
            ELASTICSEARCH_FROZEN: self._freeze_elasticsearch,
            DATABASE_KILLED: self._kill_database,
            DATABASE_FROZEN: self._freeze_database,
            DATABASE_RESTARTED: self._restart_database,
            DATABASE_SET_BACK: set_back.do,
            POOLED_DROPPED: lambda: database.drop_pooled(random_),
            DEPLOYED: self._deployment.do,
        }
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._elasticsearch_is_frozen = False
        self._thawing: Timer | None = None
        self._starter = ThreadPoolExecutor(1)
        self._starting: Future[None] | None = None
        for name in plan:
            self._plan_next(name)

    @property
    def everything_was_done(self) -> bool:
        """Whether all of the plan has happened at least once, and nothing of it is
        under way."""
        is_under_way = self._deployment.is_under_way or self._operator.is_busy
        return not is_under_way and all(self.done[name] for name in self._plan)

    def torment(self, seconds: float) -> None:
        """Do what is due during the next seconds."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            for process in self._processes:
                process.check()
            if self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2]()
            else:
                due = self._due[0][0] if self._due else end
                time.sleep(max(0.0, min(due, end) - now))

    def relent(self) -> None:
        """Let all that is frozen go on, and do nothing more."""
        self._due.clear()
        for process in self._processes:
            if process.frozen:
                process.thaw()
        self._thaw_elasticsearch()
        self._await_database()
        self._deployment.end()

    def await_servers(self) -> None:
        """Wait until the server that was killed last is there again."""
        self._starter.shutdown()
        if self._starting is not None:
            self._starting.result()

    # --- when ------------------------------------------------------------------------

    def _plan_next(self, name: str) -> None:
        often = self._plan[name]
        if often.most is None or self.done[name] < often.most:
            seconds = self._random.uniform(0.3, 1.7) * often.every
            self._after(seconds, lambda: self._act(name))

    def _act(self, name: str) -> None:
        if self._acts[name]():
            self.done[name] += 1
        self._plan_next(name)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        due = time.monotonic() + seconds
        heapq.heappush(self._due, (due, next(self._numbers), action))

    # --- what: each returns whether it could be done ----------------------------------

    def _kill(self, processes: Sequence[Process]) -> bool:
        process = self._random.choice(processes)
        process.kill()
        process.start()
        return True

    def _freeze(self, processes: Sequence[Process]) -> bool:
        process = self._random.choice(processes)
        if process.frozen:
            return False
        process.freeze()
        self._thaw_after(process, self._random.uniform(*FREEZE))
        return True

    def _freeze_in_claim(self, workers: Sequence[Process]) -> bool:
        process = self._random.choice(workers)
        if process.frozen:
            return False
        for _ in range(_LOOKS):
            process.freeze()
            if claims := self._database.claims():
                time.sleep(_OWN_CLAIM)
                if claims & self._database.claims():
                    overdue = self._random.uniform(*OVERDUE)
                    self._thaw_after(process, self._database.claim_lasts + overdue)
                    return True
            process.thaw()
            time.sleep(self._random.uniform(0, 0.05))
        return False

    def _thaw_after(self, process: Process, seconds: float) -> None:
        life = process.life

        def thaw() -> None:
            if process.life == life and process.frozen:
                process.thaw()

        self._after(seconds, thaw)

    @property
    def _elasticsearch_is_away(self) -> bool:
        is_starting = self._starting is not None and not self._starting.done()
        return is_starting or self._elasticsearch_is_frozen

    def _kill_elasticsearch(self) -> bool:
        # No operator makes an index anew while its server is on its knees.
        if self._elasticsearch_is_away or self._operator.is_busy:
            return False
        self._elasticsearch.kill()
        away = self._random.uniform(*AWAY)
        # It takes long to start; the others are not spared for that time.
        self._starting = self._starter.submit(self._restart_elasticsearch, away)
        return True

    def _restart_elasticsearch(self, away: float) -> None:
        time.sleep(away)
        self._elasticsearch.restart()

    def _freeze_elasticsearch(self) -> bool:
        if self._elasticsearch_is_away:
            return False
        self._elasticsearch.pause()
        self._elasticsearch_is_frozen = True
        self._after(self._random.uniform(*FREEZE), self._thaw_elasticsearch)
        return True

    def _thaw_elasticsearch(self) -> None:
        if self._elasticsearch_is_frozen:
            self._elasticsearch.resume()
            self._elasticsearch_is_frozen = False

    def _kill_database(self) -> bool:
        self._server.kill()
        self._server.restart()
        return True

    def _restart_database(self) -> bool:
        self._await_database()
        self._server.restart()
        return True

    def _freeze_database(self) -> bool:
        if self._thawing is not None and self._thawing.is_alive():
            return False
        self._server.pause()
        # Not by this thread, which asks the database how many changes there are.
        self._thawing = Timer(self._random.uniform(*FREEZE), self._server.resume)
        self._thawing.start()
        return True

    def _await_database(self) -> None:
        if self._thawing is not None:
            self._thawing.join()
