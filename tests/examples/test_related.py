"""Films and their directors, whichever way the database has from one to the other."""

import pytest

from examples.movies.compare import compare


def listed(site, director):
    """Keys of the films that the document of a director lists."""
    document = site.Director.secondary.get_item(id=director.id)
    return [film.id for film in document.films]


@pytest.fixture
def other(site):
    """Another director, without films."""
    with site.database.begin() as store:
        director = site.Director(name="Leopold Nightjar")
        store.save(director)
    yield director
    site.remove_director(id=director.id)


def test_a_film_is_on_the_list_of_its_director_alone(site, film, other):
    former = film.director
    with site.database.begin() as store:
        row = store.find(site.Movie, id=film.id)
        row.director = store.find(site.Director, id=other.id)
        store.save(row)
    assert (listed(site, former), listed(site, other)) == ([], [film.id])
    with site.database.begin() as store:
        row = store.find(site.Movie, id=film.id)
        row.director = None
        store.save(row)
    assert (listed(site, former), listed(site, other)) == ([], [])


def test_a_deleted_film_is_on_no_list(site, film):
    with site.database.begin() as store:
        store.delete(store.find(site.Movie, id=film.id))
    assert listed(site, film.director) == []
    assert list(site.find(site.Director, id=film.director.id).films) == []


def test_a_deleted_director_leaves_films_of_nobody(site, film):
    with site.database.begin() as store:
        store.delete(store.find(site.Director, id=film.director.id))
    assert site.Movie.secondary.get_item(id=film.id).director is None
    assert site.find(site.Movie, id=film.id).director is None
    directors = site.Director.secondary
    assert directors.get_item(id=film.director.id, _raise_on_empty=False) is None


def test_a_changed_film_is_changed_in_the_list_of_its_director(site, film):
    with site.database.begin() as store:
        row = store.find(site.Movie, id=film.id)
        row.title = "The Pangolin Affair"
        store.save(row)
    document = site.Director.secondary.get_item(id=film.director.id)
    assert [film.title for film in document.films] == ["The Pangolin Affair"]


@pytest.mark.parametrize(
    "database_settings", ["mongodb"], indirect=True, scope="package"
)
def test_a_load_without_transaction_that_broke_off_is_done_anew(site, films):
    # As if it had come to the films, which are last.
    site.Movie._get_db()[site.Movie._get_collection_name()].delete_many({})
    site.database.load(films[0])
    assert compare(site.engines).differences == []
