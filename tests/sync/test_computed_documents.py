"""Documents with computed fields are delivered like others, alone or embedded."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.application import Application, assert_index_equals_rows
from tests.sqla.computed_models import (
    Country,
    Director,
    Dog,
    Genre,
    Movie,
    Review,
    Seat,
)

MODELS = (Movie, Director, Dog, Seat)


def declare(config) -> None:
    """Films embed their director, and directors their films, with what is computed."""
    config.add_secondary(Movie, nested=("director", "genres"))
    config.add_secondary(Director, nested=("movies",))
    config.add_secondary(Dog)
    config.add_secondary(Seat)


@pytest.fixture(params=["inline", "worker"])
def app(request, database_url, elasticsearch_url, index_prefix):
    """An application with a film and what belongs to it."""
    app = Application(
        database_url, elasticsearch_url, index_prefix, declare,
        nefertari__sync=request.param, nefertari__sync__retry_delay="0",
    ).setup()  # fmt: skip
    director = Director(id=1, name="Scott", country=Country(id=1, name="UK"))
    app.save(
        *(Movie(id=n, title=f"film {n}", director=director) for n in range(1, 5)),
        Dog(id=1, name="Rex", trick="sit"),
        Seat(row="a,b", number=1),
    )
    check(app)
    yield app
    app.close()


def check(app):
    """Everything is delivered, and every document is its row."""
    app.drain()
    assert app.waiting() == 0
    assert_index_equals_rows(app, MODELS)


def test_every_kind_of_change_arrives(app):
    with app.session() as session:
        session.get(Country, 1).name = "GB"
        session.get(Dog, 1).name = "Rax"
        session.commit()
    check(app)
    (film,) = Movie.get_collection(id=1, **{"director.origin": "Scott (GB)"})
    assert film.director.origin == "Scott (GB)"
    assert film.director.titles == [f"film {n}" for n in range(1, 5)]
    with app.session() as session:
        session.get(Movie, 2).title = "new"
        session.commit()
    check(app)
    # Its director's titles are shown by each of the director's films.
    assert app.documents(Movie)["4"]["director"]["titles"][1] == "new"
    with app.session() as session:
        film = session.get(Movie, 1)
        film.genres.append(Genre(name="loud", loud=True))
        film.reviews.append(Review(stars=5))
        session.get(Movie, 2).director = Director(id=2, name="Me")
        session.delete(session.get(Movie, 3))
        session.commit()
    check(app)
    with app.session() as session:
        session.execute(sa.update(Country).values(name="UK"))
        session.execute(sa.update(Review).values(stars=4))
        session.execute(sa.update(Genre).values(loud=False))
        session.commit()
    check(app)


def test_a_document_that_cannot_be_computed_is_refused_alone(app):
    app.save(*(Dog(id=n, name=f"Dog {n}", trick="sit") for n in range(2, 5)))
    check(app)
    with app.session() as session:
        for dog in session.scalars(sa.select(Dog)):
            dog.name = "Rex"
            dog.trick = None if dog.id == 2 else "roll"
        session.commit()
    report = app.drain()
    documents = app.documents(Dog)
    assert [documents[id_]["call"] for id_ in "134"] == ["Rex, roll!"] * 3
    assert documents["2"]["call"] == "Dog 2, sit!"
    refused = {(ref.id, reason) for ref, reason in report.errors}
    assert refused == {("2", "Dog 2: call of Dog raised LookupError: no trick")}
    with app.session() as session:
        session.get(Dog, 2).trick = "sit"
        session.commit()
    check(app)


def test_documents_have_fields_and_no_methods_for_what_is_computed(app):
    app.secondary.refresh(app.engines.schemas.values())
    (film,) = Movie.get_collection(id=1)
    assert film.label == "film 1 (None), Scott"
    assert "label" in film
    assert Movie.secondary._doc_type.mapping["label"].to_dict()["type"] == "text"
    (film,) = Movie.get_collection(id=1, _fields="id")
    assert film.label is None
