"""One run: writers and workers are tormented, then the index is compared."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from chaos import processes
from chaos.application import Application, application, write_ini
from chaos.comparing import Difference, compare_all
from chaos.models import INDEXED, Country, Tag, changes
from chaos.servers import OwnServers
from chaos.torments import FULL, Often, Tormentor

#: Seconds between two looks at how many changes there are.
_LOOK = 1.0

#: Seconds that connections of killed processes may stay, and that a drain may take.
_PATIENCE = 120.0

_OTHERS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


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
        by triggers.
    """

    seed: str
    changes: int = 10_000
    writers: int = 3
    workers: int = 2
    seconds: float = 1800.0
    torments: Mapping[str, Often] = field(default_factory=lambda: FULL)
    triggers: bool = False


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
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        # A frozen server is to be noticed while it is frozen; nobody freezes it before
        # and after.
        hasty, patient = (
            write_ini(
                Path(folder) / f"{name}.ini",
                {**settings_of(servers, timeout), "chaos.triggers": plan.triggers},
            )
            for name, timeout in (("hasty", 2), ("patient", 60))
        )
        _set_up(patient)
        begun = time.monotonic()
        torments = _torment(plan, servers, hasty)
        drain(patient, servers.postgresql.url)
        return _judge(plan, patient, torments, begun)


def _judge(plan: Plan, ini: Path, torments: Mapping[str, int], begun: float) -> Result:
    with application(ini) as app:
        return Result(
            plan=plan,
            changes=_count_by_kind(app),
            torments=torments,
            differences={model.__name__: compare_all(app, model) for model in INDEXED},
            waiting=app.waiting(),
            dead=app.dead_letters(),
            seconds=time.monotonic() - begun,
        )


def settings_of(servers: OwnServers, timeout: float) -> Mapping[str, object]:
    """The settings of the application on these servers.

    :param timeout: seconds that the search server may take for an answer.
    """
    return {
        "sqlalchemy.url": servers.postgresql.url,
        "elasticsearch.hosts": servers.elasticsearch.url,
        "elasticsearch.index_prefix": "chaos",
        "elasticsearch.request_timeout": timeout,
        "nefertari.sync": "inline",
        "nefertari.sync.pause_after_failure": 1,
    }


def _set_up(ini: Path) -> None:
    """Create tables and indices, and the rows of models whose number never changes."""
    with application(ini) as app:
        app.engines.setup_database()
        with app.session() as session:
            session.add_all(Country(name=f"Country {number}") for number in range(8))
            session.add_all(Tag(name=f"Tag {number}") for number in range(12))
            session.commit()
        if app.has_triggers:
            app.install_triggers()


def _torment(plan: Plan, servers: OwnServers, ini: Path) -> Mapping[str, int]:
    """Let the processes work, and be tormented, until there are enough changes."""
    folder = ini.parent
    writers = [
        processes.writer(ini, number, plan.seed, folder / f"writer-{number}.log")
        for number in range(1, plan.writers + 1)
    ]
    workers = [
        processes.worker(ini, number, folder / f"worker-{number}.log")
        for number in range(1, plan.workers + 1)
    ]
    database = sa.create_engine(servers.postgresql.url, poolclass=sa.NullPool)
    with processes.killed_in_the_end([*writers, *workers]):
        for process in (*writers, *workers):
            process.start()
        tormentor = Tormentor(
            plan.torments, random.Random(plan.seed), servers, database, writers, workers
        )
        try:
            _work(plan, database, tormentor)
            tormentor.relent()
            for process in (*writers, *workers):
                process.stop()
        finally:
            tormentor.await_servers()
    return tormentor.done


def _work(plan: Plan, database: sa.Engine, tormentor: Tormentor) -> None:
    end = time.monotonic() + plan.seconds
    while time.monotonic() < end:
        tormentor.torment(_LOOK)
        if _count(database) >= plan.changes and tormentor.everything_was_done:
            break


def _count(database: sa.Engine) -> int:
    with database.connect() as connection:
        statement = sa.select(sa.func.count()).select_from(changes)
        return connection.execute(statement).scalar_one()


def _count_by_kind(app: Application) -> Mapping[str, int]:
    kind, number = changes.c.kind, sa.func.count().label("number")
    statement = sa.select(kind, number).group_by(kind).order_by(kind)
    with app.database.connect() as connection:
        return {row.kind: row.number for row in connection.execute(statement)}


def drain(ini: Path, database_url: str) -> None:
    """Have ``nefertari-es worker --once`` deliver what is left.

    :raises RuntimeError: if it fails.
    """
    _await_the_end_of_others(database_url)
    result = subprocess.run(
        (sys.executable, *processes.worker_command(ini, "--once")),
        cwd=processes.ROOT,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"The last drain failed: {result.stderr}")


def _await_the_end_of_others(database_url: str) -> None:
    """Wait until the database has noticed that all clients are gone: until then, it
    keeps the locks of those that were killed."""
    database = sa.create_engine(database_url, poolclass=sa.NullPool)
    end = time.monotonic() + _PATIENCE
    with database.connect() as connection:
        while connection.execute(_OTHERS).scalar_one():
            if time.monotonic() > end:
                raise RuntimeError("Connections of killed processes are still there.")
            connection.rollback()
            time.sleep(0.1)
