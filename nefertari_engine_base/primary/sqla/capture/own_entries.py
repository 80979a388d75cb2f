"""Entries that triggers have written, for a process that delivers its own inline.

Nothing is known of them when a transaction is going to be committed, so the database is
asked, in a way that changes nothing of the commit:

PostgreSQL
    writes the number of the transaction into each entry. psycopg sends the question
    together with the ``COMMIT``; it stands behind a savepoint, so that a database that
    refuses to answer commits all the same. A serializable transaction is asked for its
    number alone, since to read a table is to be in conflict with who writes it; and so
    is one of another driver, since to be asked for that cannot fail. The entries are
    then read by a connection of deliveries.
SQLite
    numbers entries in the order of commits. While a transaction has the right to write,
    the entries above the highest number that others see are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy.engine import Connection, Dialect

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.primary.sqla.capture.following import Following
from nefertari_engine_base.primary.sqla.capture.planning import changes_rows
from nefertari_engine_base.primary.sqla.capture.transactions import (
    RIDING,
    Transaction,
    driver_of,
    is_running,
    transaction_of,
)
from nefertari_engine_base.primary.sqla.leasing import LeasingOutbox
from nefertari_engine_base.primary.sqla.locking import LockingOutbox
from nefertari_engine_base.primary.sqla.own_engines import OWN
from nefertari_engine_base.primary.sqla.texts import TRANSACTION
from nefertari_engine_base.values import OutboxEntry

_Commit = Callable[[Any], None]
_Find = Callable[[], Sequence[OutboxEntry]]


def notice(context: Any, followings: Sequence[Following]) -> bool:
    """Remember that a transaction has executed something else than a SELECT.

    :param followings: the applications whose entries the database writes.
    :return: whether something that subscribers want may have to be written before.
    """
    if context is None or context.isddl or OWN in context.execution_options:
        return False
    compiled = context.compiled
    if (
        compiled is not None
        and getattr(compiled.statement, "is_select", False)
        and not changes_rows(compiled)
    ):
        return False
    connection = context.root_connection
    try:
        known = transaction_of(connection)
    except (AttributeError, NotImplementedError):
        # No pool has handed it out: the dialect makes itself ready.
        return False
    known.connection, known.by_triggers = connection, followings
    return bool(known.held or known.doomed)


def most_wanted(transaction: Transaction) -> int:
    """How many of the transaction's entries this process wants to know."""
    return max((_most(one) for one in transaction.by_triggers), default=0)


def _most(following: Following) -> int:
    return following.publisher.entries_to_know()


def commit(
    dialect: Dialect, do_commit: _Commit, connection: Any, transaction: Transaction,
    most: int,
) -> None:  # fmt: skip
    """Commit, and learn of the entries that triggers have written, or how to find them.

    :param most: how many entries to learn of.
    """
    outbox: Any = transaction.outbox_of(transaction.by_triggers[0])
    if is_running(connection, dialect) is False:
        do_commit(connection)
    elif isinstance(outbox, LeasingOutbox):
        found = _found(dialect, connection, outbox, most)
        do_commit(connection)
        if callable(found):
            _search(transaction, found)
        else:
            _note(transaction, found)
    elif dialect in RIDING:
        _commit_telling(do_commit, connection, transaction, outbox, most)
    else:
        told = _told(dialect, connection)
        do_commit(connection)
        _search_written(transaction, outbox, told, most)


def tell(dialect: Dialect, connection: Connection, transaction: Transaction) -> None:
    """Learn how to find the entries of a transaction that is going to be prepared."""
    if most := most_wanted(transaction):
        outbox: Any = transaction.outbox_of(transaction.by_triggers[0])
        if isinstance(outbox, LockingOutbox):
            told = _told(dialect, connection.connection)
            _search_written(transaction, outbox, told, most)


# --- PostgreSQL -----------------------------------------------------------------------


def _commit_telling(
    do_commit: _Commit, connection: Any, transaction: Transaction,
    outbox: LockingOutbox, most: int,
) -> None:  # fmt: skip
    from nefertari_engine_base.primary.sqla import libpq

    driver = driver_of(connection)
    if not libpq.is_open(driver):
        # It has failed; or somebody else's pipeline is in the way.
        do_commit(connection)
        return
    question = outbox.question(most)
    try:
        told = libpq.commit_telling(driver, question, TRANSACTION)
    except BaseException:
        if not (driver.closed or libpq.is_ended(driver)):
            driver.rollback()
        transaction.take()
        raise
    libpq.prepare_in_time(driver, question)
    entries = outbox.answered(told)
    if entries is None:
        _search_written(transaction, outbox, told[0], most)
    else:
        _note(transaction, entries)


def _told(dialect: Dialect, connection: Any) -> Sequence[Any] | None:
    """Number and beginning of the running transaction, if it can be asked."""
    cursor = connection.cursor()
    try:
        cursor.execute(TRANSACTION)
        row: Sequence[Any] | None = cursor.fetchone()
        return row
    except dialect.loaded_dbapi.Error:
        # It has failed before, and what is going to be committed is nothing.
        return None
    finally:
        cursor.close()


def _search_written(
    transaction: Transaction, outbox: LockingOutbox, told: Sequence[Any] | None,
    most: int,
) -> None:  # fmt: skip
    if told is not None and told[0] is not None:
        number, since = int(told[0]), float(told[1])
        _search(transaction, partial(outbox.written_in, number, since, most))


# --- SQLite ---------------------------------------------------------------------------


def _found(
    dialect: Dialect, connection: Any, outbox: LeasingOutbox, most: int
) -> Sequence[OutboxEntry] | _Find:
    """The entries of the running transaction, or what finds them after its commit."""
    if outbox.is_shared:
        # Nobody else can be asked what is committed.
        return partial(outbox.every, most)
    try:
        with outbox.translated_errors():
            return outbox.uncommitted(connection, most)
    except PrimaryError as error:
        return partial(_fail, error)


def _fail(error: PrimaryError) -> Sequence[OutboxEntry]:
    """Tell, when it harms no commit any more, that a worker has to deliver."""
    raise error


# --- what is found --------------------------------------------------------------------


def _note(transaction: Transaction, entries: Sequence[OutboxEntry]) -> None:
    if entries:
        for following in transaction.by_triggers:
            part = transaction.part(following)
            part.outbox = transaction.outbox_of(following)
            part.entries.extend(entries[: _most(following)])


def _search(transaction: Transaction, find: _Find) -> None:
    for following in transaction.by_triggers:
        if _most(following):
            part = transaction.part(following)
            part.outbox = transaction.outbox_of(following)
            part.find = find
