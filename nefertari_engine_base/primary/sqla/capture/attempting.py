"""What capture asks of the database beside a statement, which may be refused it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from nefertari_engine_base.primary.sqla.asking import run_unheard
from nefertari_engine_base.primary.sqla.capture.transactions import is_lost

_SAVEPOINT = "nefertari_capture"


@contextmanager
def attempted(connection: Connection) -> Iterator[list[Exception]]:
    """If the database refuses what the block asks, that is no error of the
    application's, and the transaction is as it was.

    :return: has the refusal afterwards, if there was one.
    :raises sqlalchemy.exc.DBAPIError: if the connection is lost, as the application's
        own statement would.
    """
    refused: list[Exception] = []
    try:
        with _savepoint(connection):
            yield refused
    except (DBAPIError, connection.dialect.loaded_dbapi.Error) as error:
        if is_lost(connection):
            raise
        refused.append(error)


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
    """PostgreSQL takes nothing more in a transaction that has failed."""
    if connection.dialect.name != "postgresql":
        yield
        return
    run_unheard(connection, f"SAVEPOINT {_SAVEPOINT}")
    try:
        yield
    except BaseException:
        if not is_lost(connection):
            run_unheard(connection, f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            run_unheard(connection, f"RELEASE SAVEPOINT {_SAVEPOINT}")
        raise
    run_unheard(connection, f"RELEASE SAVEPOINT {_SAVEPOINT}")
