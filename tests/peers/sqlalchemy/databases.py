"""Empty databases, as SQLAlchemy's tests want them."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg

from tools import servers

#: Milliseconds that a statement waits for a lock: what waits for its own process
#: would do so for ever.
_LOCK_TIMEOUT = 5000


@contextmanager
def _sqlite(folder: Path) -> Iterator[str]:
    # SQLAlchemy takes the name apart at underlines and dots, that of the folder
    # included, and makes others of it.
    yield "sqlite:///peers.db"


@contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    """See README.unittests.rst of SQLAlchemy."""
    name = f"peers_{secrets.token_hex(4)}"
    with servers.running("postgresql") as urls:
        url = urls["postgresql"]
        server = url.replace("+psycopg", "", 1)
        database = f"{server.rpartition('/')[0]}/{name}"
        _execute(server, f"CREATE DATABASE {name}")
        try:
            _execute(
                database,
                "CREATE EXTENSION hstore",
                "CREATE EXTENSION citext",
                "CREATE SCHEMA test_schema",
                "CREATE SCHEMA test_schema_2",
                f"ALTER DATABASE {name} SET default_text_search_config = 'english'",
                f"ALTER DATABASE {name} SET lock_timeout = {_LOCK_TIMEOUT}",
                f"ALTER DATABASE {name} SET synchronous_commit = off",
            )
            yield f"{url.rpartition('/')[0]}/{name}"
        finally:
            _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _sqlite_version() -> str:
    return sqlite3.sqlite_version


def _postgresql_version() -> str:
    with servers.running("postgresql") as urls:
        url = urls["postgresql"].replace("+psycopg", "", 1)
        with psycopg.connect(url) as connection:
            return str(connection.info.server_version // 10000)


_DATABASES: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
}
_VERSIONS = {"sqlite": _sqlite_version, "postgresql": _postgresql_version}

#: Names of the databases.
NAMES = tuple(_DATABASES)


@contextmanager
def kept_running(names: Sequence[str]) -> Iterator[None]:
    """The servers that databases need run throughout, and are not started each time."""
    with servers.running(*(name for name in names if name != "sqlite")) as urls:
        variables = {servers.url_variable(name): url for name, url in urls.items()}
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]


def version_of(name: str) -> str:
    """The version of a database, as far as tests may depend on it."""
    return _VERSIONS[name]()


def database(name: str, folder: Path) -> AbstractContextManager[str]:
    """URL of an empty database for a process that runs in a folder."""
    return _DATABASES[name](folder)
