"""The films, loaded and indexed once for each kind of database."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient
from webtest import TestApp

from chaos.door import Door
from examples.movies import main
from examples.movies.data import read_films
from examples.movies.database import database_of
from examples.movies.demo import remove_indices
from examples.movies.source import FilmsMissing, find_films
from nefertari_engine_base import engines_of
from nefertari_engine_base.sync.worker import drain
from tests.conftest import empty_database


@pytest.fixture(scope="session")
def films_path() -> Path:
    """The file with the films; a machine without network may not have it."""
    try:
        return find_films()
    except FilmsMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def films(films_path):
    """The films as they are to be loaded, and what was mended."""
    return read_films(films_path)


class Site:
    """The application with all films, and what tests ask behind its back."""

    def __init__(self, app: Any, elasticsearch_url: str, door: Door) -> None:
        self.wsgi = app
        self.app = TestApp(app)
        self.engines = engines_of(app.registry)
        self.database = database_of(app.registry)
        #: What pages and JSON call it.
        self.primary = next(iter(self.engines.primaries))
        self.Movie = self.database.models.Movie
        self.Director = self.database.models.Director
        self.door = door
        self._elasticsearch_url = elasticsearch_url

    def find(self, model: Any, **values: Any) -> Any:
        """A row that has these values, with what it is related to."""
        with self.database.begin() as store:
            row = store.find(model, **values)
            # Fetched while that can be done.
            row and (row.director if model is self.Movie else list(row.films))
            return row

    def raw(self, model: Any) -> dict[str, dict[str, Any]]:
        """Every document of a model, as the server itself stores it."""
        alias = model.secondary._index._name
        url = f"{self._elasticsearch_url}/{alias}"
        urllib.request.urlopen(f"{url}/_refresh", data=b"").close()
        request = urllib.request.Request(
            f"{url}/_search",
            data=json.dumps({"size": 10_000}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            hits = json.load(answer)["hits"]["hits"]
        return {hit["_id"]: hit["_source"] for hit in hits}

    def back(self) -> None:
        """The search engine is back, and a worker has caught up."""
        self.door.open()
        self.engines.pause.end()
        drain(self.engines)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Without the search engine."""
        self.door.shut()
        try:
            yield
        finally:
            self.back()

    def remove_director(self, **values: Any) -> None:
        """Remove a director and the films of the director, as far as they are there."""
        with self.database.begin() as store:
            director = store.find(self.Director, **values)
            if director is not None:
                for film in list(director.films):
                    store.delete(film)
                store.delete(director)


#: How ``nefertari.engine`` calls the engine of each kind of database.
ENGINES = {
    "sqlite": "nefertari_engine_base.primary.sqla",
    "postgresql": "nefertari_engine_base.primary.sqla",
    "mongodb": "nefertari_engine_base.primary.mongo",
}


# Not for the session: MongoEngine has one default connection, which other tests want.
@pytest.fixture(scope="package", params=["sqlite", "postgresql", "mongodb"])
def database_settings(request, tmp_path_factory) -> Iterator[dict[str, str]]:
    """The settings of an empty database of each kind, for all tests."""
    kind = request.param
    settings = {"nefertari.engine": f"{ENGINES[kind]} nefertari_es"}
    if kind == "mongodb":
        server_url = request.getfixturevalue("mongodb_url")
        with empty_mongodb(server_url, f"movies_test_{os.getpid()}") as url:
            yield {**settings, "mongodb.url": url}
    else:
        server_of = request.getfixturevalue("server_of")
        with empty_database(kind, server_of, tmp_path_factory) as url:
            yield {**settings, "sqlalchemy.url": url}


@contextmanager
def empty_mongodb(server_url: str, name: str) -> Iterator[str]:
    """URL of an empty database of MongoDB, for a while."""
    url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
    with MongoClient(url) as client:
        client.drop_database(name)
        try:
            yield url
        finally:
            client.drop_database(name)


@pytest.fixture(scope="package")
def site(database_settings, elasticsearch_url, films_path) -> Iterator[Site]:
    """The application, as ``pserve`` makes it from its settings."""
    door = Door(elasticsearch_url)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATABASE_URL", "MONGODB_URL", "ELASTICSEARCH_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("MOVIES_JSON", str(films_path))
        app = main(
            {},
            **database_settings,
            **{
                "elasticsearch.hosts": door.url,
                "elasticsearch.index_prefix": f"movies-test-{os.getpid()}",
            },
        )
    site = Site(app, elasticsearch_url, door)
    yield site
    remove_indices(site.engines)
    site.engines.close()
    site.database.close()
    door.shut()


@pytest.fixture
def app(site) -> TestApp:
    """A visitor with a browser of their own."""
    return TestApp(site.wsgi)


@pytest.fixture
def film(site) -> Iterator[Any]:
    """A film that a test may change; it is gone afterwards."""
    with site.database.begin() as store:
        director = site.Director(name="Ottoline Fairweather")
        store.save(director)
        movie = site.Movie(
            title="The Okapi Affair",
            release_date=date(1999, 3, 31),
            imdb_rating=7.1,
            director=director,
        )
        store.save(movie)
    yield movie
    with site.database.begin() as store:
        if (left := store.find(site.Movie, id=movie.id)) is not None:
            store.delete(left)
    site.remove_director(id=director.id)
