"""A database on PostgreSQL, seen from outside of the application."""

from __future__ import annotations

import time
from collections.abc import Mapping
from random import Random

import sqlalchemy as sa

from chaos.sql.models import changes

#: Seconds that connections of killed processes may stay.
_PATIENCE = 120.0

#: How the connections of victims are named.
VICTIM = "chaos-victim"

_VICTIMS = sa.text(
    "SELECT pid FROM pg_stat_activity WHERE application_name = :name "
    "AND datname = current_database() ORDER BY pid"
).bindparams(name=VICTIM)
_TERMINATE = sa.text("SELECT pg_terminate_backend(:pid)")


class PostgreSQL:
    """See :class:`~chaos.primaries.Database`."""

    def __init__(self, url: str) -> None:
        self.url = url
        named = sa.make_url(url).update_query_dict({"application_name": VICTIM})
        self.victims_url = named.render_as_string(hide_password=False)
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

    def await_victims(self) -> None:
        """Wait until the database has noticed that all of them are gone: until then, it
        keeps the locks of those that were killed."""
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
