"""Servers and databases that the tests share; started when first asked for."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import pytest
import sqlalchemy as sa

from tools import servers

_NUMBERS = itertools.count(1)

#: Ends the name of a database whose triggers are the capture.
TRIGGERS = "-triggers"


@pytest.fixture(scope="session")
def server_of() -> Iterator[object]:
    """Function from a server's name to the server, shared by all tests."""
    started: dict[str, servers.Server] = {}

    def server(name: str) -> servers.Server:
        if name not in started:
            started[name] = servers.start(name)
        return started[name]

    yield server
    for one in started.values():
        one.stop()


@pytest.fixture(scope="session")
def elasticsearch_url(server_of) -> str:
    """URL of a real Elasticsearch."""
    return server_of("elasticsearch").url


@pytest.fixture(scope="session")
def opensearch_url(server_of) -> str:
    """URL of a real OpenSearch."""
    return server_of("opensearch").url


@pytest.fixture(scope="session")
def postgresql_url(server_of) -> str:
    """URL of a real PostgreSQL, in SQLAlchemy's form."""
    return server_of("postgresql").url


@pytest.fixture(scope="session")
def mongodb_url(server_of) -> str:
    """URL of a server that speaks MongoDB's protocol."""
    return server_of("mongodb").url


@pytest.fixture(params=["elasticsearch", "opensearch"])
def search_url(request, server_of) -> str:
    """URL of each search server in turn."""
    return server_of(request.param).url


@pytest.fixture
def index_prefix() -> str:
    """A prefix that no other test has."""
    return f"test-{os.getpid()}-{next(_NUMBERS)}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, server_of, tmp_path_factory) -> Iterator[str]:
    """URL of an empty database on each kind of server in turn."""
    with empty_database(request.param, server_of, tmp_path_factory) as url:
        yield url


@pytest.fixture
def postgresql_database_url(server_of, tmp_path_factory) -> Iterator[str]:
    """URL of an empty schema on PostgreSQL."""
    with empty_database("postgresql", server_of, tmp_path_factory) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[sa.Engine]:
    """An engine on an empty database, on each kind of server in turn."""
    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


@contextmanager
def empty_database(kind: str, server_of, tmp_path_factory) -> Iterator[str]:
    """URL of an empty database, ``sqlite`` or ``postgresql``, for a while.

    :param kind: may end with ``-triggers``; see ``tests/sync/conftest.py``.
    """
    kind = kind.removesuffix(TRIGGERS)
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('primary') / 'primary.sqlite'}"
    else:
        yield from _empty_postgresql(server_of(kind).url)


@lru_cache
def _database_of_process(server_url: str) -> sa.URL:
    """URL of a database that no other process of the tests uses.

    Extensions belong to a database, and are in the way of those who add them, too.
    """
    url, worker = sa.make_url(server_url), os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        return url
    name = f"{url.database}_{worker}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        there = sa.text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.execute(there, {"name": name}).scalar() is None:
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return url.set(database=name)


def _empty_postgresql(server_url: str) -> Iterator[str]:
    # A schema of its own is as good as a database, and twenty times cheaper.
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    url = _database_of_process(server_url)
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {name}"))
    try:
        yield url.update_query_dict(
            {"options": f"-csearch_path={name}"}
        ).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()
