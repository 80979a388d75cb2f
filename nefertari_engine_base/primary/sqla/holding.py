"""When the entries of a transaction are written: with its ``COMMIT``, if possible.

A statement of its own costs a transaction a round trip to the server: one more than the
three that a short one waits for. Where the driver can send entries and ``COMMIT``
together (see :mod:`.libpq`), entries are held back after a flush, until SQLAlchemy does
anything else with the connection. Before any other statement they are written: before a
savepoint begins or ends, and before a ``COMMIT`` that somebody executes as a text, too.
Elsewhere, and in two-phase transactions, they are written at once.

What SQLAlchemy does not see is a transaction that somebody ends by the driver's own
connection. It is noticed when SQLAlchemy ends it as well: entries that were held are
written then, for themselves. That may be for nothing, if it was rolled back, and costs
a delivery that finds nothing new.

SQLAlchemy leaves executing, committing and rolling back to the dialect. Before it
executes it sends events, which cost the statements of others less than the events of an
engine do. Before it commits or rolls back it sends none that could do so in its place,
so functions stand in for these methods of the dialect.
https://docs.sqlalchemy.org/en/20/core/events.html#sqlalchemy.events.DialectEvents
https://docs.sqlalchemy.org/en/20/core/internals.html#sqlalchemy.engine.Dialect.do_commit
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.engine import Connection, Dialect, TwoPhaseTransaction
from sqlalchemy.engine.default import DefaultDialect

from nefertari_engine_base.primary.sqla.entries import insert_each, insert_entries
from nefertari_engine_base.primary.sqla.tables import explained
from nefertari_engine_base.primary.sqla.texts import sent_insert
from nefertari_engine_base.sync.transaction import Wanted

#: What can commit with entries, by the dialects whose transactions may hold some.
_FOLLOWED: WeakKeyDictionary[Dialect, ModuleType] = WeakKeyDictionary()
#: What is held, by the driver's connections that are in the transaction.
_HELD: WeakKeyDictionary[Any, Wanted] = WeakKeyDictionary()


def follow(dialect: Dialect) -> None:
    """Let the transactions of a dialect's engines hold entries, if its driver can."""
    if dialect.driver != "psycopg" or dialect.is_async or dialect in _FOLLOWED:
        return
    if getattr(dialect.do_commit, "__func__", None) is not DefaultDialect.do_commit:
        # Somebody else has something to do when it commits.
        return
    from nefertari_engine_base.primary.sqla import libpq

    for name in ("do_execute", "do_executemany", "do_execute_no_params"):
        event.listen(dialect, name, _write_before)
    for name, end in _ENDS.items():
        setattr(dialect, name, partial(end, dialect, getattr(dialect, name)))
    _FOLLOWED[dialect] = libpq


def write(connection: Connection, wanted: Wanted) -> None:
    """Write entries in the connection's transaction, at the latest when it commits.

    :raises PrimaryError: if the database lacks the outbox.
    """
    if isinstance(connection.get_transaction(), TwoPhaseTransaction):
        # PostgreSQL prepares no transaction that notifies others.
        with explained():
            wanted.written(insert_entries(connection, wanted.touches, announced=False))
        return
    if (libpq := _FOLLOWED.get(connection.dialect)) is not None:
        driver = _driver(connection.connection)
        _write_held(driver, connection)
        if libpq.can_hold(driver, wanted.touches):
            _HELD[driver] = wanted
            return
    _write_now(connection, wanted)


def _write_held(driver: Any, connection: Connection) -> None:
    # Inserting many is a statement of the connection, and comes by here again.
    if (wanted := _HELD.pop(driver, None)) is not None:
        _write_now(connection, wanted)


def _write_now(connection: Connection, wanted: Wanted) -> None:
    with explained():
        wanted.written(wanted.outbox.insert(connection, wanted.touches))


def _write_before(cursor: Any, *arguments: Any) -> None:
    """Listens to what is executed; the last argument is the statement's context."""
    if _HELD:
        connection: Connection = arguments[-1].root_connection
        _write_held(_driver(connection.connection), connection)


# --- ends of transactions ------------------------------------------------------------


def _commit(dialect: Dialect, commit: Callable[[Any], None], connection: Any) -> None:
    driver = _driver(connection)
    wanted = _HELD.pop(driver, None)
    if wanted is None:
        commit(connection)
        return
    libpq, touches = _FOLLOWED[dialect], wanted.touches
    announced = wanted.outbox.is_announced
    insert = sent_insert(dialect, announced)
    try:
        with explained(dialect.loaded_dbapi.ProgrammingError):
            entries = libpq.commit_with(driver, insert, touches)
            if entries is None:
                options = libpq.cursor_options(driver)
                entries = insert_each(
                    connection, dialect, touches, announced, **options
                )
                commit(connection)
    except BaseException:
        # SQLAlchemy takes a transaction whose commit has failed for ended, and would
        # hand the connection to others as it is.
        if not (driver.closed or libpq.is_ended(driver)):
            driver.rollback()
        raise
    wanted.written(entries)


def _rollback(
    dialect: Dialect, rollback: Callable[[Any], None], connection: Any
) -> None:
    driver = _driver(connection)
    wanted = _HELD.pop(driver, None)
    try:
        if wanted is not None and _FOLLOWED[dialect].is_ended(driver):
            wanted.outbox.add(wanted.touches)
    finally:
        rollback(connection)


def _rollback_to_savepoint(
    dialect: Dialect,
    rollback: Callable[[Connection, str], None],
    connection: Connection,
    name: str,
) -> None:
    # What is held was flushed since the savepoint began.
    _HELD.pop(_driver(connection.connection), None)
    rollback(connection, name)


#: What stands in for methods of a dialect, and is given it and these.
_ENDS: dict[str, Callable[..., None]] = {
    "do_commit": _commit,
    "do_rollback": _rollback,
    "do_rollback_to_savepoint": _rollback_to_savepoint,
}


def _driver(connection: Any) -> Any:
    """The driver's connection; a pool has wrapped it, or it is given as it is."""
    return getattr(connection, "driver_connection", connection)
