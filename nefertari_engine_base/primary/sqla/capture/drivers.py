"""What only the driver knows of a connection, and what SQLite has to be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection

from nefertari_engine_base.primary.sqla.asking import run_unheard
from nefertari_engine_base.primary.sqla.capture import ending
from nefertari_engine_base.primary.sqla.capture.transactions import (
    Transaction,
    driver_of,
    is_running,
)


def are_keys_enforced(connection: Connection) -> bool:
    """Whether foreign keys are obeyed. SQLite does that for connections that have asked
    for it. https://www.sqlite.org/pragma.html#pragma_foreign_keys"""
    if connection.dialect.name != "sqlite":
        return True
    row = run_unheard(connection, "PRAGMA foreign_keys")
    return bool(row[0])


def commits_by_itself(connection: Connection) -> bool:
    """Whether a statement is committed as soon as it is executed (AUTOCOMMIT)."""
    dialect, pooled = connection.dialect, connection.connection
    if is_running(pooled, dialect) is not False:
        return False
    driver = driver_of(pooled)
    if dialect.name == "sqlite":
        return (
            driver.isolation_level is None or getattr(driver, "autocommit", -1) is True
        )
    return bool(driver.autocommit)


@contextmanager
def own_transaction(connection: Connection, transaction: Transaction) -> Iterator[None]:
    """Where a statement would be committed by itself, a transaction for it and its
    entries: one of them without the other would be lost, or told too early."""
    if not commits_by_itself(connection):
        yield
        return
    run_unheard(connection, "BEGIN")
    transaction.is_own = True
    try:
        yield
        transaction.settle()
        if transaction.doomed is not None:
            raise transaction.doomed
    except BaseException:
        transaction.take()
        run_unheard(connection, "ROLLBACK")
        raise
    finally:
        transaction.is_own = False
    run_unheard(connection, "COMMIT")
    ending.committed(transaction)
