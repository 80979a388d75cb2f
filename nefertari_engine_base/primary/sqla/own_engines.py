"""The engines that deliveries have to themselves, made from the application's.

An application that has all of its connections in use can neither starve a delivery nor
wait for it.
"""

from __future__ import annotations

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.pool import StaticPool

from nefertari_engine_base.exceptions import ConfigurationError

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
