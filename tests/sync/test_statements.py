"""Statements that name no instances reach the index as the unit of work does."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased

from nefertari_engine_base import DocumentsChanged
from nefertari_engine_base.exceptions import UncapturedStatement
from nefertari_engine_base.sync.resync import resync
from nefertari_engine_base.values import Action
from tests.application import Application, assert_index_equals_rows
from tests.sync.models import (
    INDEXED,
    Country,
    Director,
    Genre,
    Movie,
    Seat,
    declare,
    movie_genres,
)

SYNCHRONIZE = ["auto", "evaluate", "fetch", False]


@pytest.fixture
def filled(worker_app):
    """Directors with films, all of them indexed."""
    app = worker_app
    app.save(
        Country(id=1, name="Iran"),
        Country(id=2, name="Japan"),
        *(Director(id=n, name=f"Director {n}", country_id=1) for n in range(1, 4)),
        Genre(id=1, name="Drama"),
    )
    app.save(
        *(
            Movie(id=n, title=f"Film {n}", year=1990 + n, director_id=1 + n % 2)
            for n in range(1, 9)
        )
    )
    if app.database.dialect.name == "postgresql":
        with app.database.begin() as connection:
            connection.execute(sa.text("SELECT setval('movies_id_seq', 5000)"))
    app.save(*(Seat(row="A,b", number=n, guest=f"Guest {n}") for n in range(3)))
    app.drain()
    assert_index_equals_rows(app, INDEXED)
    return app


def check(app):
    """Everything is delivered, and every document is its row."""
    app.drain()
    assert app.entries() == []
    assert_index_equals_rows(app, INDEXED)


def execute(app, statement, *arguments, **options):
    with app.session() as session:
        result = session.execute(statement, *arguments, execution_options=options)
        session.commit()
        return result


# --- update ---------------------------------------------------------------------


@pytest.mark.parametrize("synchronize", SYNCHRONIZE)
def test_an_update_reaches_the_documents_of_its_rows(filled, synchronize):
    statement = sa.update(Movie).where(Movie.year > 1994).values(title="Late")
    result = execute(filled, statement, synchronize_session=synchronize)
    assert result.rowcount == 4
    check(filled)
    assert filled.documents(Movie)["8"]["title"] == "Late"


@pytest.mark.parametrize("synchronize", SYNCHRONIZE)
def test_an_update_of_what_its_where_tests_reaches_the_same_rows(filled, synchronize):
    statement = sa.update(Movie).where(Movie.year > 1994).values(year=1900)
    execute(filled, statement, synchronize_session=synchronize)
    check(filled)
    assert sum(d["year"] == 1900 for d in filled.documents(Movie).values()) == 4


def test_an_update_gives_what_it_returns(filled):
    statement = sa.update(Movie).where(Movie.id < 3).values(title="New")
    with filled.session() as session:
        rows = session.execute(statement.returning(Movie.id, Movie.title)).all()
        session.commit()
    assert sorted(map(tuple, rows)) == [(1, "New"), (2, "New")]
    check(filled)


def test_an_update_that_moves_films_changes_both_directors(filled):
    execute(filled, sa.update(Movie).where(Movie.year < 1994).values(director_id=3))
    check(filled)
    assert len(filled.documents(Director)["3"]["films"]) == 3


def test_an_update_by_an_expression_moves_films_too(filled):
    statement = sa.update(Movie).values(director_id=4 - Movie.director_id)
    execute(filled, statement)
    check(filled)


def test_an_update_of_embedded_rows_reaches_the_documents_that_show_them(filled):
    execute(filled, sa.update(Country).values(name=Country.name + "!"))
    check(filled)
    assert filled.documents(Movie)["1"]["director"]["country"]["name"] == "Iran!"


def test_an_update_of_no_indexed_field_costs_no_entry(filled):
    execute(filled, sa.update(Movie).values(notes="for nobody"))
    assert filled.entries() == []


def test_an_update_of_the_key_leaves_no_document_behind(filled):
    execute(filled, sa.update(Seat).values(number=Seat.number + 10))
    check(filled)
    execute(filled, sa.update(Seat).where(Seat.number == 10).values(row="Z"))
    check(filled)


def test_an_update_by_primary_keys_reaches_its_rows(filled):
    rows = [{"id": 1, "title": "One"}, {"id": 2, "director_id": 3}]
    with filled.session() as session:
        session.execute(sa.update(Movie), rows)
        session.commit()
    check(filled)
    assert filled.documents(Movie)["1"]["title"] == "One"


def test_an_update_of_more_rows_than_a_statement_lists_is_whole(filled):
    filled.save(*(Movie(id=n, title="Many", year=2000) for n in range(100, 2300)))
    filled.drain()
    for synchronize in SYNCHRONIZE:
        statement = (
            sa.update(Movie).where(Movie.year == 2000).values(title=str(synchronize))
        )
        result = execute(filled, statement, synchronize_session=synchronize)
        assert result.rowcount == 2200
    check(filled)


def test_pending_instances_are_flushed_before_an_update(filled):
    with filled.session() as session:
        session.add(Movie(id=50, title="Pending", year=2001))
        session.execute(sa.update(Movie).where(Movie.year == 2001).values(title="Seen"))
        session.commit()
    check(filled)
    assert filled.documents(Movie)["50"]["title"] == "Seen"


def test_a_rolled_back_statement_leaves_nothing(filled):
    with filled.session() as session:
        session.execute(sa.update(Movie).values(title="Never"))
        session.rollback()
    with filled.session() as session:
        with session.begin_nested() as savepoint:
            session.execute(sa.delete(Movie).where(Movie.id == 1))
            savepoint.rollback()
        session.execute(sa.update(Movie).where(Movie.id == 2).values(title="Kept"))
        session.commit()
    assert (
        filled.entries() == [("Movie", "", "2"), ("Director", "", "1")]
        or len(filled.entries()) == 2
    )
    check(filled)


def test_query_update_and_delete_reach_the_index(filled):
    with filled.session() as session:
        session.query(Movie).filter(Movie.id == 1).update({Movie.title: "By query"})
        session.query(Movie).filter_by(id=2).update(
            {"year": 1}, synchronize_session=False
        )
        session.query(Movie).filter(Movie.id > 6).delete()
        session.commit()
    check(filled)
    assert filled.documents(Movie).keys() == {"1", "2", "3", "4", "5", "6"}


def test_a_row_that_is_committed_during_an_update_is_not_missed(filled):
    if filled.database.dialect.name == "sqlite":
        pytest.skip("SQLite lets nobody commit during an UPDATE")
    late = []

    def commit_another(connection, cursor, statement, *_):
        if statement.startswith("UPDATE movies") and not late:
            late.append(999)
            filled.save(Movie(id=999, title="late", year=2000, director_id=1))
            filled.drain()

    sa.event.listen(filled.database, "before_cursor_execute", commit_another)
    statement = sa.update(Movie).where(Movie.year > 1994)
    execute(filled, statement.values(title="Changed", director_id=3))
    assert late
    check(filled)


# --- delete ---------------------------------------------------------------------


@pytest.mark.parametrize("synchronize", SYNCHRONIZE)
def test_a_delete_removes_the_documents_of_its_rows(filled, synchronize):
    statement = sa.delete(Movie).where(Movie.year > 1994)
    result = execute(filled, statement, synchronize_session=synchronize)
    assert result.rowcount == 4
    check(filled)
    assert filled.documents(Movie).keys() == {"1", "2", "3", "4"}


def test_a_delete_gives_what_it_returns(filled):
    with filled.session() as session:
        statement = sa.delete(Movie).where(Movie.id < 3).returning(Movie.id)
        assert sorted(session.scalars(statement)) == [1, 2]
        session.commit()
    check(filled)


def test_a_delete_of_embedded_rows_reaches_the_documents_that_showed_them(filled):
    with filled.session() as session:
        movie = session.get(Movie, 1)
        movie.genres.append(session.get(Genre, 1))
        session.commit()
    check(filled)
    with filled.session() as session:
        session.execute(sa.delete(movie_genres))
        session.execute(sa.delete(Genre))
        session.commit()
    check(filled)
    assert filled.documents(Movie)["1"]["genres"] == []


# --- insert ---------------------------------------------------------------------


def insert_on(app, model):
    make = postgresql if app.database.dialect.name == "postgresql" else sqlite
    return make.insert(model)


def test_a_statement_that_is_executed_again_reaches_the_rows_of_its_new_values(filled):
    for keys in ([1, 2], [3], [4, 5, 6]):
        execute(filled, sa.update(Movie).where(Movie.id.in_(keys)).values(title="new"))
        assert {key for _, path, key in filled.entries() if not path} >= {
            *map(str, keys)
        }
        check(filled)


def test_an_insert_of_many_rows_reaches_the_index(filled):
    rows = [{"title": f"New {n}", "director_id": 3} for n in range(20)]
    execute(filled, sa.insert(Movie), rows)
    check(filled)
    assert len(filled.documents(Movie)) == 28
    assert len(filled.documents(Director)["3"]["films"]) == 20


def test_an_insert_gives_what_it_returns(filled):
    rows = [{"title": f"New {n}"} for n in range(3)]
    with filled.session() as session:
        made = session.scalars(
            sa.insert(Movie).returning(Movie, sort_by_parameter_order=True), rows
        ).all()
        assert [movie.title for movie in made] == ["New 0", "New 1", "New 2"]
        pairs = session.execute(
            sa.insert(Movie).values(title="Pair").returning(Movie.title, Movie.id)
        ).all()
        assert [title for title, _ in pairs] == ["Pair"]
        session.commit()
    check(filled)


def test_an_insert_of_values_or_of_a_select_reaches_the_index(filled):
    execute(filled, sa.insert(Movie).values([{"title": "a"}, {"title": "b"}]))
    copies = sa.select(Movie.title + " again", Movie.director_id).where(Movie.id < 4)
    execute(filled, sa.insert(Movie).from_select(["title", "director_id"], copies))
    check(filled)
    assert len(filled.documents(Movie)) == 13


def test_an_insert_of_one_row_tells_its_caller_the_key(filled):
    with filled.session() as session:
        result = session.execute(sa.insert(Movie).values(title="one"))
        (key,) = result.inserted_primary_key
        assert session.get(Movie, key).title == "one"
        result = session.execute(Movie.__table__.insert().values(title="two"))
        assert result.inserted_primary_key != (key,)
        session.commit()
    check(filled)


def test_an_upsert_reaches_what_it_inserts_and_what_it_updates(filled):
    insert = insert_on(filled, Movie)
    rows = [{"id": n, "title": f"Upsert {n}", "year": 2020} for n in (7, 8, 9)]
    execute(
        filled,
        insert.on_conflict_do_update(
            index_elements=["id"], set_={"title": insert.excluded.title}
        ),
        rows,
    )
    check(filled)
    documents = filled.documents(Movie)
    assert [documents[n]["title"] for n in "789"] == [
        "Upsert 7",
        "Upsert 8",
        "Upsert 9",
    ]


def test_an_upsert_that_moves_films_changes_both_directors(filled):
    for values in ([{"id": 1, "title": "x", "director_id": 3}], None):
        insert = insert_on(filled, Movie)
        statement = insert.on_conflict_do_update(
            index_elements=[Movie.id], set_={"director_id": insert.excluded.director_id}
        )
        if values is None:
            statement = insert.values(id=2, title="y", director_id=3)
            statement = statement.on_conflict_do_update(
                index_elements=["id"],
                set_={"director_id": statement.excluded.director_id},
            )
        execute(filled, statement, *([values] if values else []))
        check(filled)
    assert {"1", "2"} <= {
        str(film["id"]) for film in filled.documents(Director)["3"]["films"]
    }


def test_an_insert_that_does_nothing_on_conflict_touches_what_it_names(filled):
    insert = insert_on(filled, Movie).on_conflict_do_nothing()
    execute(filled, insert, [{"id": 1, "title": "old"}, {"id": 99, "title": "new"}])
    assert [key for model, _, key in filled.entries() if model == "Movie"] == [
        "1",
        "99",
    ]
    check(filled)


def test_statements_on_an_alias_reach_the_index(filled):
    film = aliased(Movie)
    execute(filled, sa.update(film).values(director_id=3).where(film.id == 1))
    execute(filled, sa.delete(film).where(film.id == 2))
    check(filled)
    assert len(filled.documents(Director)["3"]["films"]) == 1


def test_a_statement_inside_of_another_reaches_the_index(filled):
    inner = sa.insert(Movie).values(title="inside").returning(Movie)
    with filled.session() as session:
        made = session.scalars(sa.select(Movie).from_statement(inner)).one()
        assert made.title == "inside"
        session.commit()
    check(filled)
    assert len(filled.documents(Movie)) == 9


def test_inserts_in_common_table_expressions_reach_the_index(filled):
    if filled.database.dialect.name == "sqlite":
        pytest.skip("SQLite has none")
    films = [{"title": "a", "director_id": 3}, {"title": "b", "director_id": 3}]
    by_number = sa.insert(Movie).values(films).returning(Movie.title).cte("one")
    values = {"id": 4900, "title": "c", "director_id": 3}
    by_key = sa.insert(Movie).values(**values).returning(Movie.title).cte("two")
    statement = sa.select(by_number.c.title).union_all(sa.select(by_key.c.title))
    with filled.session() as session:
        assert sorted(session.scalars(statement)) == ["a", "b", "c"]
        session.commit()
    assert {key for model, path, key in filled.entries() if model == "Movie"} >= {
        "4900"
    }
    check(filled)
    assert len(filled.documents(Director)["3"]["films"]) == 3


# --- tables and legacy methods ---------------------------------------------------


def test_statements_on_the_table_of_a_model_reach_its_documents(filled):
    table = Movie.__table__
    with filled.session() as session:
        session.execute(table.update().where(table.c.id == 1).values(title="Core"))
        session.execute(table.delete().where(table.c.id == 2))
        session.execute(table.insert().values(id=70, title="By table", director_id=3))
        session.execute(table.insert(), [{"title": "a"}, {"title": "b"}])
        session.commit()
    check(filled)
    assert filled.documents(Movie)["70"]["title"] == "By table"


def test_statements_on_a_link_table_reach_both_sides(filled):
    filled.save(Genre(id=2, name="Comedy"))
    with filled.session() as session:
        rows = [{"movie_id": n, "genre_id": 1} for n in (1, 2, 3)]
        session.execute(movie_genres.insert(), rows)
        session.commit()
    check(filled)
    assert len(filled.documents(Movie)["3"]["genres"]) == 1
    with filled.session() as session:
        of_first = movie_genres.c.movie_id == 1
        session.execute(movie_genres.update().where(of_first).values(movie_id=5))
        session.execute(
            movie_genres.delete().where(
                movie_genres.c.movie_id == sa.bindparam("film")
            ),
            [{"film": 2}, {"film": 3}],
        )
        session.commit()
    check(filled)
    genres = {id_: len(d["genres"]) for id_, d in filled.documents(Movie).items()}
    assert genres == {id_: int(id_ == "5") for id_ in genres}


def _film():
    return {"title": "m", "director_id": 3}


def test_legacy_bulk_methods_reach_the_index(filled):
    with filled.session() as session:
        session.bulk_insert_mappings(Movie, [_film(), _film()])
        session.bulk_insert_mappings(Movie, [{"id": 60, "title": "keyed"}])
        session.bulk_update_mappings(Movie, [{"id": 1, "director_id": 3}])
        movie = session.get(Movie, 2)
        movie.title, movie.director_id = "saved in bulk", 3
        session.bulk_save_objects([movie, Movie(title="new"), Seat(row="x", number=9)])
        session.commit()
    check(filled)
    assert filled.documents(Movie)["2"]["title"] == "saved in bulk"
    assert len(filled.documents(Director)["3"]["films"]) == 4


# --- events ----------------------------------------------------------------------


@pytest.fixture
def subscribed(database_url, elasticsearch_url, index_prefix):
    """An application, and the events of statements that it has heard."""
    heard = []

    def configure(config):
        declare(config)
        config.add_subscriber(heard.append, DocumentsChanged, for_models=(Movie,))

    app = Application(
        database_url,
        elasticsearch_url,
        index_prefix,
        configure,
        nefertari__sync="worker",
    ).setup()
    yield app, heard
    app.close()


def test_a_statement_is_announced_once_with_a_change_for_each_row(subscribed):
    app, heard = subscribed
    app.save(*(Movie(id=n, title="t") for n in range(3)))
    execute(app, sa.update(Movie).where(Movie.id > 0).values(year=1))
    (event,) = heard
    assert event.action is Action.UPDATED
    assert {change.ref.id for change in event.changes} == {"1", "2"}
    assert {change.fields for change in event.changes} == {frozenset({"year"})}


def test_a_subscriber_may_veto_a_statement(
    database_url, elasticsearch_url, index_prefix
):
    def veto(event):
        raise ValueError("not in bulk")

    def configure(config):
        declare(config)
        config.add_subscriber(veto, DocumentsChanged)

    app = Application(database_url, elasticsearch_url, index_prefix, configure).setup()
    try:
        app.save(Movie(id=1, title="kept"))
        with app.session() as session, pytest.raises(ValueError, match="not in bulk"):
            session.execute(sa.delete(Movie))
        app.drain()
        assert app.documents(Movie).keys() == {"1"}
    finally:
        app.close()


def replace(app):
    statement = sa.insert(Movie).prefix_with("OR REPLACE")
    with app.session() as session:
        session.execute(statement, [{"id": 1, "title": "x"}])
        session.commit()


def test_workers_compare_the_models_of_a_replacing_insert(sqlite_app):
    app = sqlite_app()
    app.save(Movie(id=1, title="Alien"), Movie(id=2, title="Aliens"))
    app.drain()
    replace(app)
    assert app.entries() == []
    assert app.documents(Movie)["1"]["title"] == "Alien"
    (movies, directors) = sorted(
        resync(app.engines, app.drain), key=lambda done: -done.report.written
    )
    assert (movies.report.written, directors.report.written) == (1, 0)
    assert_index_equals_rows(app, INDEXED)
    assert resync(app.engines, app.drain) == []


def test_a_replacing_insert_is_not_executed_where_the_settings_say_so(sqlite_app):
    app = sqlite_app(nefertari__uncaptured="refuse")
    with pytest.raises(UncapturedStatement, match="INSERT OR REPLACE"):
        replace(app)
    assert app.rows(Movie) == {}


@pytest.fixture
def sqlite_app(tmp_path, elasticsearch_url, index_prefix):
    apps = []

    def make(**settings):
        url = f"sqlite:///{tmp_path}/app.sqlite"
        settings.setdefault("nefertari__sync", "worker")
        apps.append(
            Application(url, elasticsearch_url, index_prefix, declare, **settings)
        )
        return apps[-1].setup()

    yield make
    for app in apps:
        app.close()
