"""What is in the index is what is in the rows: field by field, bar by bar."""

from collections import Counter
from datetime import date
from decimal import Decimal
from enum import Enum

import pytest
import sqlalchemy as sa
from webob.multidict import MultiDict

from examples.movies.choice import Choice
from examples.movies.compare import compare
from examples.movies.models import Director, Movie
from examples.movies.results import find

NAMED = ("director", "distributor", "genre")


def form(value):
    """A value of a row in its form in JSON, by the rules of the documentation."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    return value


def assert_equal(found, value):
    if isinstance(value, Decimal):
        assert isinstance(found, str)
        assert Decimal(found) == value
    else:
        # A whole float may be written without its point: JSON has one kind of number.
        numbers = isinstance(value, float) and type(found) is int
        assert numbers or type(found) is type(form(value))
        assert found == form(value)


def test_every_film_in_the_index_equals_its_row_field_by_field(site):
    documents = site.raw(Movie)
    with site.session() as session:
        rows = session.query(Movie).all()
        assert documents.keys() == {str(row.id) for row in rows}
        for row in rows:
            document = documents[str(row.id)]
            columns = set(Movie.__table__.columns.keys())
            assert document.keys() == columns | set(NAMED) | {"_sync"}
            for name in columns:
                assert_equal(document[name], getattr(row, name))
            for name in NAMED:
                related = getattr(row, name)
                assert document[name] == (
                    related and {"id": related.id, "name": related.name}
                )


def test_every_director_in_the_index_lists_the_films_of_its_row(site):
    documents = site.raw(Director)
    with site.session() as session:
        rows = session.query(Director).all()
        assert documents.keys() == {str(row.id) for row in rows}
        for row in rows:
            document = documents[str(row.id)]
            assert (document["id"], document["name"]) == (row.id, row.name)
            assert sorted(document["films"], key=lambda film: film["id"]) == [
                {
                    "id": film.id,
                    "title": film.title,
                    "year": film.year,
                    "imdb_rating": film.imdb_rating,
                }
                for film in row.films
            ]


def test_the_films_in_the_database_are_those_of_the_file(site, films):
    with site.session() as session:
        rows = session.query(Movie).order_by(Movie.id).limit(len(films[0])).all()
        for row, film in zip(rows, films[0], strict=True):
            for name, value in film.columns.items():
                assert getattr(row, name) == value
            for name in NAMED:
                related = getattr(row, name)
                assert (related and related.name) == getattr(film, name)


def test_the_comparison_finds_no_difference(site):
    found = compare(site.engines)
    assert found.differences == []
    assert found.documents == 3201 + 550
    assert found.fields == 3201 * 24 + 550 * 6


def test_the_comparison_tells_stale_missing_and_orphaned_apart(site):
    table = Movie.__table__
    with site.database.begin() as connection:
        # Statements on tables are heard of by nobody.
        row = connection.execute(table.select().where(table.c.id == 5)).mappings().one()
        connection.execute(table.delete().where(table.c.id == 5))
        connection.execute(table.update().where(table.c.id == 6).values(us_gross=12))
        connection.execute(table.insert().values(id=100_000, title="Unheard of"))
    try:
        differences = compare(site.engines).differences
    finally:
        with site.database.begin() as connection:
            connection.execute(table.insert().values(dict(row)))
            connection.execute(
                table.update()
                .where(table.c.id == 6)
                .values(us_gross=site.raw(Movie)["6"]["us_gross"])
            )
            connection.execute(table.delete().where(table.c.id == 100_000))
    assert "Movie 5 is indexed, but there is no row" in differences
    assert "Movie 100000 is not indexed" in differences
    assert any(text.startswith("Movie 6.us_gross is ") for text in differences)


def counted(results, name):
    for facet, values in results.facets:
        if facet.name == name:
            return {value.label: value.count for value in values}
    raise LookupError(name)


@pytest.mark.parametrize(
    ("facet", "column"),
    [
        ("genre", "genres.name"),
        ("distributor", "distributors.name"),
        ("director", "directors.name"),
        ("mpaa", "movies.mpaa_rating"),
    ],
)
def test_a_facet_counts_what_the_database_counts(site, facet, column):
    statement = sa.text(
        f"SELECT {column}, count(*) FROM movies "
        "LEFT JOIN genres ON genres.id = genre_id "
        "LEFT JOIN distributors ON distributors.id = distributor_id "
        "LEFT JOIN directors ON directors.id = director_id "
        f"WHERE {column} IS NOT NULL GROUP BY {column}"
    )
    with site.database.connect() as connection:
        expected = {row[0]: row[1] for row in connection.execute(statement)}
    found = counted(find(Choice()), facet)
    assert found == {label: expected[label] for label in found}
    assert (
        sorted(found.values(), reverse=True)
        == (sorted(expected.values(), reverse=True)[: len(found)])
    )


def test_the_histograms_count_what_the_database_counts(site):
    results = find(Choice())
    with site.session() as session:
        rows = session.query(Movie.year, Movie.imdb_rating).all()
    decades = Counter(f"{year // 10 * 10}s" for year, _ in rows if year)
    ratings = Counter(rating // 0.5 / 2 for _, rating in rows if rating)
    assert {bar.label: bar.count for bar in results.years if bar.count} == decades
    assert {
        float(bar.label.split("\N{EN DASH}")[0]): bar.count
        for bar in results.ratings
        if bar.count
    } == ratings


def test_a_decade_shows_its_years(site):
    results = find(Choice.of(MultiDict({"from": "1990", "to": "1999"})))
    with site.session() as session:
        years = Counter(
            year
            for (year,) in session.query(Movie.year).filter(
                Movie.year.between(1990, 1999)
            )
        )
    assert [int(bar.label) for bar in results.years] == list(range(1990, 2000))
    assert [bar.count for bar in results.years] == [years[y] for y in range(1990, 2000)]
    assert results.page.total == years.total()
