"""Databases of PostgreSQL's own, and its tools for backups."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tools.servers.settings import Settings

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


def dump(url: str, path: Path) -> None:
    """``pg_dump`` of a whole database."""
    _run("pg_dump", "-Fc", "-f", str(path), "-d", _plain(url))


def restore(url: str, path: Path, *options: str) -> None:
    """``pg_restore`` into a database."""
    _run("pg_restore", "--exit-on-error", *options, "-d", _plain(url), str(path))


def _plain(url: str) -> str:
    plain = sa.make_url(url).set(drivername="postgresql")
    return plain.render_as_string(hide_password=False)


def _run(name: str, *arguments: str) -> None:
    folder = Settings.from_environment().postgresql_folder
    program = max(folder.glob(f"*/bin/{name}"), default=shutil.which(name))
    assert program is not None, f"{name} of PostgreSQL is missing"
    done = subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
