"""Databases of PostgreSQL that a test has for itself."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

_NUMBERS = itertools.count(1)


@contextmanager
def empty_database(server_url: str) -> Iterator[str]:
    """URL of a new database, which is dropped in the end."""
    url = sa.make_url(server_url)
    name = f"test_own_{os.getpid()}_{next(_NUMBERS)}"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()
