"""What the sessions of deliveries tell PostgreSQL, and nobody else's session.

A worker that is stopped, or cut off, in the middle of a claim holds the locks of its
entries for as long as its session lives. So each session says how long the server is to
wait for it; then the server ends it, and the entries are everybody's again. The worker
that wakes up finds its connection gone, and begins anew.
https://www.postgresql.org/docs/current/runtime-config-client.html

Behind a pooler that hands each transaction to another session of the server, what is
set for the session would be found by whoever gets it next. There everything is set for
one transaction, nothing is prepared, and nobody listens.
https://www.pgbouncer.org/features.html
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from nefertari_engine_base.primary.sqla.asking import fetch

# Statements are planned once: planning the one that writes documents takes longer than
# executing it. A plan that was made while the outbox was empty is then kept for a
# million entries, so it must not be a scan; but it may be one where a relation has no
# index, which is why scans are not forbidden but only dear. None of them is long enough
# to be worth compiling.
# https://www.postgresql.org/docs/current/runtime-config-query.html
_PLANNING = {
    "plan_cache_mode": "force_generic_plan",
    "random_page_cost": "0.5",
    "jit": "off",
}

_SET = (
    "SELECT set_config(name, value, %(is_local)s) "
    "FROM unnest(%(names)s::text[], %(values)s::text[]) AS one (name, value)"
)
#: The session of the server that answers: its process may have the number of another
#: that is gone.
_WHO = (
    "SELECT pg_backend_pid(), (SELECT extract(epoch from backend_start) "
    "FROM pg_stat_get_activity(pg_backend_pid()))"
)

#: What the information of a pool's connection says that a pooler stands behind.
_POOLED = "nefertari_pooled"

#: How often a peer that does not answer is asked whether it is there.
_PROBES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long PostgreSQL waits for deliveries, in seconds; 0 is for ever.

    :attr claim: for the next statement of a claim's transaction, while a delivery is
        busy with the search server.
    :attr statement: for a statement of a delivery to be done.
    :attr connection: for a peer that does not answer at all, in both directions.
    """

    claim: float = 60.0
    statement: float = 300.0
    connection: float = 60.0

    def settings(self) -> dict[str, str]:
        """The same in the server's words."""
        found = {
            "idle_in_transaction_session_timeout": _milliseconds(self.claim),
            "statement_timeout": _milliseconds(self.statement),
        }
        if self.connection:
            idle, interval = self._probing()
            found |= {
                "tcp_keepalives_idle": str(idle),
                "tcp_keepalives_interval": str(interval),
                "tcp_keepalives_count": str(_PROBES),
                "tcp_user_timeout": _milliseconds(self.connection),
            }
        return found

    def _probing(self) -> tuple[int, int]:
        """Seconds of silence until the first probe, and between two."""
        interval = max(1, round(self.connection / (2 * _PROBES)))
        return max(1, round(self.connection) - _PROBES * interval), interval

    def keep_alive(self, driver_connection: Any) -> None:
        """Have this side notice, too, that its peer is gone.

        :param driver_connection: of any driver; one that does not tell its socket is
            left as it is.
        """
        fileno = getattr(driver_connection, "fileno", None)
        if not self.connection or fileno is None:
            return
        # The descriptor is the driver's, and stays so: what is closed is a copy.
        with suppress(OSError), socket.socket(fileno=os.dup(fileno())) as own:
            if own.family == socket.AF_UNIX:
                return
            idle, interval = self._probing()
            own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in (
                ("TCP_KEEPIDLE", idle),
                ("TCP_KEEPINTVL", interval),
                ("TCP_KEEPCNT", _PROBES),
                ("TCP_USER_TIMEOUT", int(self.connection * 1000)),
            ):
                if (option := getattr(socket, name, None)) is not None:
                    own.setsockopt(socket.IPPROTO_TCP, option, value)


#: Seconds that a lock of :meth:`IOutbox.exclusively` is kept for a worker that has
#: stopped. Two that do the same work at the same time do it twice, and no harm.
EXCLUSIVE = 3600.0


def prepare_sessions(engine: Engine, timeouts: Timeouts) -> None:
    """Have every connection of an engine for deliveries told what it needs."""

    def prepare(connection: Any, record: Any) -> None:
        timeouts.keep_alive(connection)
        note_pooler(connection, record)
        cursor = connection.cursor()
        try:
            if not record.info[_POOLED]:
                # For statements without a transaction the driver says no level.
                level = {"default_transaction_isolation": "read committed"}
                settings = {**_PLANNING, **timeouts.settings(), **level}
                cursor.execute(_SET, _told(settings, is_local=False))
        finally:
            cursor.close()
        connection.commit()

    event.listen(engine, "connect", prepare)


def note_pooler(connection: Any, record: Any) -> None:
    """Note whether a pooler stands behind a connection; then nothing is prepared on it.

    A listener of the event ``connect``, for an engine on PostgreSQL.
    """
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT pg_backend_pid()")
        answering = cursor.fetchone()[0]
    finally:
        cursor.close()
    connection.rollback()
    record.info[_POOLED] = _told_process(connection) not in (None, answering)
    if record.info[_POOLED]:
        _prepare_nothing(connection)


def is_pooled(connection: Any) -> bool:
    """Whether a pooler stands between: the process of the server that answered was not
    the one that the driver had been told.

    :param connection: of an engine that :func:`prepare_sessions` knows.
    """
    return bool(connection.info.get(_POOLED))


def set_for_transaction(connection: Connection, timeouts: Timeouts) -> None:
    """Tell the running transaction all of it, and nobody after it."""
    settings = {**_PLANNING, **timeouts.settings()}
    fetch(connection, _SET, _told(settings, is_local=True))


def wait_longer(connection: Connection) -> None:
    """Let the running transaction be silent for :data:`EXCLUSIVE`."""
    longer = {"idle_in_transaction_session_timeout": _milliseconds(EXCLUSIVE)}
    fetch(connection, _SET, _told(longer, is_local=True))


def server_session(connection: Connection) -> tuple[int, float]:
    """Which session of the server answers now: its process, and since when it is."""
    ((number, since),) = fetch(connection, _WHO)
    return number, float(since)


def _told(settings: Mapping[str, str], *, is_local: bool) -> dict[str, Any]:
    return {
        "names": list(settings),
        "values": list(settings.values()),
        "is_local": is_local,
    }


def _told_process(driver_connection: Any) -> int | None:
    """The number of the server's process, as the driver was told it."""
    told = getattr(getattr(driver_connection, "info", None), "backend_pid", None)
    return told if isinstance(told, int) else None


def _prepare_nothing(driver_connection: Any) -> None:
    if hasattr(driver_connection, "prepare_threshold"):
        driver_connection.prepare_threshold = None


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
