"""What is committed reaches the index; what is rolled back does not."""

import pytest
import sqlalchemy as sa
import transaction
import zope.sqlalchemy

from nefertari_engine_base import (
    ChangesCommitted,
    DocumentCreated,
    DocumentDeleted,
    DocumentUpdated,
)
from tests.application import Application, assert_index_equals_rows, contents
from tests.sync.models import INDEXED, Country, Director, Genre, Movie, Seat, declare

SESSION_ONLY = {
    # Triggers write an entry for each statement.
    "test_several_changes_of_a_document_in_a_transaction_make_one_entry",
}


def film(id_, title="Alien", **values):
    return Movie(id=id_, title=title, **values)


def test_a_plain_commit_creates_updates_and_deletes_the_document(app):
    with app.session() as session:
        session.add(film(1))
        session.commit()
        assert app.documents(Movie)["1"]["title"] == "Alien"
        session.get(Movie, 1).title = "Aliens"
        session.commit()
        assert app.documents(Movie)["1"]["title"] == "Aliens"
        session.delete(session.get(Movie, 1))
        session.commit()
    assert app.documents(Movie) == {}
    assert app.waiting() == 0


def test_a_rolled_back_transaction_leaves_nothing(app):
    app.save(film(1), film(2))
    with app.session() as session:
        session.add(film(3))
        session.get(Movie, 1).title = "Never"
        session.delete(session.get(Movie, 2))
        session.flush()
        session.rollback()
    assert_index_equals_rows(app, INDEXED)
    assert app.documents(Movie).keys() == {"1", "2"}
    assert app.waiting() == 0


def test_a_failed_commit_leaves_nothing(app):
    app.save(film(1))
    with app.session() as session:
        session.add(film(2))
        session.flush()
        session.execute(sa.insert(Director), [{"id": 1, "name": "x"}])
        session.add(film(1))
        with pytest.raises(sa.exc.IntegrityError):
            session.commit()
    assert app.documents(Movie).keys() == {"1"}
    assert app.waiting() == 0


def test_a_session_closed_without_a_commit_leaves_nothing(app):
    with app.session() as session:
        session.add(film(1))
        session.flush()
    assert app.documents(Movie) == {}
    assert app.waiting() == 0


def test_a_rolled_back_savepoint_leaves_nothing_of_its_own_and_all_of_the_rest(app):
    with app.session() as session:
        session.add(film(1))
        with session.begin_nested():
            session.add(film(2))
        inner = session.begin_nested()
        session.add(film(3))
        session.flush()
        session.get(Movie, 1).title = "Never"
        session.flush()
        inner.rollback()
        session.add(film(4))
        session.commit()
    assert app.documents(Movie).keys() == {"1", "2", "4"}
    assert_index_equals_rows(app, INDEXED)


def test_a_change_before_a_rolled_back_savepoint_counts_though_it_was_repeated(app):
    app.save(film(1))
    with app.session() as session:
        movie = session.get(Movie, 1)
        inner = session.begin_nested()
        movie.title = "Never"
        session.flush()
        inner.rollback()
        movie.title = "After"
        session.commit()
    assert app.documents(Movie)["1"]["title"] == "After"


def test_an_exception_in_a_savepoint_leaves_the_outer_changes(app):
    app.save(film(1))
    with app.session() as session:
        session.add(film(2))
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            session.add(film(1, "twice"))
        session.commit()
    assert_index_equals_rows(app, INDEXED)
    assert app.documents(Movie).keys() == {"1", "2"}


def test_sessions_of_pyramid_tm_sync_when_the_transaction_commits(app):
    manager = transaction.TransactionManager(explicit=True)
    manager.begin()
    session = app.session()
    zope.sqlalchemy.register(session, transaction_manager=manager)
    session.add(film(1))
    session.flush()
    assert app.documents(Movie) == {}
    manager.commit()
    assert app.documents(Movie).keys() == {"1"}


def test_an_aborted_transaction_of_pyramid_tm_leaves_nothing(app):
    manager = transaction.TransactionManager(explicit=True)
    manager.begin()
    session = app.session()
    zope.sqlalchemy.register(session, transaction_manager=manager)
    session.add(film(1))
    session.flush()
    manager.abort()
    assert app.documents(Movie) == {}
    assert app.waiting() == 0


def test_a_change_of_no_indexed_field_costs_no_entry(worker_app):
    worker_app.save(film(1))
    worker_app.drain()
    with worker_app.session() as session:
        session.get(Movie, 1).notes = "seen"
        session.commit()
    assert worker_app.entries() == []


def test_setting_a_field_to_its_own_value_costs_no_entry(worker_app):
    worker_app.save(film(1))
    worker_app.drain()
    with worker_app.session() as session:
        movie = session.get(Movie, 1)
        movie.title = "Alien 3"
        movie.title = "Alien"
        session.commit()
    assert worker_app.entries() == []


def test_several_changes_of_a_document_in_a_transaction_make_one_entry(worker_app):
    # Who shows a film is looked up when its entry is delivered, hence the second one.
    with worker_app.session() as session:
        movie = film(1)
        session.add(movie)
        session.flush()
        movie.title = "Aliens"
        session.flush()
        movie.year = 1986
        session.commit()
    assert worker_app.entries() == [("Movie", "", "1"), ("Director", "films", "1")]


def test_a_renamed_director_changes_the_documents_of_the_films(app):
    app.save(
        Director(id=1, name="Scott"), film(1, director_id=1), film(2, director_id=1)
    )
    with app.session() as session:
        session.get(Director, 1).name = "Ridley Scott"
        session.commit()
    documents = app.documents(Movie)
    assert {d["director"]["name"] for d in documents.values()} == {"Ridley Scott"}
    assert_index_equals_rows(app, INDEXED)


def test_a_renamed_country_changes_the_documents_two_steps_away(app):
    app.save(
        Country(id=1, name="UK"),
        Director(id=1, name="Scott", country_id=1),
        film(1, director_id=1),
    )
    with app.session() as session:
        session.get(Country, 1).name = "United Kingdom"
        session.commit()
    assert app.documents(Movie)["1"]["director"]["country"]["name"] == "United Kingdom"
    assert_index_equals_rows(app, INDEXED)


@pytest.mark.parametrize("how", ["reference", "relation", "collection", "expired"])
def test_a_moved_film_changes_the_documents_of_both_directors(app, how):
    app.save(
        Director(id=1, name="Scott"), Director(id=2, name="Cameron"),
        film(1, director_id=1),
    )  # fmt: skip
    with app.session() as session:
        movie, cameron = session.get(Movie, 1), session.get(Director, 2)
        if how == "reference":
            movie.director_id = 2
        elif how == "relation":
            movie.director = cameron
        elif how == "collection":
            cameron.films.append(movie)
        else:
            session.expire(movie)
            movie.director = cameron
        session.commit()
    documents = app.documents(Director)
    assert documents["1"]["films"] == []
    assert [film["title"] for film in documents["2"]["films"]] == ["Alien"]
    assert_index_equals_rows(app, INDEXED)


@pytest.mark.parametrize("expired", [False, True])
def test_a_deleted_film_leaves_its_director(app, expired):
    app.save(Director(id=1, name="Scott"), film(1, director_id=1))
    with app.session() as session:
        movie = session.get(Movie, 1)
        if expired:
            session.expire(movie)
        session.delete(movie)
        session.commit()
    assert app.documents(Director)["1"]["films"] == []
    assert_index_equals_rows(app, INDEXED)


def test_a_film_without_its_director_loses_the_embedded_document(app):
    app.save(Director(id=1, name="Scott"), film(1, director_id=1))
    with app.session() as session:
        session.delete(session.get(Director, 1))
        session.commit()
    assert app.documents(Movie)["1"]["director"] is None
    assert_index_equals_rows(app, INDEXED)


def test_links_of_many_to_many_are_followed_from_either_side(app):
    app.save(film(1), film(2), Genre(id=1, name="Horror"), Genre(id=2, name="SF"))
    with app.session() as session:
        alien, other = session.get(Movie, 1), session.get(Movie, 2)
        horror, sf = session.get(Genre, 1), session.get(Genre, 2)
        alien.genres.append(horror)
        sf.movies.append(other)
        session.commit()
        assert_index_equals_rows(app, INDEXED)
        horror.name = "Terror"
        other.genres = []
        session.commit()
    documents = app.documents(Movie)
    assert [genre["name"] for genre in documents["1"]["genres"]] == ["Terror"]
    assert documents["2"]["genres"] == []


def test_a_deleted_genre_leaves_the_documents_of_its_films(app):
    app.save(
        film(1, genres=[Genre(id=1, name="Horror"), Genre(id=2, name="SF")]), film(2)
    )
    with app.session() as session:
        session.delete(session.get(Genre, 1))
        session.commit()
    assert [genre["name"] for genre in app.documents(Movie)["1"]["genres"]] == ["SF"]
    assert_index_equals_rows(app, INDEXED)


def test_embedded_rows_that_the_database_lets_go_of_are_foreseen(app):
    app.save(
        Country(id=1, name="UK"),
        Director(id=1, name="Scott", country_id=1),
        film(1, director_id=1),
    )
    with app.session() as session:
        session.delete(session.get(Country, 1))
        session.commit()
    assert app.documents(Movie)["1"]["director"]["country"] is None
    assert_index_equals_rows(app, [Movie])


def test_a_row_that_gets_another_key_moves_its_document(app):
    app.save(film(1))
    with app.session() as session:
        session.get(Movie, 1).id = 5
        session.commit()
    assert app.documents(Movie).keys() == {"5"}


@pytest.mark.parametrize(
    "row", ["A", "a,b", "a\\,b", "", "é ü/?#%", "\\", '"', "x" * 20]
)
def test_keys_of_two_parts_survive_whatever_they_contain(app, row):
    app.save(Seat(row=row, number=1, guest="Ripley"), Seat(row=row + "x"[:0], number=2))
    assert_index_equals_rows(app, INDEXED)
    (one,) = Seat.get_collection(row=row, number=1, _refresh_index=True)
    assert (one.row, one.number, one.guest) == (row, 1, "Ripley")
    with app.session() as session:
        session.delete(session.get(Seat, (row, 1)))
        session.commit()
    assert len(app.documents(Seat)) == 1


def test_a_subscriber_of_the_application_hears_one_event_for_each_document(
    database_url, elasticsearch_url, index_prefix
):
    heard = []

    def configure(config):
        declare(config)
        for kind in (DocumentCreated, DocumentUpdated, DocumentDeleted):
            config.add_subscriber(
                lambda event: heard.append(
                    (type(event).__name__, event.ref.id, event.to_dict()["title"])
                ),
                kind,
                for_models=Movie,
            )
        config.add_subscriber(
            lambda event: heard.append(("Committed", len(event.changes))),
            ChangesCommitted,
        )

    app = Application(database_url, elasticsearch_url, index_prefix, configure).setup()
    try:
        app.save(film(1), Director(id=1, name="Scott"))
        with app.session() as session:
            session.get(Movie, 1).title = "Aliens"
            session.commit()
            session.delete(session.get(Movie, 1))
            session.commit()
    finally:
        app.close()
    assert heard == [
        ("DocumentCreated", "1", "Alien"),
        ("Committed", 2),
        ("DocumentUpdated", "1", "Aliens"),
        ("Committed", 1),
        ("DocumentDeleted", "1", "Aliens"),
        ("Committed", 1),
    ]


def test_a_subscriber_that_raises_in_the_transaction_vetoes_it(
    database_url, elasticsearch_url, index_prefix
):
    def veto(event):
        raise PermissionError("not this one")

    def configure(config):
        declare(config)
        config.add_subscriber(veto, DocumentCreated, for_models=(Movie,))

    app = Application(database_url, elasticsearch_url, index_prefix, configure).setup()
    try:
        with pytest.raises(PermissionError):
            app.save(film(1))
        assert app.rows(Movie) == {}
        assert app.documents(Movie) == {}
        assert app.waiting() == 0
    finally:
        app.close()


def test_a_subscriber_that_raises_after_the_commit_harms_nobody(
    database_url, elasticsearch_url, index_prefix, caplog
):
    def fail(event):
        raise RuntimeError("too late")

    def configure(config):
        declare(config)
        config.add_subscriber(fail, ChangesCommitted)

    app = Application(database_url, elasticsearch_url, index_prefix, configure).setup()
    try:
        app.save(film(1))
        assert app.documents(Movie).keys() == {"1"}
    finally:
        app.close()
    assert "ChangesCommitted" in caplog.text


def test_documents_have_the_methods_and_properties_of_their_model(app):
    app.save(film(1, "Blade Runner", year=1982))
    document = Movie.secondary.get_item(id=1)
    assert document.slug() == "blade-runner"
    assert document.decade == 1980
    assert type(document) is Movie.secondary
    assert Movie.secondary.primary is Movie


def test_every_document_equals_its_row_after_a_mix_of_changes(app):
    app.save(
        Country(id=1, name="UK"),
        *[Director(id=i, name=f"Director {i}", country_id=1) for i in range(1, 4)],
        *[
            film(i, f"Film {i}", year=1970 + i, director_id=i % 3 + 1)
            for i in range(30)
        ],
    )
    with app.session() as session:
        for i in range(0, 30, 3):
            session.get(Movie, i).title = f"Again {i}"
        for i in range(1, 30, 7):
            session.delete(session.get(Movie, i))
        session.get(Director, 2).name = "Somebody"
        session.commit()
    assert_index_equals_rows(app, INDEXED)
    assert contents(app.documents(Movie)["0"])["title"] == "Again 0"
