"""What is in the index is what is in the rows: field by field, bar by bar."""

from collections import Counter
from datetime import date
from decimal import Decimal
from enum import Enum

import pytest
from webob.multidict import MultiDict

from examples.movies.choice import Choice
from examples.movies.compare import FIELDS, compare
from examples.movies.results import find
from tests.examples.unheard import unheard

NAMED = ("director", "distributor", "genre")


@pytest.fixture(scope="module")
def rows(site):
    """The films' rows, by key; what tests of other modules change is gone by now."""
    return {row.id: row for row in site.database.rows(site.Movie)}


@pytest.fixture(scope="module")
def directors(site):
    """The directors' rows, by key."""
    return {row.id: row for row in site.database.rows(site.Director)}


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


def columns_of(site):
    """Names of the fields of a film's row, without what it is related to."""
    own = site.database.models.OWN_FIELDS.get(site.Movie, ())
    return {name for name in FIELDS["Movie"] if "." not in name} | {*own}


def test_every_film_in_the_index_equals_its_row_field_by_field(site, rows):
    documents, columns = site.raw(site.Movie), columns_of(site)
    assert documents.keys() == {str(key) for key in rows}
    for key, row in rows.items():
        document = documents[str(key)]
        assert document.keys() == {*columns, *NAMED, "_sync"}
        for name in columns:
            assert_equal(document[name], getattr(row, name))
        for name in NAMED:
            related = getattr(row, name)
            assert document[name] == (
                related and {"id": related.id, "name": related.name}
            )


def test_every_director_in_the_index_lists_the_films_of_its_row(site, directors):
    documents = site.raw(site.Director)
    assert documents.keys() == {str(key) for key in directors}
    for key, row in directors.items():
        document = documents[str(key)]
        assert (document["id"], document["name"]) == (row.id, row.name)
        assert sorted(document["films"], key=lambda film: film["id"]) == [
            {
                "id": film.id,
                "title": film.title,
                "year": film.year,
                "imdb_rating": film.imdb_rating,
            }
            for film in sorted(row.films, key=lambda film: film.id)
        ]


def test_every_director_lists_the_films_that_name_the_director(rows, directors):
    named = {}
    for film in rows.values():
        if film.director is not None:
            named.setdefault(film.director.id, set()).add(film.id)
    assert named == {
        key: {film.id for film in director.films} for key, director in directors.items()
    }


def test_the_films_in_the_database_are_those_of_the_file(rows, films):
    for row, film in zip(rows.values(), films[0], strict=True):
        for name, value in film.columns.items():
            assert getattr(row, name) == value
        for name in NAMED:
            related = getattr(row, name)
            assert (related and related.name) == getattr(film, name)


def test_the_comparison_finds_no_difference(site):
    found = compare(site.engines)
    assert found.differences == []
    assert found.documents == 3201 + 550
    own = len(site.database.models.OWN_FIELDS.get(site.Movie, ()))
    assert found.fields == 3201 * (21 + own) + 550 * 6


def test_the_comparison_tells_stale_missing_and_orphaned_apart(site):
    with unheard(site.database) as changes:
        changes.delete(5)
        changes.change(6, running_time=12)
        changes.insert(100_000, title="Unheard of")
        differences = compare(site.engines).differences
    assert "Movie 5 is indexed, but there is no row" in differences
    assert "Movie 100000 is not indexed" in differences
    assert any(text.startswith("Movie 6.running_time is ") for text in differences)


def counted(results, name):
    for facet, values in results.facets:
        if facet.name == name:
            return {value.label: value.count for value in values}
    raise LookupError(name)


def test_each_facet_counts_what_is_in_the_rows(site, rows):
    results = find(site.Movie, Choice())
    for facet, name in (
        ("genre", "genre.name"),
        ("distributor", "distributor.name"),
        ("director", "director.name"),
        ("mpaa", "mpaa_rating.value"),
    ):
        relation, _, rest = name.partition(".")
        related = (getattr(row, relation) for row in rows.values())
        expected = Counter(getattr(one, rest) for one in related if one is not None)
        found = counted(results, facet)
        assert found == {label: expected[label] for label in found}, facet
        assert (
            sorted(found.values(), reverse=True)
            == (sorted(expected.values(), reverse=True)[: len(found)])
        ), facet


def test_the_histograms_count_what_is_in_the_rows(site, rows):
    results = find(site.Movie, Choice())
    decades = Counter(f"{row.year // 10 * 10}s" for row in rows.values() if row.year)
    ratings = Counter(
        row.imdb_rating // 0.5 / 2 for row in rows.values() if row.imdb_rating
    )
    assert {bar.label: bar.count for bar in results.years if bar.count} == decades
    assert {
        float(bar.label.split("\N{EN DASH}")[0]): bar.count
        for bar in results.ratings
        if bar.count
    } == ratings


def test_a_decade_shows_its_years(site, rows):
    choice = Choice.of(MultiDict({"from": "1990", "to": "1999"}))
    results = find(site.Movie, choice)
    years = Counter(row.year for row in rows.values())
    assert [int(bar.label) for bar in results.years] == list(range(1990, 2000))
    assert [bar.count for bar in results.years] == [years[y] for y in range(1990, 2000)]
    assert results.page.total == sum(years[y] for y in range(1990, 2000))
