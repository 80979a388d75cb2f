"""How transactions end: with entries, without them, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection, Dialect

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.primary.sqla.capture import own_entries
from nefertari_engine_base.primary.sqla.capture.transactions import (
    RIDING,
    Part,
    Transaction,
    driver_of,
    finish,
    is_running,
    known_transaction,
    roll_back,
    transaction_of,
)
from nefertari_engine_base.primary.sqla.entries import insert_each
from nefertari_engine_base.primary.sqla.tables import explained
from nefertari_engine_base.primary.sqla.texts import sent_insert

#: Where a session keeps what its transaction has committed, until it is at an end.
COMMITTED = "nefertari_committed"


def commit(dialect: Dialect, do_commit: Callable[[Any], None], connection: Any) -> None:
    """Commit, with the entries that are held."""
    transaction = known_transaction(connection)
    if transaction is None or not transaction.is_busy:
        do_commit(connection)
        return
    if transaction.doomed is not None:
        _refuse(do_commit, connection, dialect, transaction)
    try:
        transaction.resolve()
        wanted = own_entries.most_wanted(transaction)
        rides = not wanted and _rides(dialect, connection, transaction)
        if not rides:
            transaction.settle()
    except BaseException:
        # SQLAlchemy takes a transaction whose commit has failed for ended, and would
        # hand the connection to others as it is.
        transaction.take()
        roll_back(connection)
        raise
    if rides:
        _commit_with_held(dialect, do_commit, connection, transaction)
    elif wanted:
        own_entries.commit(dialect, do_commit, connection, transaction, wanted)
    else:
        do_commit(connection)
    committed(transaction)


def _rides(dialect: Dialect, connection: Any, transaction: Transaction) -> bool:
    """Whether what is held can be sent together with the COMMIT."""
    if dialect not in RIDING or len(transaction.held) != 1:
        return False
    from nefertari_engine_base.primary.sqla import libpq

    (touches,) = transaction.held.values()
    return libpq.can_hold(driver_of(connection), list(touches))


def committed(transaction: Transaction) -> None:
    """What is committed is announced and delivered, as soon as its session is free."""
    parts: dict[Any, Part] = transaction.take()
    if not parts:
        return
    session = None if transaction.session is None else transaction.session()
    if session is not None and session.in_transaction():
        session.info.setdefault(COMMITTED, []).append(parts)
    else:
        finish(parts)


def _refuse(
    do_commit: Callable[[Any], None], connection: Any, dialect: Dialect,
    transaction: Transaction,
) -> None:  # fmt: skip
    """Roll back what must not be committed. :raises PrimaryError: always."""
    cause = transaction.doomed
    transaction.take()
    roll_back(connection)
    raise PrimaryError(
        f"This transaction was refused and is rolled back: {cause}. Whoever catches "
        f"such an error has to roll back, or to begin a savepoint before."
    ) from cause


def _commit_with_held(
    dialect: Dialect, do_commit: Callable[[Any], None], connection: Any,
    transaction: Transaction,
) -> None:  # fmt: skip
    from nefertari_engine_base.primary.sqla import libpq

    ((following, held),) = transaction.held.items()
    touches, driver = list(held), driver_of(connection)
    outbox = transaction.outbox_of(following)
    announced = outbox.is_announced
    try:
        with explained(dialect.loaded_dbapi.ProgrammingError):
            insert = sent_insert(dialect, announced)
            entries = libpq.commit_with(driver, insert, touches)
            if entries is None:
                options = libpq.cursor_options(driver, insert)
                entries = insert_each(
                    connection, dialect, touches, announced, **options
                )
                do_commit(connection)
    except BaseException:
        # As above: nobody else would roll it back.
        if not (driver.closed or libpq.is_ended(driver)):
            driver.rollback()
        transaction.take()
        raise
    transaction.held.clear()
    transaction.note(following, outbox, entries)


def rollback(
    dialect: Dialect, do_rollback: Callable[[Any], None], connection: Any
) -> None:
    """Roll back: nothing was written, unless somebody has committed unseen."""
    transaction = known_transaction(connection)
    if transaction is None or not transaction.is_busy:
        do_rollback(connection)
        return
    try:
        ended_unseen(dialect, connection, transaction)
    finally:
        transaction.take()
        do_rollback(connection)


def ended_unseen(dialect: Dialect, connection: Any, transaction: Transaction) -> None:
    """Write what is held of a transaction that the driver has ended by itself.

    It may have rolled it back; but then an entry too many does no harm.

    :param connection: what the pool has handed out.
    """
    if transaction.doomed is not None or is_running(connection, dialect) is not False:
        # What is doomed was rolled back here, and stays refused until its end.
        return
    try:
        transaction.resolve()
        for following, touches in transaction.held.items():
            transaction.outbox_of(following).add(touches)
    finally:
        parts = transaction.take()
    finish(parts)


def rollback_to_savepoint(
    dialect: Dialect, do_rollback: Callable[[Connection, str], None],
    connection: Connection, name: str,
) -> None:  # fmt: skip
    """Roll back to a savepoint: what is held was written since it began."""
    transaction = known_transaction(connection)
    if transaction is not None:
        transaction.roll_back_to(name)
    do_rollback(connection, name)


def savepoint(
    dialect: Dialect, do_savepoint: Callable[[Connection, str], None],
    connection: Connection, name: str,
) -> None:  # fmt: skip
    """Begin a savepoint: what is held is written before it."""
    do_savepoint(connection, name)
    transaction_of(connection).begin_savepoint(name)


def prepare_twophase(
    dialect: Dialect, do_prepare: Callable[[Connection, Any], None],
    connection: Connection, xid: Any,
) -> None:  # fmt: skip
    """Prepare a transaction, with all of its entries."""
    transaction = known_transaction(connection)
    if transaction is not None and transaction.doomed is not None:
        cause = transaction.doomed
        raise PrimaryError(f"This transaction was refused: {cause}") from cause
    if transaction is not None:
        transaction.settle()
        own_entries.tell(dialect, connection, transaction)
    do_prepare(connection, xid)


def commit_twophase(
    dialect: Dialect, do_commit: Callable[..., None], connection: Connection, xid: Any,
    is_prepared: bool = True, recover: bool = False,
) -> None:  # fmt: skip
    """Commit a transaction of two phases."""
    transaction = known_transaction(connection)
    if transaction is not None and not is_prepared:
        transaction.settle()
        own_entries.tell(dialect, connection, transaction)
    do_commit(connection, xid, is_prepared, recover)
    if transaction is not None and transaction.is_busy:
        committed(transaction)


def rollback_twophase(
    dialect: Dialect, do_rollback: Callable[..., None], connection: Connection,
    xid: Any, is_prepared: bool = True, recover: bool = False,
) -> None:  # fmt: skip
    """Roll a transaction of two phases back."""
    transaction = known_transaction(connection)
    if transaction is not None:
        transaction.take()
    do_rollback(connection, xid, is_prepared, recover)


#: What stands in for methods of a dialect, and is given it and these.
REPLACED: dict[str, Callable[..., None]] = {
    "do_commit": commit,
    "do_rollback": rollback,
    "do_savepoint": savepoint,
    "do_rollback_to_savepoint": rollback_to_savepoint,
    "do_prepare_twophase": prepare_twophase,
    "do_commit_twophase": commit_twophase,
    "do_rollback_twophase": rollback_twophase,
}
