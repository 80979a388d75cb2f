"""A change of anything that a computed field reads reaches the document; no other does.

None of the relations is embedded, so that nothing but the computed fields leads to the
documents.
"""

from __future__ import annotations

import os

import pytest
import sqlalchemy as sa

from nefertari_engine_base.exceptions import InvalidParameter, SecondaryUnavailable
from nefertari_engine_base.sync.rebuild import index_all
from tests.application import Application, assert_index_equals_rows
from tests.conftest import empty_database
from tests.sqla.computed_models import (
    Base,
    Country,
    Director,
    Genre,
    Movie,
    Node,
    Review,
    movie_genres,
)


def declare(config) -> None:
    """Give the models documents, which embed nothing."""
    config.add_secondary(Movie)
    config.add_secondary(Director, exclude=("notes",))
    config.add_secondary(Node)


ROWS = (
    (Country, [{"id": n, "name": f"c{n}"} for n in (1, 2)]),
    (Director, [{"id": n, "name": f"d{n}", "country_id": 1} for n in (1, 2)]),
    (Genre, [{"name": name} for name in "ab"]),
    (Movie, [{"id": n, "title": f"m{n}", "director_id": 1} for n in (1, 2)]),
    (Movie, [{"id": 3, "title": "m3"}]),
    (Review, [{"id": n, "movie_id": n, "stars": n} for n in (1, 2, 3)]),
    (movie_genres, [{"movie_id": 1, "genre_name": "a"}]),
    (Node, [{"id": 1, "name": "n1"}]),
    (Node, [{"id": n, "name": f"n{n}", "parent_id": 1} for n in (2, 3)]),
)


MODELS = (Movie, Director, Node)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def application(request, server_of, tmp_path_factory):
    """Nothing is delivered by itself."""
    with empty_database(request.param, server_of, tmp_path_factory) as url:
        app = Application(
            url,
            server_of("elasticsearch").url,
            f"computed-{os.getpid()}-{request.param}",
            declare,
            nefertari__sync="worker",
        )
        if request.param == "sqlite":
            sa.event.listen(app.database, "connect", _check_references)
        app.setup()
        yield app
        app.close()


def _check_references(connection, record) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


@pytest.fixture
def app(application):
    """The same rows for each test, with their documents."""
    with application.database.begin() as connection:
        connection.execute(sa.update(Node).values(parent_id=None))
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
        for model, rows in ROWS:
            connection.execute(sa.insert(model), rows)
    with application.database.begin() as connection:
        connection.execute(sa.text("DELETE FROM nefertari_outbox"))
    for model in MODELS:
        index_all(application.engines, application.engines.schema_of(model))
    assert_index_equals_rows(application, MODELS)
    return application


def movie(key, path=""):
    return ("Movie", path, str(key))


def director(key, path=""):
    return ("Director", path, str(key))


def link(session):
    film = session.get(Movie, 2)
    film.genres.append(session.get(Genre, "a"))


def link_from_the_other_side(session):
    genre = session.get(Genre, "b")
    genre.movies.append(session.get(Movie, 2))


def unlink(session):
    film = session.get(Movie, 1)
    film.genres.clear()


# What is done, and the entries that it makes: those with a path are of documents that
# are looked up when they are delivered.
CHANGES = {
    "a column of the row": (
        lambda s: setattr(s.get(Movie, 1), "year", 1982),
        {movie(1)},
    ),
    "a column that is read from two sides": (
        lambda s: setattr(s.get(Movie, 1), "title", "new"),
        {movie(1), director(1, "movies")},
    ),
    "a related row": (
        lambda s: setattr(s.get(Director, 1), "name", "new"),
        {director(1), movie(1, "director")},
    ),
    "a row that has no documents": (
        lambda s: setattr(s.get(Country, 1), "name", "new"),
        {director(1, "country")},
    ),
    "a moved reference": (
        lambda s: setattr(s.get(Movie, 1), "director_id", 2),
        {movie(1), director(1), director(2)},
    ),
    "a reference of the row alone": (
        lambda s: setattr(s.get(Director, 1), "country_id", 2),
        {director(1)},
    ),
    "a new child": (
        lambda s: s.add(Review(id=9, movie_id=2, stars=5)),
        {movie(2)},
    ),
    "a changed child": (
        lambda s: setattr(s.get(Review, 2), "stars", 5),
        {movie(2, "reviews")},
    ),
    "a moved child": (
        lambda s: setattr(s.get(Review, 2), "movie_id", 3),
        {movie(2), movie(3)},
    ),
    "a deleted child": (
        lambda s: s.delete(s.get(Review, 2)),
        {movie(2)},
    ),
    "a new link": (link, {movie(2)}),
    "a link from the other side": (link_from_the_other_side, {movie(2)}),
    "a link that goes": (unlink, {movie(1)}),
    "a link by a statement": (
        lambda s: s.execute(movie_genres.insert(), {"movie_id": 3, "genre_name": "b"}),
        {movie(3)},
    ),
    "links that a statement deletes": (
        lambda s: s.execute(movie_genres.delete()),
        {movie(1)},
    ),
    "a linked row": (
        lambda s: setattr(s.get(Genre, "a"), "loud", True),
        {movie("a", "genres")},
    ),
    "a linked row that goes": (
        lambda s: s.delete(s.get(Genre, "a")),
        {movie(1)},
    ),
    "a statement on the rows": (
        lambda s: s.execute(sa.update(Movie).where(Movie.id > 1).values(year=1)),
        {movie(2), movie(3)},
    ),
    "a statement on related rows": (
        lambda s: s.execute(sa.update(Director).values(name="new")),
        {director(1), director(2), movie(1, "director"), movie(2, "director")},
    ),
    "a statement on children": (
        lambda s: s.execute(sa.update(Review).where(Review.id < 3).values(stars=0)),
        {movie(1), movie(2)},
    ),
    "a statement that deletes children": (
        lambda s: s.execute(sa.delete(Review).where(Review.id < 3)),
        {movie(1), movie(2)},
    ),
    "a statement that inserts children": (
        lambda s: s.execute(sa.insert(Review), [{"id": 9, "movie_id": 3, "stars": 9}]),
        {movie(3)},
    ),
    "a legacy bulk method": (
        lambda s: s.bulk_update_mappings(Review, [{"id": 1, "stars": 9}]),
        {movie(1, "reviews")},
    ),
    "a reference that the database sets null": (
        lambda s: s.delete(s.get(Director, 1)),
        {director(1), movie(1), movie(2)},
    ),
    "a row whose children the database deletes": (
        lambda s: s.delete(s.get(Movie, 1)),
        {movie(1), director(1)},
    ),
    "a row that refers to itself": (
        lambda s: setattr(s.get(Node, 2), "name", "new"),
        {
            ("Node", "", "2"),
            ("Node", "parent", "2"),
            ("Node", "parent.children", "2"),
        },
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_what_is_read_reaches_the_documents(app, change):
    act, expected = CHANGES[change]
    with app.session() as session:
        act(session)
        session.commit()
    assert set(app.entries()) == expected
    app.drain()
    assert app.waiting() == 0
    assert_index_equals_rows(app, MODELS)


UNREAD = {
    "a column of a related row": lambda s: setattr(s.get(Director, 1), "notes", "new"),
    "a column of a child": lambda s: setattr(s.get(Review, 1), "text", "new"),
    "a column of a child, by a statement": lambda s: s.execute(
        sa.update(Review).values(text="new")
    ),
    "a new row that nobody refers to": lambda s: s.add(Country(id=9, name="c9")),
    "a new linked row": lambda s: s.add(Genre(name="z", loud=True)),
    "a child of nobody": lambda s: s.add(Review(id=9, stars=1)),
}


@pytest.mark.parametrize("change", UNREAD)
def test_a_change_of_anything_else_makes_no_entry(app, change):
    with app.session() as session:
        UNREAD[change](session)
        session.commit()
    assert app.entries() == []


def test_a_change_that_is_rolled_back_reaches_nobody(app):
    with app.session() as session:
        session.get(Director, 1).name = "new"
        session.flush()
        session.rollback()
    assert app.entries() == []


def test_indexing_everything_computes_every_field(app):
    with app.database.begin() as connection:
        # Behind the back of every session.
        connection.execute(sa.text("UPDATE directors SET name = 'new'"))
    for model in (Movie, Director, Node):
        index_all(app.engines, app.engines.schema_of(model))
    assert_index_equals_rows(app, MODELS)


# --- reads -------------------------------------------------------------------------


@pytest.fixture
def indexed(app):
    app.secondary.refresh(app.engines.schemas.values())
    return app


def test_the_secondary_filters_sorts_and_shows_computed_fields(indexed):
    (found,) = Movie.get_collection(label="m2 (None), d1")
    assert (found.id, found.label, found.shout) == (2, "m2 (None), d1", found.label)
    assert found.size.name == "SHORT"
    page = Movie.get_collection(stars__gte=2, _sort="-stars", _fields="stars,label")
    assert [str(each.stars) for each in page] == ["3", "2"]
    assert [d.id for d in Director.get_collection(titles="m1")] == [1]
    assert Director.get_item(id=1).titles == ["m1", "m2"]
    assert Movie.get_collection(q="label:d1").total == 2


def test_models_of_hits_have_their_computed_fields(indexed):
    (found,) = Movie.get_collection(label="m2 (None), d1", _hydrate=True)
    assert isinstance(found, Movie)
    assert found.label == "m2 (None), d1"


def test_the_primary_shows_computed_fields_and_cannot_compare_them(indexed):
    page = Movie.get_collection(id=1, _query_secondary=False)
    assert page[0].to_dict()["label"] == "m1 (None), d1"
    page = Movie.get_collection(id=1, _fields="label", _query_secondary=False)
    assert page[0].label == "m1 (None), d1"
    for parameters in ({"label": "x"}, {"_sort": "-label"}, {"stars__exists": True}):
        with pytest.raises(InvalidParameter, match="is computed, so only a secondary"):
            Movie.get_collection(**parameters, _query_secondary=False)
        with pytest.raises(InvalidParameter):
            Movie.count(**parameters, _query_secondary=False)


def test_without_the_secondary_only_queries_that_compare_them_fail(indexed):
    indexed.engines.pause.begin(60)
    assert Movie.get_collection(id=1)[0].label == "m1 (None), d1"
    # It is asked all the same, since nobody else can answer.
    assert Movie.get_collection(label="m2 (None), d1")[0].id == 2
    indexed.engines.pause.end()


def test_an_outage_is_told_to_those_who_compare_computed_fields(
    database_url, index_prefix
):
    app = Application(database_url, "http://127.0.0.1:1", index_prefix, declare)
    try:
        for primary in app.engines.primaries.values():
            primary.setup_database()
        with pytest.raises(SecondaryUnavailable, match="computed fields have nobody"):
            Movie.get_collection(label="x")
        assert list(Movie.get_collection(title="x")) == []
    finally:
        app.close()
