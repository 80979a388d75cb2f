"""Reads of an application, by either engine; tests/primary compares their answers."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

import pytest

from nefertari_engine_base.exceptions import (
    DocumentNotFound,
    InvalidDocumentId,
    InvalidParameter,
    QueryError,
)
from tests.application import Application
from tests.conftest import empty_database
from tests.sync.models import Country, Director, Genre, Movie, Seat, declare

WORDS = ["alien", "Blade", "runner", "Zoë", "été", "star", "Ω", "the"]


@pytest.fixture(
    scope="module",
    params=[("sqlite", "elasticsearch"), ("postgresql", "opensearch")],
    ids=lambda pair: "-".join(pair),
)
def app(request, server_of, tmp_path_factory):
    """The same films on each database with one of the search servers."""
    database, search = request.param
    with empty_database(database, server_of, tmp_path_factory) as url:
        app = Application(url, server_of(search).url, f"reads-{database}", declare)
        app.setup()
        app.save(*films())
        app.secondary.refresh(app.engines.schemas.values())
        yield app
        app.close()


def films():
    chance = random.Random(20261121)
    yield from (Country(id=i, name=name) for i, name in enumerate(["UK", "US"], 1))
    yield from (
        Director(
            id=i, name=chance.choice(WORDS), country_id=chance.choice([1, 2, None])
        )
        for i in range(1, 6)
    )
    genres = [Genre(id=i, name=word) for i, word in enumerate(WORDS[:4], 1)]
    yield from genres
    for i in range(1, 61):
        yield Movie(
            id=i,
            title=" ".join(chance.choices(WORDS, k=2)),
            year=chance.choice([None, 1979, 1982, 1986, 2001]),
            rating=chance.choice([None, 6.5, 7.25, 8.0, -1.5]),
            gross=chance.choice([None, Decimal("12.50"), Decimal("1000000.01")]),
            released=chance.choice([None, dt.date(1979, 5, 25), dt.date(2001, 1, 1)]),
            director_id=chance.choice([None, 1, 2, 3, 4, 5]),
            genres=chance.sample(genres, chance.randint(0, 3)),
        )
    yield Seat(row="a,b", number=1, guest="Ripley")


def test_hydrated_pages_have_the_primarys_instances_in_the_order_of_the_hits(app):
    page = Movie.get_collection(_sort="-year,title", _limit=15, _hydrate=True)
    hits = Movie.get_collection(_sort="-year,title", _limit=15)
    assert all(isinstance(film, Movie) for film in page)
    assert [film.id for film in page] == [hit.id for hit in hits]
    assert page.total == hits.total == 60


def test_documents_show_the_values_that_the_rows_have(app):
    for document in Movie.get_collection(_limit=None):
        row = Movie.get_item(id=document.id, _query_secondary=False)
        for name in ("title", "year", "rating", "gross", "released"):
            assert getattr(document, name) == getattr(row, name)
        assert [genre.name for genre in document.genres] == [g.name for g in row.genres]
        embedded = document.director and document.director.name
        assert embedded == (row.director and row.director.name)


def test_full_text_finds_words_in_titles_and_in_embedded_documents(app):
    in_titles = Movie.get_collection(q="title:blade", _limit=None)
    assert {film.id for film in in_titles} == {
        film.id for film in Movie.get_collection(_limit=None) if "Blade" in film.title
    }
    assert Movie.get_collection(q="UK", _search_fields="director.country.name").total


def test_an_item_is_read_in_real_time_by_its_key(app):
    assert Movie.get_item(id=7).id == 7
    assert Movie.get_item(id="7").id == 7
    assert Movie.get_item(id=999, _raise_on_empty=False) is None
    with pytest.raises(DocumentNotFound) as caught:
        Movie.get_item(id=999)
    assert caught.value.status == 404


def test_an_item_of_a_composite_key_is_read_by_its_parts_or_its_id(app):
    assert Seat.get_item(row="a,b", number=1).guest == "Ripley"
    (seat,) = Seat.get_by_ids([r"a\,b,1"])
    assert (seat.row, seat.number) == ("a,b", 1)


@pytest.mark.parametrize("secondary", [True, False])
@pytest.mark.parametrize("bad", ["x", "1.5", "", "1,2", None])
def test_an_id_of_the_wrong_type_is_a_clear_error(app, bad, secondary):
    with pytest.raises((InvalidDocumentId, InvalidParameter)) as caught:
        Movie.get_by_ids([bad], _query_secondary=secondary)
    assert caught.value.status == 400


@pytest.mark.parametrize("text", ["title:(", "AND", "[1 TO", '"', "a:b:c/"])
def test_a_q_that_is_no_lucene_is_a_clear_error_of_our_own(app, text):
    with pytest.raises(QueryError) as caught:
        Movie.get_collection(q=text)
    assert caught.value.status == 400


def test_a_page_beyond_the_window_of_the_server_is_a_clear_error(app):
    with pytest.raises(QueryError):
        Movie.get_collection(_start=20_000, _limit=20)


def test_full_text_cannot_be_asked_of_the_primary(app):
    with pytest.raises(QueryError, match="only a secondary"):
        Movie.get_collection(q="alien", _query_secondary=False)


def test_nothing_found_raises_only_when_asked_to(app):
    assert not Movie.get_collection(year=1)
    with pytest.raises(DocumentNotFound):
        Movie.get_collection(year=1, _raise_on_empty=True)


def test_explain_shows_what_each_engine_would_be_asked(app):
    assert "query" in str(Movie.get_collection(year=1979, _explain=True))
    sql = Movie.get_collection(year=1979, _explain=True, _query_secondary=False)
    assert "WHERE" in sql["sql"]


def test_chosen_fields_are_the_only_ones(app):
    (film,) = Movie.get_collection(id=1, _fields="title,year")
    assert set(film.to_dict()) == {"title", "year", "_type", "_pk"}


def test_the_search_of_the_dsl_gives_documents_of_the_generated_class(app):
    search = Movie.secondary.search().query("match", title="blade")[:5]
    hits = list(search.execute())
    assert hits
    assert all(type(hit) is Movie.secondary and "Blade" in hit.title for hit in hits)


def test_aggregations_are_answered_in_the_servers_own_form(app):
    page = Movie.get_collection(_limit=0, _aggs={"years": {"terms": {"field": "year"}}})
    buckets = page.aggregations["years"]["buckets"]
    assert {b["key"]: b["doc_count"] for b in buckets} == {
        year: Movie.count(year=year) for year in (1979, 1982, 1986, 2001)
    }
