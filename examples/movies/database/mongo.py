"""The films in MongoDB, by MongoEngine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mongoengine.connection import get_db
from pyramid.request import Request

from examples.movies.data import Film, names_of
from examples.movies.models import mongo as models
from examples.movies.models.mongo import Director, Distributor, Genre, Movie
from nefertari_engine_base import Engines

_RELATED: Mapping[str, Any] = {
    "director": Director,
    "distributor": Distributor,
    "genre": Genre,
}


class MongoStore:
    """See :class:`~examples.movies.database.Store`; each write is there at once."""

    def find(self, model: Any, **values: Any) -> Any:
        """See :meth:`Store.find`."""
        return model.objects(**values).first()

    def names(self, model: Any) -> list[str]:
        """See :meth:`Store.names`."""
        return list(model.objects.order_by("name").scalar("name"))

    def save(self, row: Any) -> None:
        """See :meth:`Store.save`."""
        row.save()

    def delete(self, row: Any) -> None:
        """See :meth:`Store.delete`."""
        row.delete()


class MongoDatabase:
    """See :class:`~examples.movies.database.Database`."""

    models = models
    name = "mongodb"

    def __init__(self, engines: Engines) -> None:
        """MongoEngine has a connection of its own."""

    def load(self, films: Sequence[Film]) -> None:
        """See :meth:`Database.load`; films come last, so that they tell whether it was
        done.

        These are PyMongo's inserts, which nobody listens to.
        """
        related = {
            relation: {
                name: model(id=key, name=name)
                for key, name in enumerate(names_of(films, relation), start=1)
            }
            for relation, model in _RELATED.items()
        }
        movies = []
        for key, film in enumerate(films, start=1):
            movie = Movie(id=key, **film.columns)
            for relation, known in related.items():
                setattr(movie, relation, known.get(getattr(film, relation)))
            if movie.director is not None:
                movie.director.films.append(movie)
            movies.append(movie)
        for relation, known in related.items():
            _insert(_RELATED[relation], list(known.values()))
        _insert(Movie, movies)

    def count(self, model: Any) -> int:
        """See :meth:`Database.count`."""
        return int(model.objects.count())

    def rows(self, model: Any) -> Iterable[Any]:
        """See :meth:`Database.rows`."""
        return model.objects.order_by("id").select_related()  # type: ignore[no-any-return]

    def store_of(self, request: Request) -> MongoStore:
        """See :meth:`Database.store_of`."""
        return MongoStore()

    @contextmanager
    def begin(self) -> Iterator[MongoStore]:
        """See :meth:`Database.begin`: there are no transactions."""
        yield MongoStore()

    def close(self) -> None:
        """See :meth:`Database.close`: the engine has closed MongoEngine's."""


def _insert(model: Any, documents: Sequence[Any]) -> None:
    """Insert documents with keys from 1 on, in place of what is there."""
    collection = get_db()[model._get_collection_name()]
    # Of a load that was broken off.
    collection.delete_many({})
    collection.insert_many([document.to_mongo() for document in documents])
    model.id.set_next_value(len(documents))
