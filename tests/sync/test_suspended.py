"""Sync switched off for a block or a model: debts in place of outbox entries."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa
from pyramid.config import Configurator

from nefertari_engine_base import suspended, sync, visibility
from nefertari_engine_base.exceptions import (
    ConfigurationError,
    PrimaryError,
    UncapturedStatement,
    UnknownModel,
)
from nefertari_engine_base.settings import Uncaptured
from nefertari_engine_base.sync.status import sync_status
from tests.application import Application, assert_index_equals_rows
from tests.sync.models import Country, Director, Genre, Movie, Seat, declare


def debts(app):
    """Model and reason of each debt, in order."""
    with app.database.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT model, reason FROM nefertari_debt ORDER BY id")
        )
        return [tuple(row) for row in rows]


def owed(app):
    return [model for model, _ in debts(app)]


RAW = sa.text("INSERT INTO movies (id, title) VALUES (1, 'Alien')")


# --- blocks


def test_a_change_in_a_block_is_owed_and_not_delivered(app):
    with suspended(Movie):
        app.save(Movie(id=1, title="Alien"))
    assert app.entries() == []
    assert debts(app) == [("Movie", "sync was suspended")]
    assert app.documents(Movie) == {}


def test_the_block_is_found_in_the_sync_package_as_well():
    assert sync.suspended is suspended


def test_models_that_are_not_named_are_synced(app):
    with suspended(Movie):
        app.save(Seat(row="A", number=1), Movie(id=1, title="Alien"))
    assert_index_equals_rows(app, [Seat])
    assert owed(app) == ["Movie"]


def test_without_a_name_every_model_is_suspended(app):
    with suspended():
        app.save(Seat(row="A", number=1), Movie(id=1, title="Alien"))
    assert sorted(owed(app)) == ["Movie", "Seat"]
    assert app.documents(Seat) == {}


def test_documents_are_suspended_by_their_own_model_not_by_what_was_changed(app):
    director = Director(id=1, name="Scott")
    app.save(director, Movie(id=1, title="Alien", director=director))
    with suspended(Movie), app.session() as session:
        session.get(Director, 1).name = "Ridley Scott"
        session.commit()
    assert owed(app) == ["Movie"]
    assert app.documents(Director)["1"]["name"] == "Ridley Scott"
    assert app.documents(Movie)["1"]["director"]["name"] == "Scott"


def test_a_row_that_is_only_embedded_is_owed_to_the_documents_that_show_it(app):
    country = Country(id=1, name="UK")
    director = Director(id=1, name="Scott", country=country)
    app.save(director, Movie(id=1, title="Alien", director=director))
    with suspended(Movie), app.session() as session:
        session.get(Country, 1).name = "United Kingdom"
        session.commit()
    assert app.entries() == []
    assert owed(app) == ["Movie"]


def test_a_transaction_owes_a_model_once_however_much_it_changes(app):
    with suspended(Movie), app.session() as session:
        for number in range(5):
            session.add(Movie(id=number, title="Alien"))
            session.flush()
        session.execute(sa.update(Movie).values(year=1979))
        session.execute(sa.delete(Movie).where(Movie.id == 4))
        session.commit()
    assert owed(app) == ["Movie"]


def test_every_transaction_owes_by_itself(app):
    with suspended(Movie):
        app.save(Movie(id=1, title="Alien"))
        app.save(Movie(id=2, title="Aliens"))
    assert owed(app) == ["Movie", "Movie"]


def test_what_is_flushed_after_the_block_is_synced(app):
    with app.session() as session:
        with suspended(Movie):
            session.add(Movie(id=1, title="Alien"))
        session.commit()
    assert debts(app) == []
    assert_index_equals_rows(app, [Movie])


def test_blocks_add_up_and_end_one_by_one(app):
    with suspended(Movie):
        with suspended(Seat):
            app.save(Seat(row="A", number=1), Movie(id=1, title="Alien"))
        assert sorted(owed(app)) == ["Movie", "Seat"]
        app.save(Seat(row="A", number=2))
    app.save(Movie(id=2, title="Aliens"))
    assert sorted(owed(app)) == ["Movie", "Seat"]
    assert list(app.documents(Seat)) == ["A,2"]
    assert list(app.documents(Movie)) == ["2"]


def test_a_block_ends_with_an_error_too(app):
    with pytest.raises(ZeroDivisionError), suspended(Movie):
        _ = 1 / 0
    app.save(Movie(id=1, title="Alien"))
    assert debts(app) == []


def test_another_thread_is_not_suspended(app):
    with suspended(Movie):
        thread = threading.Thread(target=app.save, args=(Movie(id=1, title="Alien"),))
        thread.start()
        thread.join()
    assert debts(app) == []
    assert_index_equals_rows(app, [Movie])


def test_a_class_without_documents_cannot_be_suspended(app):
    with pytest.raises(UnknownModel, match="Genre"), suspended(Genre):
        raise AssertionError


def test_a_document_class_stands_for_its_model(app):
    with suspended(Movie.secondary):
        app.save(Movie(id=1, title="Alien"))
    assert owed(app) == ["Movie"]


# --- transactions


def test_a_rollback_takes_its_debt_back(app):
    with suspended(), app.session() as session:
        session.add(Movie(id=1, title="Alien"))
        session.flush()
        session.rollback()
    assert debts(app) == []


def test_a_savepoint_takes_its_debt_back_and_no_other(app):
    with suspended(), app.session() as session:
        session.add(Seat(row="A", number=1))
        session.flush()
        with session.begin_nested() as savepoint:
            session.add(Movie(id=1, title="Alien"))
            session.flush()
            savepoint.rollback()
        session.commit()
    assert owed(app) == ["Seat"]


def test_what_a_savepoint_owed_is_owed_again_after_its_rollback(app):
    with suspended(), app.session() as session:
        with session.begin_nested() as savepoint:
            session.add(Movie(id=1, title="Alien"))
            session.flush()
            savepoint.rollback()
        with session.begin_nested():
            session.add(Movie(id=2, title="Aliens"))
        session.add(Movie(id=3, title="Alien 3"))
        session.commit()
    assert owed(app) == ["Movie"]


def test_a_commit_that_only_owes_waits_for_nothing(app):
    with visibility("visible"), suspended(Movie):
        app.save(Movie(id=1, title="Alien"))
    assert owed(app) == ["Movie"]


def test_a_database_without_the_table_says_how_to_make_it(app):
    with app.database.begin() as connection:
        connection.execute(sa.text("DROP TABLE nefertari_debt"))
    with pytest.raises(PrimaryError, match="nefertari-es setup"), suspended(Movie):
        app.save(Movie(id=1, title="Alien"))


# --- statements that cannot be captured


def test_a_statement_that_cannot_be_captured_names_the_way_out(app):
    app.engines.settings = replace(app.engines.settings, uncaptured=Uncaptured.REFUSE)
    with app.session() as session:
        with pytest.raises(UncapturedStatement) as raised:
            session.execute(RAW)
        assert "sync.suspended(Director, Movie)" in str(raised.value)
        assert "catch-up" in str(raised.value)
        assert session.scalar(sa.select(sa.func.count()).select_from(Movie)) == 0


def test_a_statement_that_cannot_be_captured_is_executed_where_all_is_suspended(app):
    with suspended(Movie, Director), app.session() as session:
        session.execute(RAW)
        session.commit()
    assert sorted(owed(app)) == ["Director", "Movie"]
    assert list(app.rows(Movie)) == ["1"]


def test_it_is_refused_where_only_some_of_its_documents_are_suspended(app):
    app.engines.settings = replace(app.engines.settings, uncaptured=Uncaptured.REFUSE)
    with suspended(Movie), app.session() as session:
        with pytest.raises(UncapturedStatement):
            session.execute(RAW)
        session.rollback()
    assert debts(app) == []
    assert app.rows(Movie) == {}


def test_a_replacing_insert_is_executed_where_all_is_suspended(app):
    if app.database.dialect.name != "sqlite":
        pytest.skip("only SQLite has INSERT OR REPLACE")
    app.save(Movie(id=1, title="Alien"))
    statement = sa.insert(Movie).prefix_with("OR REPLACE")
    with suspended(), app.session() as session:
        session.execute(statement.values(id=1, title="Aliens"))
        session.commit()
    # Directors show their films.
    assert sorted(owed(app)) == ["Director", "Movie"]


# --- settings


@pytest.fixture
def make_app(database_url, elasticsearch_url, index_prefix):
    apps = []

    def make(**settings):
        app = Application(
            database_url, elasticsearch_url, index_prefix, declare, **settings
        )
        apps.append(app)
        return app.setup()

    yield make
    for app in apps:
        app.close()


def test_a_setting_suspends_models_for_the_whole_process(make_app):
    app = make_app(nefertari__sync__suspended="Movie Director")
    app.save(Movie(id=1, title="Alien"), Seat(row="A", number=1))
    with suspended(Seat):
        app.save(Movie(id=2, title="Aliens"), Seat(row="A", number=2))
    assert sorted(owed(app)) == ["Movie", "Movie", "Seat"]
    assert list(app.documents(Seat)) == ["A,1"]


def test_a_star_suspends_all_models(make_app):
    app = make_app(nefertari__sync__suspended="*")
    app.save(Movie(id=1, title="Alien"), Seat(row="A", number=1))
    assert sorted(owed(app)) == ["Movie", "Seat"]


def test_a_setting_that_names_no_model_is_an_error_when_the_application_is_made():
    config = Configurator(
        settings={
            "nefertari.engine": "nefertari_engine_base.primary.sqla",
            "sqlalchemy.url": "sqlite://",
            "nefertari.sync.suspended": "Movie Moovie",
        }
    )
    config.include("nefertari_engine_base")
    declare(config)
    with pytest.raises(ConfigurationError, match=r"suspended = Moovie: .*Movie, Seat"):
        config.make_wsgi_app()


# --- status


def test_status_tells_what_is_owed_why_since_when_and_how_often(app):
    with suspended(Movie):
        app.save(Movie(id=1, title="Alien"))
        app.save(Movie(id=2, title="Aliens"))
    (debt,) = sync_status(app.engines).debts
    assert (debt.secondary, debt.model, debt.count) == ("elasticsearch", "Movie", 2)
    assert debt.reason == "sync was suspended"
    assert debt.since.tzinfo is not None
