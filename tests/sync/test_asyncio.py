"""Sessions of asyncio: deliveries use a driver that waits, on the same database."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest
import sqlalchemy as sa
from pyramid.config import Configurator
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from nefertari_engine_base import engines_of
from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.primary.sqla import SQLAlchemyEngine
from nefertari_engine_base.sync.worker import drain
from tests.sync.models import Director, Movie, declare


@pytest.fixture
def async_url(database_url):
    """URL of the empty database, for a driver of asyncio."""
    url = sa.make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite+aiosqlite"), None
    # asyncpg takes no options of libpq: the schema is said for deliveries and for it.
    schema = url.query["options"].rpartition("=")[2]
    return url.set(drivername="postgresql+asyncpg", query={}), schema


def configured(primary, search_url, prefix, sync, capture):
    config = Configurator(
        settings={
            "elasticsearch.hosts": search_url,
            "elasticsearch.index_prefix": prefix,
            "nefertari.sync": sync,
            "nefertari.capture": capture,
        }
    )
    config.include("nefertari_engine_base")
    config.include("nefertari_es")
    config.add_primary_engine(primary)
    declare(config)
    config.commit()
    return engines_of(config.registry)


async def write(engine):
    async with AsyncSession(engine, expire_on_commit=False) as session:
        session.add(Director(id=1, name="Scott"))
        session.add_all([Movie(id=n, title="Alien", director_id=1) for n in range(9)])
        await session.commit()
        (await session.get_one(Movie, 3)).title = "Aliens"
        await session.delete(await session.get_one(Movie, 4))
        await session.commit()


def titles(engines):
    schema, ids = engines.schema_of(Movie), [str(number) for number in range(9)]
    found = engines.secondary.get(schema, ids)
    return [None if one is None else one.title for one in found]


EXPECTED = ["Alien"] * 3 + ["Aliens", None] + ["Alien"] * 4


@pytest.mark.parametrize("capture", ["session", "triggers"])
@pytest.mark.parametrize("sync", ["inline", "worker"])
def test_sessions_of_asyncio_are_followed_and_delivered(
    async_url, database_url, elasticsearch_url, index_prefix, sync, capture, caplog
):
    url, schema = async_url
    args = {} if schema is None else {"server_settings": {"search_path": schema}}
    engine = create_async_engine(url, connect_args=args)
    delivery = sa.create_engine(database_url) if schema else None
    primary = SQLAlchemyEngine(engine.sync_engine, capture=capture, delivery=delivery)
    engines = configured(primary, elasticsearch_url, index_prefix, sync, capture)
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        async def play():
            engines.setup_database()
            await write(engine)
            if sync == "inline":
                assert titles(engines) == EXPECTED
            await engine.dispose()

        asyncio.run(play())
        if sync == "worker":
            drain(engines)
        assert titles(engines) == EXPECTED
        assert sum(outbox.waiting() for outbox in engines.outboxes()) == 0
        client = engines.secondary.client
        client.indices.delete(
            index=",".join(client.indices.get(index=f"{index_prefix}-*"))
        )
        engines.close()
        gc.collect()
    assert "MissingGreenlet" not in caplog.text
    assert "Delivery put off" not in caplog.text


def test_deliveries_take_the_same_database_from_the_url():
    engine = create_async_engine(
        "postgresql+asyncpg://me:secret@there:5433/films?ssl=require"
    )
    primary = SQLAlchemyEngine(engine.sync_engine)
    outbox = primary._outbox_for(engine.sync_engine)
    assert outbox.engine.url.render_as_string(hide_password=False) == (
        "postgresql+psycopg://me:secret@there:5433/films?sslmode=require"
    )


def test_a_database_in_memory_is_refused_for_asyncio():
    engine = create_async_engine("sqlite+aiosqlite://")
    with pytest.raises(ConfigurationError, match="in memory"):
        SQLAlchemyEngine(engine.sync_engine)._outbox_for(engine.sync_engine)
