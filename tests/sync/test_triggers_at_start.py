"""With triggers as the capture, setup makes them, and no application starts without."""

from __future__ import annotations

import logging

import pytest
import sqlalchemy as sa
from pyramid.config import Configurator
from pyramid.events import ApplicationCreated
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.primary.sqla import SQLAlchemyEngine
from nefertari_engine_base.setting_up import setting_up
from nefertari_engine_base.settings import CaptureMode, EngineSettings
from tests.sync.unheard import Unheard


class Base(DeclarativeBase):
    pass


class Film(Base):
    __tablename__ = "films"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    notes: Mapped[str | None]


class Hall(Base):
    __tablename__ = "halls"
    id: Mapped[int] = mapped_column(primary_key=True)


def start(app):
    """What Pyramid does when the application is made."""
    app.registry.notify(ApplicationCreated(object()))


def made(url, models=None, **settings):
    settings = {"nefertari__capture": "triggers", **settings}
    return Unheard(url, models or {Film: {}, Hall: {}}, **settings)


@pytest.fixture
def app(database_url):
    with made(database_url) as app:
        yield app


@pytest.mark.parametrize("capture", ["session", "triggers"])
def test_setup_goes_with_sqlalchemys_recipe_for_savepoints_of_sqlite(tmp_path, capture):
    # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
    app = made(f"sqlite:///{tmp_path}/films.sqlite", nefertari__capture=capture)
    sa.event.listen(
        app.database,
        "connect",
        lambda driver, _: setattr(driver, "isolation_level", None),
    )
    sa.event.listen(
        app.database, "begin", lambda connection: connection.exec_driver_sql("BEGIN")
    )
    with app.setup():
        app.engines.setup_database()
        with Session(app.database) as session:
            with session.begin_nested():
                session.add(Film(id=1))
            session.begin_nested().session.add(Film(id=2))
            session.flush()
            session.get_nested_transaction().rollback()
            session.commit()
        assert app.entries() == [("Film", "", "1")]
        with app.database.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


# --- the setting -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "capture"),
    [("session", CaptureMode.SESSION), (" Triggers ", CaptureMode.TRIGGERS)],
)
def test_the_setting_says_what_the_capture_is(word, capture):
    settings = EngineSettings.from_settings({"nefertari.capture": word})
    assert settings.capture is capture


@pytest.mark.parametrize("word", ["", "sessions", "both", "true"])
def test_a_setting_that_makes_no_sense_is_refused(word):
    with pytest.raises(ConfigurationError, match="session, triggers"):
        EngineSettings.from_settings({"nefertari.capture": word})
    with pytest.raises(ConfigurationError, match="session, triggers"):
        SQLAlchemyEngine(sa.create_engine("sqlite://"), capture=word)


def test_an_engine_has_the_capture_of_the_settings_or_its_own(app):
    assert app.primary.capture is CaptureMode.TRIGGERS
    assert SQLAlchemyEngine(app.database).capture is CaptureMode.SESSION
    own = SQLAlchemyEngine(app.database, capture="triggers")
    assert own.capture is CaptureMode.TRIGGERS


def test_a_setting_that_no_engine_follows_is_refused(database):
    config = Configurator(settings={"nefertari.capture": "triggers"})
    config.include("nefertari_engine_base")
    config.add_primary_engine(SQLAlchemyEngine(database))
    config.commit()
    with pytest.raises(ConfigurationError, match='capture="triggers"'):
        config.registry.notify(ApplicationCreated(object()))


# --- setup -------------------------------------------------------------------------


def test_setup_makes_triggers_and_mends_them(app):
    app.setup()
    assert app.problems() == []
    start(app)
    app.write("INSERT INTO films VALUES (1, 'a', 'b')")
    app.check()
    state, *_ = app.triggers.check()
    on = "" if app.is_sqlite else f" ON {state.table}"
    app.write(f"DROP TRIGGER {state.name}{on}")
    app.setup()
    assert app.problems() == []


def test_setup_makes_none_where_sessions_are_the_capture(database_url):
    with made(database_url, nefertari__capture="session") as app:
        app.setup()
        assert {problem for _, _, problem in app.problems()} == {"missing"}
        start(app)


# --- the start ---------------------------------------------------------------------


def refused(app, match):
    with pytest.raises(ConfigurationError, match=match) as caught:
        start(app)
    for advice in ("setup", "triggers install", "triggers sql"):
        assert f"nefertari-es {advice}" in str(caught.value)


def test_an_application_does_not_start_without_triggers(app):
    refused(app, "has no table")
    app.setup()
    app.triggers.remove()
    refused(app, "is missing, .* more are not right")
    with setting_up():
        start(app)


def test_an_application_does_not_start_with_triggers_of_other_models(app, database_url):
    app.setup()
    with made(database_url, {Film: {"exclude": ("notes",)}, Hall: {}}) as other:
        refused(other, "of films is different")
    with made(database_url, {Film: {}}) as other:
        start(other)  # what is left over loses nothing


def test_a_disabled_trigger_keeps_an_application_from_starting(
    postgresql_database_url,
):
    with made(postgresql_database_url) as app:
        app.setup()
        app.write("ALTER TABLE films DISABLE TRIGGER nefertari_insert")
        refused(app, "nefertari_insert of films is disabled")


def test_processes_that_wake_workers_and_others_start_beside_each_other(
    app, database_url
):
    app.setup()
    start(app)
    with made(database_url, nefertari__sync="off") as other:
        start(other)
        other.setup()
    start(app)


def test_a_database_that_does_not_answer_is_warned_of(caplog):
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    with (
        made(url) as app,
        caplog.at_level(logging.WARNING),
    ):
        start(app)
    assert "could not be looked at" in caplog.text


def test_the_start_costs_one_query_whatever_the_number_of_tables(app):
    app.setup()
    seen = []
    with app.database.connect() as connection:
        connection.exec_driver_sql("SELECT 1")

    @sa.event.listens_for(app.database, "before_cursor_execute")
    def count(connection, cursor, statement, parameters, context, executemany):
        seen.append(statement)

    start(app)
    assert len(seen) == 1
