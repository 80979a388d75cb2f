"""The films in SQL, by SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pyramid.request import Request
from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.orm import Session, selectinload

from examples.movies.data import Film, names_of
from examples.movies.models import sql as models
from examples.movies.models.sql import Director, Distributor, Genre, Movie
from nefertari_engine_base import Engines

_RELATED: Mapping[str, type] = {
    "director": Director,
    "distributor": Distributor,
    "genre": Genre,
}

_SHOWN: dict[type, tuple[Any, ...]] = {
    Movie: (Movie.director, Movie.distributor, Movie.genre),
    Director: (Director.films,),
}


class SqlStore:
    """See :class:`~examples.movies.database.Store`; nothing is committed here."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def find(self, model: Any, **values: Any) -> Any:
        """See :meth:`Store.find`."""
        return self.session.scalar(select(model).filter_by(**values))

    def names(self, model: Any) -> list[str]:
        """See :meth:`Store.names`."""
        return list(self.session.scalars(select(model.name).order_by(model.name)))

    def save(self, row: Any) -> None:
        """See :meth:`Store.save`."""
        self.session.add(row)
        self.session.flush()

    def delete(self, row: Any) -> None:
        """See :meth:`Store.delete`."""
        self.session.delete(row)


class SqlDatabase:
    """See :class:`~examples.movies.database.Database`."""

    models = models

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    @property
    def engine(self) -> Engine:
        """The engine of SQLAlchemy that the settings have made."""
        primary: Any = self._engines.primary_of(Movie)
        engine: Engine = primary.engine
        return engine

    @property
    def name(self) -> str:
        """See :attr:`Database.name`."""
        return self.engine.dialect.name

    def load(self, films: Sequence[Film]) -> None:
        """See :meth:`Database.load`; all of it is one transaction.

        These are statements on tables, which nobody listens to.
        """
        with self.engine.begin() as connection:
            keys = {
                relation: _insert_names(connection, model, names_of(films, relation))
                for relation, model in _RELATED.items()
            }
            rows = [_row(film, keys) for film in films]
            connection.execute(insert(_table(Movie)), rows)

    def count(self, model: Any) -> int:
        """See :meth:`Database.count`."""
        with self.engine.connect() as connection:
            number = connection.scalar(select(func.count()).select_from(_table(model)))
        return int(number or 0)

    def rows(self, model: Any) -> Iterable[Any]:
        """See :meth:`Database.rows`."""
        loads = [selectinload(relation) for relation in _SHOWN[model]]
        with Session(self.engine) as session:
            yield from session.scalars(select(model).options(*loads).order_by(model.id))

    def store_of(self, request: Request) -> SqlStore:
        """See :meth:`Database.store_of`: its transaction is that of the request."""
        return SqlStore(request.dbsession)

    @contextmanager
    def begin(self) -> Iterator[SqlStore]:
        """See :meth:`Database.begin`."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield SqlStore(session)

    def close(self) -> None:
        """See :meth:`Database.close`."""
        self.engine.dispose()


def _table(model: type) -> Any:
    return model.__table__  # type: ignore[attr-defined]


def _insert_names(
    connection: Connection, model: type, names: Iterable[str]
) -> dict[str, int]:
    table = _table(model)
    connection.execute(insert(table), [{"name": name} for name in names])
    found = connection.execute(select(table.c.name, table.c.id))
    return {row.name: row.id for row in found}


def _row(film: Film, keys: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    row = dict(film.columns)
    for relation, known in keys.items():
        name = getattr(film, relation)
        row[f"{relation}_id"] = None if name is None else known[name]
    return row
