"""With triggers as the capture a process delivers what its own transactions have
written, and looks at no statement."""

from __future__ import annotations

import os

import psycopg
import pytest
import sqlalchemy as sa
from pyramid.events import ApplicationCreated
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from nefertari_engine_base.events import (
    ChangesCommitted,
    DocumentCreated,
    DocumentsChanged,
    TableChanging,
)
from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.interfaces import IFailureHandler
from nefertari_engine_base.sync.visibility import visibility
from nefertari_engine_base.values import Debt, Touch
from tests.sync.unheard import Unheard


class Base(DeclarativeBase):
    pass


class Film(Base):
    __tablename__ = "films"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]


class Hall(Base):
    __tablename__ = "halls"
    id: Mapped[int] = mapped_column(primary_key=True)
    films: Mapped[int | None]


class Failures:
    """Remembers what is told to the failure handler."""

    def __init__(self, app):
        self.told = []
        app.registry.registerUtility(self, IFailureHandler)

    def delivery_failed(self, error, waiting):
        self.told.append((error, waiting))


def made(url, **settings):
    settings = {
        "nefertari__sync": "inline", "nefertari__capture": "triggers", **settings,
    }  # fmt: skip
    return Unheard(url, {Film: {}, Hall: {}}, **settings)


@pytest.fixture
def app(database_url):
    with made(database_url) as app:
        yield app.setup()


@pytest.fixture
def postgresql_app(postgresql_database_url):
    with made(postgresql_database_url) as app:
        yield app.setup()


def is_delivered(app):
    """Nothing waits, and the documents are what the rows are."""
    return not app.entries() and all(
        app.documents(model) == app.rows(model) for model in app.models
    )


def save(app, *instances):
    with Session(app.database) as session:
        session.add_all(instances)
        session.commit()


def heard(app, event):
    """What is told of an event from now on."""
    told = []
    app.registry.registerHandler(told.append, [event])
    return told


# --- what is delivered ---------------------


@pytest.mark.parametrize("times", [1, 7])
def test_what_a_session_has_committed_is_delivered(app, times):
    # psycopg prepares what is executed often.
    for number in range(1, times + 1):
        save(app, Film(id=number, title="a"), Hall(id=number))
        assert is_delivered(app)
    assert len(app.documents(Film)) == times


@pytest.mark.parametrize(
    "statement",
    [
        sa.insert(Film).values(id=3, title="c"),
        sa.update(Film).values(title=Film.title + "!"),
        sa.delete(Film).where(sa.func.lower(Film.title) == "a"),
        sa.text("UPDATE films SET title = 'x' WHERE id = 2"),
        sa.text("DELETE FROM films"),
    ],
)
def test_what_a_statement_has_changed_is_delivered(app, statement):
    save(app, Film(id=1, title="a"), Film(id=2, title="b"))
    with Session(app.database) as session:
        session.execute(statement)
        session.commit()
    assert is_delivered(app)
    with app.database.begin() as connection:
        connection.execute(sa.text("INSERT INTO films (id, title) VALUES (9, 'y')"))
    assert is_delivered(app)


def test_what_savepoints_have_written_is_delivered_unless_they_were_rolled_back(app):
    save(app, Film(id=1), Film(id=2), Film(id=3))
    with Session(app.database) as session:
        session.get_one(Film, 1).title = "outer"
        session.flush()
        with session.begin_nested():
            session.get_one(Film, 2).title = "inner"
        savepoint = session.begin_nested()
        session.get_one(Film, 3).title = "undone"
        session.flush()
        savepoint.rollback()
        session.commit()
    titles = {id_: d["title"] for id_, d in app.documents(Film).items()}
    assert titles == {"1": "outer", "2": "inner", "3": None}
    assert is_delivered(app)


def test_what_was_rolled_back_is_nothing(app):
    with Session(app.database) as session:
        session.add(Film(id=1))
        session.flush()
        session.rollback()
        session.add(Film(id=2))
        session.commit()
    assert app.documents(Film).keys() == {"2"}
    assert is_delivered(app)


def test_what_others_have_written_is_left_to_a_worker(app):
    app.write("INSERT INTO films (id, title) VALUES (1, 'theirs')")
    save(app, Film(id=2, title="ours"))
    assert app.documents(Film).keys() == {"2"}
    assert app.entries() == [("Film", "", "1")]


def test_others_that_commit_in_between_are_left_to_a_worker(postgresql_app):
    app = postgresql_app
    with Session(app.database) as session:
        session.add(Film(id=2, title="ours"))
        session.flush()
        app.write("INSERT INTO films (id, title) VALUES (1, 'theirs')")
        session.commit()
    assert app.documents(Film).keys() == {"2"}
    assert app.entries() == [("Film", "", "1")]


def test_no_more_is_delivered_than_the_limit_says(database_url):
    with made(database_url, nefertari__sync__inline_limit="3") as app:
        app.setup()
        save(app, *(Film(id=number) for number in range(1, 6)))
        assert len(app.documents(Film)) == 3
        assert len(app.entries()) == 2
        app.check()


def test_a_database_in_memory_has_its_entries_delivered():
    with made("sqlite://") as app:
        app.setup()
        save(app, Film(id=1, title="a"))
        with Session(app.database) as session:
            session.execute(sa.update(Film).values(title="b"))
            session.commit()
        assert is_delivered(app)


def test_a_worker_does_not_deliver_inline_what_it_does(app):
    """Its own transactions are nobody's changes."""
    app.write("INSERT INTO films (id, title) VALUES (1, 'theirs')")
    asked = heard(app, TableChanging)
    app.check()
    assert is_delivered(app)
    assert asked == []


# --- how transactions end ---------------------


def test_a_serializable_transaction_is_delivered_and_in_nobodys_way(postgresql_app):
    app = postgresql_app
    save(app, Film(id=1, title="a"), Film(id=2, title="b"))
    engine = app.database.execution_options(isolation_level="SERIALIZABLE")
    with Session(engine) as one, Session(engine) as other:
        one.execute(sa.insert(Film).values(id=3, title="c"))
        other.execute(sa.insert(Film).values(id=4, title="d"))
        # Each would be in conflict with the other if its COMMIT read the outbox.
        one.commit()
        other.commit()
    assert is_delivered(app)


def test_a_transaction_of_two_phases_is_delivered(postgresql_app):
    with postgresql_app.database.connect() as connection:
        if connection.scalar(sa.text("SHOW max_prepared_transactions")) == "0":
            pytest.skip("The server prepares no transactions.")
    with Session(postgresql_app.database, twophase=True) as session:
        session.add(Film(id=1, title="a"))
        session.commit()
    assert is_delivered(postgresql_app)


def test_a_transaction_that_has_failed_ends_as_it_would_without_us(postgresql_app):
    with postgresql_app.database.connect() as connection:
        connection.execute(sa.insert(Film).values(id=1))
        with pytest.raises(sa.exc.DBAPIError):
            connection.execute(sa.text("SELECT 1 / 0"))
        # PostgreSQL answers ROLLBACK.
        connection.commit()
        assert connection.execute(sa.select(Film)).all() == []


def test_a_commit_that_fails_says_what_it_says_without_us(postgresql_app):
    app = postgresql_app
    app.write(
        "ALTER TABLE halls ADD FOREIGN KEY (films) REFERENCES films (id) "
        "DEFERRABLE INITIALLY DEFERRED"
    )
    save(app, Hall(id=2))
    with Session(app.database) as session:
        session.add(Hall(id=1, films=1))
        with pytest.raises(sa.exc.IntegrityError, match="foreign key"):
            session.commit()
    save(app, Film(id=1), Hall(id=1, films=1))
    assert is_delivered(app)


def test_who_may_not_read_the_outbox_commits_and_is_delivered(postgresql_app):
    app, role = postgresql_app, f"nefertari_guest_{os.urandom(4).hex()}"
    save(app, Film(id=1, title="a"))
    with app.database.connect() as connection:
        schema = connection.execute(sa.text("SELECT current_schema()")).scalar_one()
    app.write(
        f"CREATE ROLE {role}",
        f'GRANT USAGE ON SCHEMA "{schema}" TO {role}',
        f"GRANT UPDATE, SELECT ON films TO {role}",
    )
    try:
        for title in "bc":
            with Session(app.database) as session:
                session.execute(sa.text(f"SET LOCAL ROLE {role}"))
                session.get_one(Film, 1).title = title
                session.commit()
            assert is_delivered(app)
    finally:
        app.write(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_what_looks_elsewhere_for_tables_is_delivered(postgresql_app):
    app = postgresql_app
    save(app, Film(id=1, title="a"))
    with app.database.connect() as connection:
        schema = connection.execute(sa.text("SELECT current_schema()")).scalar_one()
    with Session(app.database) as session:
        session.execute(sa.text("SET LOCAL search_path = pg_catalog"))
        session.execute(sa.text(f"UPDATE {schema}.films SET title = 'b'"))
        session.commit()
    assert is_delivered(app)


def driver_of(session):
    """psycopg's connection, of which SQLAlchemy sees nothing that is done with it."""
    return session.connection().connection.driver_connection


def prepared(session):
    """What of ours is prepared on a session's connection, as psycopg knows."""
    names = driver_of(session)._prepared._names
    return [text for text, _ in names if b"nefertari_outbox" in text]


@pytest.mark.parametrize("factory", [psycopg.Cursor, psycopg.ClientCursor])
def test_what_is_asked_is_prepared_where_psycopg_prepares_statements(
    postgresql_app, factory
):
    app = postgresql_app

    @sa.event.listens_for(app.database, "connect")
    def connected(driver, _):
        driver.cursor_factory = factory

    app.database.dispose()
    with Session(app.database) as session:
        for number in range(12):
            session.add(Film(id=number))
            session.commit()
        # What reads rolls back, and psycopg then forgets what was prepared.
        assert len(prepared(session)) == 1
    assert is_delivered(app)


def test_nothing_is_prepared_for_whom_psycopg_may_prepare_nothing(postgresql_app):
    with Session(postgresql_app.database) as session:
        for number in range(12):
            driver_of(session).prepare_threshold = None
            session.add(Film(id=number))
            session.commit()
        assert not prepared(session)
    assert is_delivered(postgresql_app)


def test_what_was_prepared_and_is_gone_is_in_no_commits_way(postgresql_app):
    app = postgresql_app
    with Session(app.database) as session:
        for number in range(9):
            session.add(Film(id=number))
            session.commit()
        assert prepared(session)
        driver_of(session).pgconn.exec_(b"DEALLOCATE ALL")
        # SQLAlchemy's own statements are prepared, too.
        driver_of(session)._prepared._names = {
            key: name
            for key, name in driver_of(session)._prepared._names.items()
            if b"nefertari_outbox" in key[0]
        }
        session.add(Film(id=9))
        session.commit()
    assert is_delivered(app)


def test_a_statement_that_is_committed_by_itself_is_left_to_a_worker(app):
    engine = app.database.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.insert(Film).values(id=1, title="a"))
    assert app.entries() == [("Film", "", "1")]
    app.check()


# --- events ---------------------


def test_instances_are_told_of_and_statements_are_not(app):
    created, committed = heard(app, DocumentCreated), heard(app, ChangesCommitted)
    statements = heard(app, TableChanging), heard(app, DocumentsChanged)
    save(app, Film(id=1, title="a"))
    with Session(app.database) as session:
        session.execute(sa.update(Film).values(title="b"))
        session.commit()
    assert [event.change.ref.id for event in created] == ["1"]
    assert [len(event.changes) for event in committed] == [1]
    assert statements == ([], [])


def test_what_a_subscriber_touches_is_delivered_once(app):
    def touch(event):
        event.transaction.touch([Touch("memory", "Hall", "5")])
        event.transaction.owe([Debt("memory", "Hall", "ours")])

    app.write("INSERT INTO halls (id) VALUES (5)")
    app.drain()
    app.registry.registerHandler(touch, [DocumentCreated])
    save(app, Film(id=1, title="a"))
    assert app.entries() == []
    assert app.owed() == {"Hall"}


def test_a_veto_that_is_swallowed_makes_the_transaction_one_that_is_not_committed(app):
    def veto(event):
        raise LookupError("no")

    app.registry.registerHandler(veto, [DocumentCreated])
    with Session(app.database) as session:
        session.add(Film(id=1, title="a"))
        with pytest.raises(LookupError):
            session.flush()
        with pytest.raises(Exception, match=r"refused|rolled back"):
            session.commit()
    assert app.rows(Film) == {}
    assert app.entries() == []


# --- visibility ---------------------


def test_a_commit_waits_for_what_its_triggers_have_written(database_url):
    options = {
        "nefertari__sync": "worker",
        "nefertari__sync__visibility_timeout": "0.1",
    }
    with made(database_url, **options) as app:
        app.setup()
        failures = Failures(app)
        save(app, Film(id=1))
        assert failures.told == []
        with visibility("written"):
            save(app, Film(id=2), Film(id=3))
        ((error, waiting),) = failures.told
        assert waiting == 2
        assert "not applied within" in str(error)


@pytest.mark.parametrize("level", ["written", "visible"])
def test_a_commit_waits_for_all_that_is_delivered_inline(app, level):
    failures = Failures(app)
    with visibility(level):
        save(app, Film(id=1), Hall(id=1))
    assert is_delivered(app)
    assert failures.told == []


# --- an outbox of an older version ---------------------


def test_an_outbox_that_cannot_be_asked_is_an_error_at_start_and_setup_mends_it(
    postgresql_app,
):
    app = postgresql_app
    app.write("ALTER TABLE nefertari_outbox DROP COLUMN transaction_id")
    with pytest.raises(ConfigurationError, match=r"transaction.*nefertari-es setup"):
        app.registry.notify(ApplicationCreated(object()))
    app.setup()
    app.registry.notify(ApplicationCreated(object()))
    save(app, Film(id=1, title="a"))
    assert is_delivered(app)
