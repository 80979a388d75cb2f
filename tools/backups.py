"""Backups of PostgreSQL, by its own tools.

https://www.postgresql.org/docs/current/backup-dump.html
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from tools.servers.errors import MissingDependency, ServersError
from tools.servers.settings import Settings

#: Seconds that a tool may take.
_PATIENCE = 120.0


def dump(url: str, path: Path) -> None:
    """``pg_dump`` of a whole database, in the custom format.

    :param url: in SQLAlchemy's notation, or libpq's.
    :raises ServersError: if the tool is missing, or fails.
    """
    _run("pg_dump", "-Fc", "-f", str(path), "-d", _plain(url))


def restore(url: str, path: Path, *options: str) -> None:
    """``pg_restore`` into a database.

    :param options: of the tool, such as ``--clean``.
    :raises ServersError: if the tool is missing, or fails.
    """
    _run("pg_restore", "--exit-on-error", *options, "-d", _plain(url), str(path))


def _plain(url: str) -> str:
    return urlsplit(url)._replace(scheme="postgresql").geturl()


def _run(name: str, *arguments: str) -> None:
    folder = Settings.from_environment().postgresql_folder
    program = max(folder.glob(f"*/bin/{name}"), default=shutil.which(name))
    if program is None:
        raise MissingDependency(f"{name} of PostgreSQL is missing.")
    done = subprocess.run(
        [str(program), *arguments],
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode:
        raise ServersError(f"{name} failed: {done.stderr}")
