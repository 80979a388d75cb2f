"""A database on PostgreSQL, seen from outside of the application."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from random import Random

import psycopg
import sqlalchemy as sa

from chaos.sql.models import changes
from tools.backups import dump, restore
from tools.servers import ServersError

#: Seconds that connections of killed processes may stay.
_PATIENCE = 120.0

#: Seconds that PostgreSQL waits for a delivery that has claimed entries.
CLAIM_TIMEOUT = 6.0

#: How often a restore is tried.
_RESTORES = 5

#: How the connections of victims are named.
VICTIM = "chaos-victim"

_VICTIMS = sa.text(
    "SELECT pid FROM pg_stat_activity WHERE application_name = :name "
    "AND datname = current_database() ORDER BY pid"
).bindparams(name=VICTIM)
#: Sessions that have claimed entries, and when they began to.
_CLAIMS = sa.text(
    "SELECT activity.pid, xact_start FROM pg_stat_activity AS activity "
    "JOIN pg_locks AS held ON held.pid = activity.pid "
    "WHERE held.relation = to_regclass('nefertari_outbox') "
    "AND held.mode = 'RowShareLock' AND state = 'idle in transaction' "
    "AND application_name = :name AND datname = current_database()"
).bindparams(name=VICTIM)
_TERMINATE = sa.text("SELECT pg_terminate_backend(:pid)")


class PostgreSQL:
    """See :class:`~chaos.primaries.Database`.

    :param pooler_url: of a PgBouncer that victims come by.
    """

    claim_lasts = CLAIM_TIMEOUT

    def __init__(self, url: str, pooler_url: str | None = None) -> None:
        self.url = url
        chosen = sa.make_url(pooler_url or url)
        named = chosen.update_query_dict({"application_name": VICTIM})
        self.victims_url = named.render_as_string(hide_password=False)
        self._pooler = sa.make_url(pooler_url) if pooler_url else None
        # The server may be killed between two questions.
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)

    def count_by_kind(self) -> Mapping[str, int]:
        """See :meth:`Database.count_by_kind`."""
        kind, number = changes.c.kind, sa.func.count().label("number")
        statement = sa.select(kind, number).group_by(kind).order_by(kind)
        with self._engine.connect() as connection:
            return {row.kind: row.number for row in connection.execute(statement)}

    def end_connections(self, random_: Random) -> bool:
        """See :meth:`Database.end_connections`."""
        with self._engine.connect() as connection:
            pids = connection.scalars(_VICTIMS).all()
            count = random_.randint(1, 3)
            for pid in random_.sample(pids, min(count, len(pids))):
                connection.execute(_TERMINATE, {"pid": pid})
        return bool(pids)

    def drop_pooled(self, random_: Random) -> bool:
        """See :meth:`Database.drop_pooled`: those that are free, or all at once.

        https://www.pgbouncer.org/usage.html#admin-console
        """
        if self._pooler is None:
            return False
        if random_.random() < 0.5:
            self._tell_pooler("RECONNECT")
        else:
            self._kill_pooled()
        return True

    def _kill_pooled(self) -> None:
        database = sa.make_url(self.url).database
        self._tell_pooler(f"KILL {database}", f"RESUME {database}")

    def _tell_pooler(self, *commands: str) -> None:
        assert self._pooler is not None
        with psycopg.connect(
            host=self._pooler.host,
            port=self._pooler.port,
            user=self._pooler.username,
            dbname="pgbouncer",
            autocommit=True,
        ) as console:
            for command in commands:
                # It understands no other protocol than that of simple queries.
                console.pgconn.exec_(command.encode())

    def claims(self) -> frozenset[object]:
        """See :meth:`Database.claims`."""
        with self._engine.connect() as connection:
            return frozenset(map(tuple, connection.execute(_CLAIMS)))

    def back_up(self, path: Path) -> None:
        """See :meth:`Database.back_up`: by ``pg_dump``."""
        dump(self.url, path)

    def restore(self, path: Path) -> None:
        """See :meth:`Database.restore`: by ``pg_restore --clean``."""
        for attempt in range(1, _RESTORES + 1):
            try:
                # Whole or not at all: a delivery may get in its way.
                restore(
                    self.url, path, "--clean", "--if-exists", "--single-transaction"
                )
            except ServersError:
                if attempt == _RESTORES:
                    raise
            else:
                return

    def await_victims(self) -> None:
        """Wait until the database has noticed that all of them are gone: until then, it
        keeps the locks of those that were killed."""
        if self._pooler is not None:
            self._kill_pooled()
        end = time.monotonic() + _PATIENCE
        with self._engine.connect() as connection:
            while connection.execute(_VICTIMS).first():
                if time.monotonic() > end:
                    raise RuntimeError("Connections of victims are still there.")
                connection.rollback()
                time.sleep(0.001)

    def settle(self, *, patient: bool) -> None:
        """See :meth:`Database.settle`: there are no leases."""

    def close(self) -> None:
        """See :meth:`Database.close`."""
        self._engine.dispose()
