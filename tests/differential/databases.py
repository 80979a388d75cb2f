"""Empty databases, many and fast."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa

from tests.conftest import empty_database

_EMPTY = """
DO $$
DECLARE name text;
BEGIN
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' LOOP
    EXECUTE format('DELETE FROM {schema}.%I', name);
  END LOOP;
  FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = '{schema}' LOOP
    EXECUTE format('SELECT setval(''{schema}.%I'', 1, false)', name);
  END LOOP;
END $$
"""


class Databases:
    """Gives empty databases of one kind; several at a time.

    On PostgreSQL a schema is used again by programs of the same family, since its
    tables take longer than most programs: its rows are deleted, its sequences begin
    anew.

    :param server_of: function from the name of a server to the server.
    """

    def __init__(self, kind: str, server_of: object, factory: object) -> None:
        self.kind = kind
        self._server_of, self._factory = server_of, factory
        self._numbers = itertools.count()
        self._folder: Path | None = None
        self._opened = ExitStack()
        self._free: dict[tuple[str, bool], list[str]] = {}
        self._admin: sa.Engine | None = None

    @contextmanager
    def __call__(self, family: str, ours: bool) -> Iterator[str]:
        """URL of an empty database, which may have the family's tables.

        :param ours: whether it may have our tables as well.
        """
        if self.kind == "sqlite":
            yield from self._file()
            return
        free = self._free.setdefault((family, ours), [])
        url = self._emptied(free.pop()) if free else self._made()
        yield url
        # Not after an exception, which may have left anything.
        free.append(url)

    def close(self) -> None:
        """Remove them all."""
        if self._admin is not None:
            self._admin.dispose()
        self._opened.close()

    def _file(self) -> Iterator[str]:
        if self._folder is None:
            self._folder = self._factory.mktemp("differential")  # type: ignore[attr-defined]
        path = self._folder / f"{next(self._numbers)}.sqlite"
        try:
            yield f"sqlite:///{path}"
        finally:
            for one in self._folder.glob(f"{path.name}*"):
                one.unlink()

    def _made(self) -> str:
        return self._opened.enter_context(
            empty_database(self.kind, self._server_of, self._factory)
        )

    def _emptied(self, url: str) -> str:
        if self._admin is None:
            server = self._server_of(self.kind).url  # type: ignore[operator]
            database = sa.make_url(url).database
            self._admin = sa.create_engine(
                sa.make_url(server).set(database=database),
                isolation_level="AUTOCOMMIT",
                execution_options={"no_parameters": True},
            )
        schema = sa.make_url(url).query["options"].rpartition("=")[2]  # type: ignore[union-attr]
        with self._admin.connect() as connection:
            connection.exec_driver_sql(_EMPTY.replace("{schema}", schema))
        return url
