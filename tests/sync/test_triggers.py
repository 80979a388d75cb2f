"""What no session has written reaches the index by triggers."""

from __future__ import annotations

import os
import random

import pytest
import sqlalchemy as sa

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.sync.catch_up import catch_up
from nefertari_engine_base.values import TriggerProblem
from tests.application import Application, assert_index_equals_rows
from tests.sync.models import INDEXED, Country, Director, Genre, Movie, Seat, declare

SEED = os.environ.get("NEFERTARI_TEST_SEED") or os.urandom(4).hex()


def triggers(app):
    (found,) = app.primary.triggers(["elasticsearch"])
    return found


@pytest.fixture
def app(worker_app):
    """Rows of all models that are indexed, and triggers on their tables."""
    app = worker_app
    app.save(
        Country(id=1, name="Iran"),
        Country(id=2, name="Japan"),
        *(Director(id=n, name=f"Director {n}", country_id=1) for n in range(1, 4)),
        Genre(id=1, name="Drama"),
        Genre(id=2, name="Noir"),
    )
    app.save(*(Movie(id=n, title=f"Film {n}", director_id=n) for n in range(1, 4)))
    app.save(Seat(row="A,b", number=1, guest="Ann"))
    app.drain()
    assert_index_equals_rows(app, INDEXED)
    triggers(app).install()
    return app


def write(app, *statements, **values):
    """Write without a session, as another program does."""
    with app.database.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement), values)


def check(app):
    app.drain()
    assert app.entries() == []
    assert_index_equals_rows(app, INDEXED)


# --- rows --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO movies (id, title, director_id) VALUES (9, 'New', 1), (8, 'O', 2)",
        "UPDATE movies SET title = 'Other' WHERE id = 1",
        "UPDATE movies SET id = 77 WHERE id = 1",
        "UPDATE movies SET director_id = 2 WHERE id = 1",
        "UPDATE movies SET director_id = NULL",
        "UPDATE movies SET director_id = 3, id = id + 10",
        "DELETE FROM movies WHERE id = 2",
        "DELETE FROM movies",
        "UPDATE directors SET name = 'Someone'",
        "UPDATE directors SET country_id = 2 WHERE id < 3",
        "UPDATE countries SET name = 'Persia' WHERE id = 1",
        "INSERT INTO movie_genres (movie_id, genre_id) VALUES (1, 1), (2, 1), (1, 2)",
        "INSERT INTO seats VALUES ('', 1, 'B'), ('\\,x', 2, 'C'), ('a\\', 3, 'D')",
        "UPDATE seats SET \"row\" = '\\', number = 5",
        "DELETE FROM seats",
        "INSERT INTO movies (id, title) SELECT id + 100, title FROM movies",
        "INSERT INTO movies (id, title) VALUES (1, 'Upserted') "
        "ON CONFLICT (id) DO UPDATE SET title = 'Upserted', director_id = 3",
        "INSERT INTO movies (id, title) VALUES (1, 'Ignored') ON CONFLICT DO NOTHING",
    ],
)
def test_a_statement_of_another_program_reaches_the_index(app, statement):
    write(app, statement)
    check(app)


def test_changes_of_links_reach_the_documents_of_both_sides(app):
    write(app, "INSERT INTO movie_genres VALUES (1, 1), (2, 1), (2, 2)")
    check(app)
    assert [g["name"] for g in app.documents(Movie)["2"]["genres"]] == ["Drama", "Noir"]
    write(app, "UPDATE movie_genres SET movie_id = 3 WHERE genre_id = 2")
    check(app)
    write(app, "UPDATE genres SET name = 'Comedy' WHERE id = 1")
    check(app)
    write(app, "DELETE FROM movie_genres WHERE movie_id = 1")
    check(app)


def test_an_update_of_what_no_document_shows_writes_no_entry(app):
    write(
        app,
        "UPDATE movies SET notes = 'Seen'",
        "UPDATE movies SET title = title, year = NULL",
        "UPDATE directors SET notes = 'Met'",
    )
    assert app.entries() == []


def test_several_changes_of_a_document_in_a_statement_write_one_entry(app):
    write(app, "UPDATE movies SET title = 'T', year = 2000, rating = 3 WHERE id = 1")
    assert sorted(app.entries()) == [("Director", "", "1"), ("Movie", "", "1")]


def test_what_was_rolled_back_writes_no_entry(app):
    with app.database.connect() as connection:
        connection.execute(sa.text("UPDATE movies SET title = 'Never'"))
        connection.rollback()
    assert app.entries() == []


def test_a_document_that_both_captures_touch_is_written_once_by_a_delivery(app):
    with app.session() as session:
        session.get(Movie, 1).title = "Twice"
        session.commit()
    assert app.entries().count(("Movie", "", "1")) == 2
    report = app.drain()
    assert report.written == 2  # the film and its director
    check(app)


def test_rows_that_the_database_cascades_to_reach_the_index(app):
    if app.database.dialect.name == "sqlite":
        with app.database.begin() as connection:
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.execute(sa.text("DELETE FROM countries WHERE id = 1"))
    else:
        write(app, "DELETE FROM countries WHERE id = 1")
    check(app)
    assert "country" not in app.documents(Director)["1"] or not app.documents(Director)[
        "1"
    ].get("country_id")


def test_a_copy_of_many_rows_writes_their_entries(app):
    if app.database.dialect.name != "postgresql":
        pytest.skip("COPY is PostgreSQL's")
    connection = app.database.raw_connection()
    try:
        cursor = connection.cursor()
        with cursor.copy("COPY movies (id, title, director_id) FROM STDIN") as copy:
            for number in range(100, 2100):
                copy.write_row((number, f"Copied {number}", 1 + number % 3))
        connection.commit()
    finally:
        connection.close()
    assert len(app.entries()) == 2000 + 3
    check(app)


def test_a_truncated_table_is_owed_and_caught_up_with(app):
    if app.database.dialect.name != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    write(app, "TRUNCATE movies CASCADE")
    assert app.entries() == []
    (outbox,) = app.engines.outboxes()
    models = {debt.model for debt in outbox.status().debts}
    assert models == {"Movie", "Director"}
    for model in (Movie, Director):
        catch_up(app.engines, app.engines.schema_of(model))
    assert app.documents(Movie) == {}
    check(app)


def test_a_row_that_another_one_replaces_leaves_the_index(app):
    if app.database.dialect.name != "sqlite":
        pytest.skip("INSERT OR REPLACE is SQLite's")
    write(
        app, "INSERT OR REPLACE INTO movies (id, title, director_id) VALUES (1,'R',2)"
    )
    check(app)
    write(app, "INSERT OR REPLACE INTO directors (id, name) VALUES (2, 'Replaced')")
    check(app)
    write(app, "UPDATE OR REPLACE movies SET id = 3 WHERE id = 1")
    check(app)


def test_a_writer_needs_no_right_on_the_outbox(app):
    if app.database.dialect.name != "postgresql":
        pytest.skip("SQLite has no rights")
    role = f"nefertari_guest_{os.urandom(4).hex()}"
    with app.database.connect() as connection:
        schema = connection.execute(sa.text("SELECT current_schema()")).scalar_one()
    write(
        app,
        f"CREATE ROLE {role}",
        f'GRANT USAGE ON SCHEMA "{schema}" TO {role}',
        f"GRANT UPDATE, SELECT ON movies TO {role}",
    )
    try:
        with app.database.connect() as connection:
            # As another program does it.
            driver = connection.connection.driver_connection
            driver.execute(f"SET LOCAL ROLE {role}")
            driver.execute("UPDATE movies SET title = 'Theirs'")
            driver.commit()
        check(app)
    finally:
        write(app, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_trigger_wakes_a_worker_that_listens(app):
    if app.database.dialect.name != "postgresql":
        pytest.skip("SQLite cannot notify")
    listener = app.database.raw_connection()
    try:
        listener.driver_connection.autocommit = True
        listener.driver_connection.execute("LISTEN nefertari_outbox")
        write(app, "UPDATE movies SET title = 'Heard' WHERE id = 1")
        heard = list(listener.driver_connection.notifies(timeout=30, stop_after=1))
        assert len(heard) == 1
        write(app, "UPDATE movies SET notes = 'Not heard'")
        assert not list(listener.driver_connection.notifies(timeout=0))
    finally:
        listener.driver_connection.autocommit = False
        listener.invalidate()


# --- anything ----------------------------------------------------------------------


def random_statement(random_):
    """Some change of some rows, as nobody would make it on purpose."""
    movie, other, director = (random_.randint(1, n) for n in (12, 12, 5))
    genre, country = random_.randint(1, 3), random_.randint(1, 3)
    maybe = random_.choice([director, director, "NULL"])
    word = random_.randrange(1000)
    return random_.choice(
        [
            f"INSERT INTO movies (id, title, director_id) VALUES ({movie}, 'M{word}', "
            f"{maybe}) ON CONFLICT (id) DO UPDATE SET title = 'U{word}', "
            f"director_id = excluded.director_id",
            f"UPDATE movies SET director_id = {maybe} WHERE id > {movie}",
            f"UPDATE movies SET title = 'T{word}' WHERE director_id = {director}",
            f"UPDATE movies SET id = {other} WHERE id = {movie}",
            f"DELETE FROM movies WHERE id BETWEEN {movie} AND {movie + 2}",
            f"INSERT INTO directors (id, name, country_id) "
            f"VALUES ({director}, 'D{word}', {country})",
            f"UPDATE directors SET country_id = {country}",
            f"UPDATE directors SET name = 'N{word}' WHERE id = {director}",
            f"DELETE FROM directors WHERE id = {director}",
            f"INSERT INTO countries (id, name) VALUES ({country}, 'C{word}')",
            f"DELETE FROM countries WHERE id = {country}",
            f"UPDATE countries SET name = 'L{word}'",
            f"INSERT INTO genres (id, name) VALUES ({genre}, 'G{word}')",
            f"DELETE FROM genres WHERE id = {genre}",
            f"INSERT INTO movie_genres VALUES ({movie}, {genre})",
            f"UPDATE movie_genres SET movie_id = {other} WHERE movie_id = {movie}",
            f"DELETE FROM movie_genres WHERE genre_id = {genre}",
        ]
    )


@pytest.mark.parametrize("keys", ["obeyed", "ignored"])
def test_random_statements_of_another_program_leave_nothing_stale(app, keys):
    """With ``ignored`` foreign keys, as SQLite's console has them, rows refer to
    others that come later, or not at all."""
    if app.database.dialect.name == "postgresql" and keys == "ignored":
        pytest.skip("PostgreSQL obeys them")
    print(f"NEFERTARI_TEST_SEED={SEED}")  # noqa: T201 - shown when the test fails
    random_ = random.Random(SEED)
    for _ in range(12):
        for _ in range(random_.randint(1, 12)):
            statement = random_statement(random_)
            try:
                with app.database.begin() as connection:
                    if app.database.dialect.name == "sqlite":
                        obeyed = "ON" if keys == "obeyed" else "OFF"
                        connection.exec_driver_sql(f"PRAGMA foreign_keys = {obeyed}")
                    connection.exec_driver_sql(statement)
            except sa.exc.IntegrityError:
                continue
        check(app)


# --- life --------------------------------------------------------------------------


def problems(app):
    return {s.problem for s in triggers(app).check()}


def test_triggers_are_made_found_right_and_removed(app):
    assert problems(app) == {None}
    assert {s.problem for s in triggers(app).install()} == {None}
    assert triggers(app).remove()
    assert problems(app) == {TriggerProblem.MISSING}
    write(app, "UPDATE movies SET title = 'Unseen'")
    assert app.entries() == []


def test_a_trigger_that_is_not_as_it_should_be_is_found_and_renewed(app):
    states = triggers(app).check()
    postgresql = app.database.dialect.name == "postgresql"
    drop = (
        "DROP TRIGGER {0.name} ON {0.table}" if postgresql else "DROP TRIGGER {0.name}"
    )
    missing, *others = (state for state in states if state.table == "movies")
    write(app, drop.format(missing))
    found = {TriggerProblem.MISSING}
    if postgresql:
        write(app, f"ALTER TABLE movies DISABLE TRIGGER {others[0].name}")
        found.add(TriggerProblem.DISABLED)
    assert problems(app) == {None, *found}
    triggers(app).install()
    assert problems(app) == {None}
    check(app)


def test_triggers_of_models_that_are_gone_are_left_over_until_the_next_install(app):
    settings = app.settings

    def fewer(config):
        config.add_secondary(Seat)

    other = Application(
        settings["sqlalchemy.url"],
        settings["elasticsearch.hosts"],
        settings["elasticsearch.index_prefix"],
        fewer,
        nefertari__sync="worker",
    )
    try:
        assert problems(other) == {None, TriggerProblem.LEFT_OVER}
        triggers(other).install()
        assert problems(other) == {None}
        assert {state.table for state in triggers(other).check()} == {"seats"}
    finally:
        other.engines.close()
        other.database.dispose()


def test_triggers_wait_for_the_tables(database_url, elasticsearch_url, index_prefix):
    app = Application(database_url, elasticsearch_url, index_prefix, declare)
    try:
        with pytest.raises(PrimaryError, match="nefertari-es setup"):
            triggers(app).install()
        assert not triggers(app).remove()
    finally:
        app.close()
