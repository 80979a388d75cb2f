"""The engines that deliveries have to themselves, made from the application's.

An application that has all of its connections in use can neither starve a delivery nor
wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.forks import abandon, renew_after_fork

log = logging.getLogger(__name__)

#: The option of statements that deliveries execute.
OWN = "nefertari_own"

#: What deliveries use where the application's driver is one of asyncio.
_SYNC_DRIVERS = {"postgresql": "postgresql+psycopg", "sqlite": "sqlite+pysqlite"}

#: Keys of a URL that mean the same to asyncpg and to libpq under this name.
_KEYS_OF_LIBPQ = {
    "ssl": "sslmode",
    "host": "host",
    "port": "port",
    "target_session_attrs": "target_session_attrs",
}


def own_engine(engine: Engine) -> Engine:
    """An engine like the application's, with a pool of its own.

    Deliveries run in threads, where a driver of asyncio has no event loop: they get a
    driver that waits, on the same database.

    :raises ConfigurationError: if there is no such driver for them.
    """
    if is_in_memory(engine):
        if engine.dialect.is_async:
            raise ConfigurationError(
                f"{engine!r} is a database in memory, which only its own connection "
                f"sees, and that is one of asyncio: deliveries cannot use it. Use a "
                f"file, or an engine without asyncio."
            )
        # A second pool would be a second, empty database.
        return engine.execution_options(**{OWN: True})
    if engine.dialect.is_async:
        return waiting_engine(engine).execution_options(**{OWN: True})
    # The pool is made anew from the application's, creator and connect arguments
    # included, as Engine.dispose does; the dialect is shared.
    pool, options = engine.pool.recreate(), {OWN: True}
    return Engine(pool, engine.dialect, engine.url, execution_options=options)


def waiting_engine(engine: Engine) -> Engine:
    """An engine on the database of one of asyncio, with a driver that waits.

    :raises ConfigurationError: if there is no such driver.
    """
    driver = _SYNC_DRIVERS.get(engine.dialect.name, engine.dialect.name)
    advice = (
        "Install one, pip install psycopg[binary] for PostgreSQL, or name an engine "
        "for deliveries: SQLAlchemyEngine(engine, delivery=create_engine(...))"
    )
    try:
        return create_engine(_waiting_url(engine.url, driver))
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigurationError(
            f"{engine.dialect.driver} is a driver for asyncio, and deliveries need one "
            f"that waits ({driver}): {error}. {advice}."
        ) from error


def _waiting_url(url: URL, driver: str) -> URL:
    url = url.set(drivername=driver)
    if not driver.startswith("postgresql"):
        return url
    query = {
        _KEYS_OF_LIBPQ[key]: value
        for key, value in url.query.items()
        if key in _KEYS_OF_LIBPQ
    }
    return url.set(query=query)


def is_in_memory(engine: Engine) -> bool:
    """Whether the database is gone with its connection."""
    return engine.dialect.name == "sqlite" and (
        isinstance(engine.pool, StaticPool)
        or engine.url.database in (None, "", ":memory:")
    )


class Forked:
    """What becomes of engines in a process that was forked.

    :attr ours: those that connect anew.
    :attr others: those of the application, which sees to them itself.
    """

    def __init__(self, ours: Iterable[Engine], others: Iterable[Engine] = ()) -> None:
        self.ours, self.others = list(ours), list(others)
        renew_after_fork(self)

    def renew(self) -> None:
        """See :class:`~nefertari_engine_base.forks.Renewable`."""
        for engine in self.ours:
            if not is_in_memory(engine):
                abandon(engine.pool)
                engine.dispose(close=False)
        for engine in self.others:
            if is_in_memory(engine) or not _has_connections(engine):
                continue
            log.warning(
                "%r had open connections when this process was forked, which its "
                "parent has as well: answers may get to the wrong one. Call "
                "engine.dispose(close=False) in the child, such as in post_fork of "
                "gunicorn, or engine.dispose() before the fork.",
                engine,
                extra={"action": "fork"},
            )


def _has_connections(engine: Engine) -> bool:
    pool = engine.pool
    if isinstance(pool, QueuePool):
        return pool.checkedin() + pool.checkedout() > 0
    # Of others nobody can tell, but that this one keeps none.
    return not isinstance(pool, NullPool)
