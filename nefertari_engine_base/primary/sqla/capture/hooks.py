"""Every hook into SQLAlchemy, and when it is put there.

The dialect
    executes, commits and rolls back whatever anybody has asked for, by a session, a
    connection or an engine. Its methods are replaced, on the dialect of each engine
    that is followed, by functions that call them. There are events for executing, but a
    listener cannot see to what comes after; and none for the rest that could do it in
    the place of the dialect. Events of an engine cost every statement of the
    application more. https://docs.sqlalchemy.org/en/20/core/internals.html#sqlalchemy.engine.Dialect
Session
    tells which transactions are its own, so that what they have committed is delivered
    when the session can be used again.
mapped classes
    tell of instances, for Pyramid's events.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from weakref import WeakKeyDictionary, ref

from sqlalchemy import event
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import Session, SessionTransaction

from nefertari_engine_base.primary.sqla.capture import ending, instances, planning
from nefertari_engine_base.primary.sqla.capture.executing import Followed, execute
from nefertari_engine_base.primary.sqla.capture.following import Following
from nefertari_engine_base.primary.sqla.capture.transactions import (
    RIDING,
    finish,
    transaction_of,
)

#: What is followed, by dialect.
FOLLOWED: WeakKeyDictionary[Dialect, Followed] = WeakKeyDictionary()

#: The engine that each was made for.
_ENGINES: dict[Following, Engine] = {}

_EXECUTING = ("do_execute", "do_executemany", "do_execute_no_params")


def follow(engine: Engine, following: Following) -> None:
    """Hear of what is written by the engine from now on."""
    dialect = engine.dialect
    known = FOLLOWED.get(dialect)
    if known is None:
        known = FOLLOWED[dialect] = Followed()
        _replace(dialect)
    known.add(following)
    _ENGINES.setdefault(following, engine)


def forget(following: Following) -> None:
    """Report nothing more of what is followed."""
    _ENGINES.pop(following, None)
    planning.forget(following)
    for known in FOLLOWED.values():
        known.discard(following)


def _replace(dialect: Dialect) -> None:
    for name in _EXECUTING:
        setattr(
            dialect, name, partial(execute, FOLLOWED[dialect], getattr(dialect, name))
        )
    commits = getattr(dialect.do_commit, "__func__", None) is DefaultDialect.do_commit
    if dialect.driver == "psycopg" and not dialect.is_async and commits:
        # Elsewhere somebody else has something to do when it commits.
        RIDING.add(dialect)
    for name, end in ending.REPLACED.items():
        setattr(dialect, name, partial(end, dialect, getattr(dialect, name)))


# --- sessions ------------------------------------------------------------------------


def listen() -> None:
    """Listen to sessions; again after somebody has removed all listeners."""
    for name, listener in _LISTENERS.items():
        if not event.contains(Session, name, listener):
            event.listen(Session, name, listener)


def _after_begin(
    session: Session, transaction: SessionTransaction, connection: Connection
) -> None:
    if connection.dialect not in FOLLOWED:
        _follow_same(connection.engine)
    if connection.dialect in FOLLOWED:
        transaction_of(connection).session = ref(session)


def _follow_same(engine: Engine) -> None:
    """Follow an engine of a session that leads to a database which is followed."""
    if engine.url.database in (None, "", ":memory:"):
        return
    for following, known in list(_ENGINES.items()):
        if known.url == engine.url:
            follow(engine, following)


def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        for parts in session.info.pop(ending.COMMITTED, ()):
            finish(parts)


_LISTENERS: dict[str, Callable[..., None]] = {
    "after_begin": _after_begin,
    "after_transaction_end": _after_transaction_end,
    "before_flush": instances.before_flush,
    "after_flush": instances.after_flush,
    "after_soft_rollback": instances.after_soft_rollback,
}
