"""How workers learn of new entries at once: PostgreSQL's NOTIFY and LISTEN.

The notification is a part of the statement that inserts the entries. It costs no round
trip, is sent by the commit, and is dropped by a rollback; equal ones of a transaction
are folded into one. https://www.postgresql.org/docs/current/sql-notify.html

A notification says "look", and nothing else. It is heard in the whole database, by
workers of other schemas too, whom it costs a look. One that is missed costs a wait
until the next poll.
"""

from __future__ import annotations

import logging
import random
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import ColumnClause, literal_column, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from nefertari_engine_base.primary.sqla.asking import ask
from nefertari_engine_base.primary.sqla.own_sessions import is_pooled

log = logging.getLogger(__name__)

CHANNEL = "nefertari_outbox"
#: Seconds without a notification after which the connection is tried.
CHECK_INTERVAL = 60.0
#: The longest time, in seconds, between two tries to connect again.
LONGEST_BACKOFF = 30.0
#: Seconds that ending waits for a thread that may be stuck in connecting.
ENDING = 1.0

#: Sends the notification, as a column of a statement.
NOTIFICATION: ColumnClause[str] = literal_column(f"pg_notify('{CHANNEL}', '')")


def notify(connection: Connection) -> None:
    """Wake workers when the connection's transaction commits."""
    ask(connection, select(NOTIFICATION))


def listen(engine: Engine, wake: Callable[[], object]) -> AbstractContextManager[None]:
    """Call ``wake`` for each notification, until the context ends.

    Where neither the database nor its driver can tell, nothing is called; nor behind a
    pooler that hands each transaction to another session of the server.

    :param wake: is called by another thread.
    """
    received = _RECEIVED.get(engine.dialect.driver)
    if engine.dialect.name != "postgresql" or received is None:
        return nullcontext()
    return Listener(engine, received, wake)


def _received_by_psycopg(connection: Any) -> int:
    # https://www.psycopg.org/psycopg3/docs/advanced/async.html#asynchronous-notifications
    return sum(1 for _ in connection.notifies(timeout=0))


def _received_by_psycopg2(connection: Any) -> int:
    # https://www.psycopg.org/docs/advanced.html#asynchronous-notifications
    connection.poll()
    count = len(connection.notifies)
    connection.notifies.clear()
    return count


#: Reads the notifications that have arrived, without waiting, by the driver's name.
_RECEIVED: dict[str, Callable[[Any], int]] = {
    "psycopg": _received_by_psycopg,
    "psycopg2": _received_by_psycopg2,
}


class Listener(AbstractContextManager[None]):
    """A thread with a connection of its own, which it opens again when it is lost.

    :param received: reads the notifications that have arrived from a connection.
    :param wake: is called for them, and after each LISTEN for those missed before.
    """

    def __init__(
        self,
        engine: Engine,
        received: Callable[[Any], int],
        wake: Callable[[], object],
    ) -> None:
        self._engine = engine
        self._received = received
        self._wake = wake
        self._failures = 0
        # A selector waits for descriptors: this one becomes readable at the end.
        self._ending, self._end = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=CHANNEL, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._end.close()
        self._thread.join(ENDING)

    def _run(self) -> None:
        lost = (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error, OSError)
        with self._ending:
            ended = False
            while not ended:
                try:
                    with self._connection() as connection:
                        ended = connection is None or self._listen(connection)
                except lost as error:
                    ended = self._wait_after(error)

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        pooled = self._engine.raw_connection()
        if is_pooled(pooled):
            # It would be somebody else's session that listens.
            log.info(
                "Workers are not woken behind a pooler, and look every now and then",
                extra={"action": "listen"},
            )
            pooled.close()
            yield None
            return
        connection: Any = pooled.driver_connection
        # The pool would keep a place for it, and hand it to others afterwards.
        pooled.detach()
        try:
            self._engine.dialect.set_isolation_level(connection, "AUTOCOMMIT")
            yield connection
        finally:
            connection.close()

    def _listen(self, connection: Any) -> bool:
        """Call ``wake`` for notifications; ``True`` once the context ends."""
        _execute(connection, f"LISTEN {CHANNEL}")
        self._failures = 0
        self._wake()
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._ending, selectors.EVENT_READ)
            while True:
                ready = selector.select(CHECK_INTERVAL)
                if any(key.fileobj is self._ending for key, _ in ready):
                    return True
                if not ready:
                    # A peer that vanished without a word is found by writing to it.
                    _execute(connection, "SELECT 1")
                if self._received(connection):
                    self._wake()

    def _wait_after(self, error: Exception) -> bool:
        """Wait before the next try; ``True`` if the context ends meanwhile."""
        self._failures += 1
        ceiling = min(LONGEST_BACKOFF, 0.1 * 2 ** min(self._failures, 10))
        log.warning(
            "The connection that wakes this worker is lost and will be opened again; "
            "until then it polls: %s",
            error,
            extra={"action": "listen"},
        )
        with selectors.DefaultSelector() as selector:
            selector.register(self._ending, selectors.EVENT_READ)
            return bool(selector.select(random.uniform(ceiling / 2, ceiling)))


def _execute(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()
