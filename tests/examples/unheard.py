"""Changes of films that nobody hears of, and that are taken back in the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import sqlalchemy as sa
from mongoengine.connection import get_db

from examples.movies.database import Database
from examples.movies.database.mongo import MongoDatabase
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
        # One that the application was not told of, and no session uses.
        self.engine = sa.create_engine(database.engine.url)
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
        self.engine.dispose()

    def _is(self, key: int) -> Any:
        return self.table.c.id == key

    def _execute(self, key: int, statement: Any) -> None:
        select = self.table.select().where(self._is(key))
        with self.engine.begin() as connection:
            self.before[key] = connection.execute(select).mappings().one_or_none()
            connection.execute(statement)


class UnheardMongo:
    """PyMongo's own writes."""

    def __init__(self, database: MongoDatabase) -> None:
        self.collection = get_db()[database.models.Movie._get_collection_name()]
        self.before: dict[int, Any] = {}

    def change(self, key: int, **values: Any) -> None:
        self._remember(key)
        self.collection.update_one({"_id": key}, {"$set": values})

    def delete(self, key: int) -> None:
        self._remember(key)
        self.collection.delete_one({"_id": key})

    def insert(self, key: int, **values: Any) -> None:
        self._remember(key)
        self.collection.insert_one({"_id": key, **values})

    def undo(self) -> None:
        for key, before in self.before.items():
            self.collection.delete_one({"_id": key})
            if before is not None:
                self.collection.insert_one(before)

    def _remember(self, key: int) -> None:
        self.before[key] = self.collection.find_one({"_id": key})


@contextmanager
def unheard(database: Database) -> Iterator[Unheard]:
    """For the time of a block."""
    if isinstance(database, SqlDatabase):
        changes: Unheard = UnheardSql(database)
    else:
        changes = UnheardMongo(database)
    try:
        yield changes
    finally:
        changes.undo()
