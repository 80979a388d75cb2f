"""One run: writers and workers are tormented, then the index is compared."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from chaos import processes
from chaos.application import application, write_ini
from chaos.comparing import Difference, compare_all
from chaos.operator import Operator
from chaos.primaries import NEW, OLD, Database, primary_named
from chaos.servers import OwnServers
from chaos.torments import DEPLOYED, FULL, Often, Tormentor, Victims
from nefertari_engine_base.setting_up import setting_up
from tools import servers as tools_servers

#: Seconds between two looks at how many changes there are.
_LOOK = 1.0

#: The part of the changes that are made after all that makes the index anew: what that
#: sets right, no other run could see go wrong.
_AFTER_REPAIRS = 0.2


@dataclass(frozen=True)
class Plan:
    """What a run does.

    :attr seed: of all random choices.
    :attr changes: how many have to be committed.
    :attr writers: how many processes write.
    :attr workers: how many processes of ``nefertari-es worker`` deliver.
    :attr seconds: after which the run ends, with fewer changes if need be.
    :attr torments: what is done, and how often.
    :attr triggers: half of the changes are made behind the sessions' backs, and told of
        by triggers; where the primary has these.
    :attr primary: what has the data; see :mod:`chaos.primaries`.
    :attr patient: leases of those that were killed are waited for; otherwise time is
        made to pass, once nobody writes any more.
    :attr capture: the setting ``nefertari.capture``.
    :attr pooler: whether all processes reach the database by a PgBouncer.
    """

    seed: str
    changes: int = 10_000
    writers: int = 3
    workers: int = 2
    seconds: float = 1800.0
    torments: Mapping[str, Often] = field(default_factory=lambda: FULL)
    triggers: bool = False
    primary: str = "postgresql"
    patient: bool = True
    capture: str = "session"
    pooler: bool = False

    @property
    def first_version(self) -> str:
        """The version of the application that everything begins with."""
        return OLD if DEPLOYED in self.torments else NEW


@dataclass
class Result:
    """What came of a run.

    :attr changes: how many were committed, by kind.
    :attr torments: what was done how often.
    :attr differences: between index and rows, by model.
    :attr waiting: entries that are left in the outbox after the drain.
    :attr dead: dead letters.
    :attr seconds: from the first process to the end of the comparison.
    """

    plan: Plan
    changes: Mapping[str, int]
    torments: Mapping[str, int]
    differences: Mapping[str, Difference]
    waiting: int
    dead: int
    seconds: float

    @property
    def total(self) -> int:
        """How many changes were committed."""
        return sum(self.changes.values())

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong, and enough was done to say so."""
        return not (
            any(self.differences.values())
            or self.waiting
            or self.dead
            or self.total < self.plan.changes
            or any(not self.torments.get(name) for name in self.plan.torments)
        )


def run(plan: Plan, servers: OwnServers) -> Result:
    """Torment, drain and compare.

    :raises EndedByItself: if a process ends that nobody has killed.
    """
    server = servers.databases[plan.primary]
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
        _pooler(plan, server) as pooler_url,
        primary_named(plan.primary).database(server.url, pooler_url) as database,
    ):
        # A frozen server is to be noticed while it is frozen; nobody freezes it before
        # and after.
        hasty, new, first, last = (
            write_ini(
                Path(folder) / f"{name}.ini",
                plan.primary,
                url,
                {**_settings(plan, servers, timeout), "chaos.version": version},
            )
            for name, url, timeout, version in (
                ("hasty", database.victims_url, 2, plan.first_version),
                ("new", database.victims_url, 2, NEW),
                # Nobody torments who looks after the application.
                ("first", database.url, 60, plan.first_version),
                ("last", database.url, 60, NEW),
            )
        )
        _set_up(first)
        begun = time.monotonic()
        operator = Operator(first)
        torments = _torment(plan, servers, database, operator, hasty, (new, last))
        database.await_victims()
        database.settle(patient=plan.patient)
        operator.ini = last
        if said := operator.command("worker", "--once"):
            raise RuntimeError(f"The last drain failed: {said}")
        return _judge(plan, last, database, torments, begun)


@contextmanager
def _pooler(plan: Plan, server: tools_servers.Server) -> Iterator[str | None]:
    """The URL of a pooler before the database, if there is to be one."""
    if not plan.pooler:
        yield None
        return
    settings = tools_servers.Settings.from_environment()
    urls = {**settings.urls, plan.primary: server.url}
    with tools_servers.start("pgbouncer", replace(settings, urls=urls)) as pooler:
        yield pooler.url


def _judge(
    plan: Plan, ini: Path, database: Database, torments: Mapping[str, int], begun: float
) -> Result:
    with application(ini) as app:
        return Result(
            plan=plan,
            changes=database.count_by_kind(),
            torments=torments,
            differences={
                model.__name__: compare_all(app, model) for model in app.kind.indexed
            },
            waiting=app.waiting(),
            dead=app.dead_letters(),
            seconds=time.monotonic() - begun,
        )


def _settings(plan: Plan, servers: OwnServers, timeout: float) -> Mapping[str, object]:
    """The settings of the application on these servers.

    :param timeout: seconds that the search server may take for an answer.
    """
    return {
        "chaos.triggers": plan.triggers,
        "nefertari.capture": plan.capture,
        "elasticsearch.hosts": servers.elasticsearch.url,
        "elasticsearch.index_prefix": f"chaos-{plan.primary}",
        "elasticsearch.request_timeout": timeout,
        "nefertari.sync": "inline",
        "nefertari.sync.pause_after_failure": 1,
    }


def _set_up(ini: Path) -> None:
    """Create what the engines need, and what is there in any case."""
    with setting_up(), application(ini) as app:
        app.engines.setup_database()
        app.kind.fill(app)


def _torment(
    plan: Plan, servers: OwnServers, database: Database, operator: Operator,
    ini: Path, new: tuple[Path, Path],
) -> Mapping[str, int]:  # fmt: skip
    """Let the processes work, and be tormented, until there are enough changes.

    :param ini: of the version that they begin with.
    :param new: of the new one; see :class:`~chaos.torments.Victims`.
    """
    folder = ini.parent
    writers = [
        processes.writer(ini, number, plan.seed, folder / f"writer-{number}.log")
        for number in range(1, plan.writers + 1)
    ]
    workers = [
        processes.worker(ini, number, folder / f"worker-{number}.log")
        for number in range(1, plan.workers + 1)
    ]
    with processes.killed_in_the_end([*writers, *workers]):
        for process in (*writers, *workers):
            process.start()
        victims = Victims(
            servers.elasticsearch,
            servers.databases[plan.primary],
            database,
            writers,
            workers,
            operator,
            new,
            folder / "backup",
        )
        tormentor = Tormentor(plan.torments, random.Random(plan.seed), victims)
        try:
            _work(plan, database, tormentor)
            tormentor.relent()
            for process in (*writers, *workers):
                process.stop()
        finally:
            tormentor.await_servers()
        operator.await_commands()
    return tormentor.done


def _work(plan: Plan, database: Database, tormentor: Tormentor) -> None:
    end = time.monotonic() + plan.seconds
    repaired = 0
    while time.monotonic() < end:
        tormentor.torment(_LOOK)
        total = sum(database.count_by_kind().values())
        if not tormentor.everything_was_done:
            repaired = total
        elif total >= max(plan.changes, repaired + plan.changes * _AFTER_REPAIRS):
            break
