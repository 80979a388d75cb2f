"""Changes of films that nobody hears of, and that are taken back in the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from examples.movies.database import Database
from examples.movies.database.sql import SqlDatabase


class Unheard(Protocol):
    """Writes films behind the back of the application."""

    def change(self, key: int, **values: Any) -> None:
        """Change fields of a film."""

    def delete(self, key: int) -> None:
        """Delete a film."""

    def insert(self, key: int, **values: Any) -> None:
        """Insert a film."""

    def undo(self) -> None:
        """Put back what was changed or deleted, and delete what was inserted."""


class UnheardSql:
    """Statements on tables."""

    def __init__(self, database: SqlDatabase) -> None:
        self.engine = database.engine
        self.table = database.models.Movie.__table__
        self.before: dict[int, Any] = {}

    def change(self, key: int, **values: Any) -> None:
        self._execute(key, self.table.update().where(self._is(key)).values(values))

    def delete(self, key: int) -> None:
        self._execute(key, self.table.delete().where(self._is(key)))

    def insert(self, key: int, **values: Any) -> None:
        self._execute(key, self.table.insert().values(id=key, **values))

    def undo(self) -> None:
        with self.engine.begin() as connection:
            for key, row in self.before.items():
                connection.execute(self.table.delete().where(self._is(key)))
                if row is not None:
                    connection.execute(self.table.insert().values(dict(row)))

    def _is(self, key: int) -> Any:
        return self.table.c.id == key

    def _execute(self, key: int, statement: Any) -> None:
        select = self.table.select().where(self._is(key))
        with self.engine.begin() as connection:
            self.before[key] = connection.execute(select).mappings().one_or_none()
            connection.execute(statement)


@contextmanager
def unheard(database: Database) -> Iterator[Unheard]:
    """For the time of a block."""
    changes = UnheardSql(database)
    try:
        yield changes
    finally:
        changes.undo()
