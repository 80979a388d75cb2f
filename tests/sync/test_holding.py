"""Entries that travel with the COMMIT are as safe as those of a statement of their own.

On PostgreSQL, since only psycopg holds entries; what a rolled-back transaction and its
savepoints leave behind is asked on every database by the other tests of this folder.
"""

from __future__ import annotations

import gc
import itertools
import tempfile
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.interfaces import IDocumentCreated
from nefertari_engine_base.primary.sqla import SQLAlchemyEngine
from nefertari_engine_base.values import Touch
from tests.application import Application, assert_index_equals_rows
from tests.sync.models import INDEXED, Director, Movie, Seat, declare
from tests.sync.working import until


@pytest.fixture
def make_app(postgresql_database_url, elasticsearch_url, index_prefix):
    """Function that makes the application; its arguments are settings."""
    made = []

    def make(**chosen):
        app = Application(
            postgresql_database_url, elasticsearch_url, index_prefix, declare,
            **{"nefertari__sync": "worker", **chosen},
        )  # fmt: skip
        made.append(app)
        return app.setup()

    yield make
    for app in made:
        app.close()


@pytest.fixture
def app(make_app):
    """Nothing is delivered until ``drain()``."""
    return make_app()


def film(id_, title="Alien", **values):
    return Movie(id=id_, title=title, **values)


def driver_of(session):
    """psycopg's connection, of which SQLAlchemy sees nothing that is done with it."""
    return session.connection().connection.driver_connection


def flushed(session, *instances):
    """The driver's connection, after a flush that is the last that was done."""
    driver = driver_of(session)
    session.add_all(instances)
    session.flush()
    return driver


def keys(app):
    return [key for model, _, key in app.entries() if model == "Movie"]


# --- round trips --------------------------------------------------------------------


class Base(DeclarativeBase):
    """The base of what has no documents."""


class Plain(Base):
    """Has no documents."""

    __tablename__ = "plain"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


def round_trips(session, write):
    """How often the server has said that it is ready for more while something was
    written and committed."""
    driver = driver_of(session)
    session.rollback()
    with tempfile.TemporaryFile() as trace:
        driver.pgconn.trace(trace.fileno())
        write(session)
        session.commit()
        driver.pgconn.untrace()
        trace.seek(0)
        return trace.read().count(b"ReadyForQuery")


@pytest.mark.parametrize("threshold", [0, None], ids=["prepared", "not-prepared"])
def test_the_entries_of_the_last_flush_cost_no_round_trip(app, threshold):
    Base.metadata.create_all(app.database)
    sa.event.listen(
        app.database,
        "connect",
        lambda driver, _: setattr(driver, "prepare_threshold", threshold),
    )
    app.database.dispose()
    with app.session() as session:
        for number in range(3):
            session.add(film(number))
            session.commit()
            session.add(Plain(id=number, title="Alien"))
            session.commit()
        session.rollback()
        driver_of(session)
        assert round_trips(session, lambda s: s.add(film(8))) == round_trips(
            session, lambda s: s.add(Plain(id=8, title="Alien"))
        )
    assert keys(app) == ["0", "1", "2", "8"]


def test_the_insert_is_prepared_where_psycopg_prepares_statements(app):
    with app.session() as session:
        for number in range(20):
            session.add(film(number))
            session.commit()
        names = driver_of(session)._prepared._names
        assert [text for text, _ in names if b"nefertari_outbox" in text]


# --- what is done before the commit -------------------------------------------------


def test_the_next_statement_finds_the_entries_of_a_flush(app):
    with app.session() as session:
        session.add(film(1))
        session.flush()
        found = session.scalars(sa.text("SELECT key FROM nefertari_outbox")).all()
        assert found == ["1"]


@pytest.mark.parametrize(
    "execute",
    [
        lambda session: session.execute(sa.text("COMMIT")),
        lambda session: session.connection().exec_driver_sql("COMMIT"),
        lambda session: session.connection().execute(sa.text("/* now */ COMMIT")),
    ],
)
def test_a_commit_that_is_executed_as_a_text_commits_the_entries(app, execute):
    with app.session() as session:
        session.add(film(1))
        session.flush()
        execute(session)
        assert keys(app) == ["1"]


@pytest.mark.parametrize("end", [Session.commit, Session.rollback, Session.close])
def test_a_commit_by_the_drivers_connection_is_noticed_at_the_end(app, end):
    with app.session() as session:
        flushed(session, film(1)).commit()
        end(session)
    assert keys(app) == ["1"]
    app.drain()
    assert_index_equals_rows(app, INDEXED)


def test_many_entries_of_one_flush_are_all_there(app):
    for count in (1, 2, 4, 5, 300):
        with app.session() as session:
            session.add_all([film(n) for n in range(1000 * count, 1001 * count)])
            session.commit()
    app.drain()
    assert_index_equals_rows(app, INDEXED)
    assert len(app.documents(Movie)) == 312


def test_entries_of_several_flushes_are_all_there(app):
    with app.session() as session:
        for number in range(3):
            session.add(film(number))
            session.flush()
        session.commit()
    assert keys(app) == ["0", "1", "2"]


def test_what_a_later_flush_changes_again_has_one_entry(app):
    with app.session() as session:
        session.add(movie := film(1))
        session.flush()
        movie.title = "Aliens"
        session.commit()
    assert keys(app) == ["1"]


# --- rollbacks ----------------------------------------------------------------------


def test_a_rolled_back_flush_leaves_no_entries(app):
    with app.session() as session:
        session.add(film(1))
        session.flush()
        session.rollback()
        session.add(film(2))
        session.commit()
    assert keys(app) == ["2"]


def test_a_savepoint_takes_its_own_entries_back(app):
    with app.session() as session:
        session.add(film(1))
        session.flush()
        savepoint = session.begin_nested()
        session.add(film(2))
        session.flush()
        savepoint.rollback()
        session.commit()
    assert keys(app) == ["1"]


def test_a_savepoint_is_rolled_back_after_a_failure_that_nobody_has_seen(app):
    with app.session() as session:
        session.add(film(1))
        savepoint = session.begin_nested()
        driver = flushed(session, film(2))
        with pytest.raises(psycopg.errors.SyntaxError):
            driver.execute("no SQL")
        savepoint.rollback()
        session.commit()
    assert keys(app) == ["1"]


def test_a_document_of_a_savepoint_that_is_gone_gets_its_entry_again(app):
    with app.session() as session:
        session.add(movie := film(1))
        session.commit()
        app.drain()
        savepoint = session.begin_nested()
        movie.title = "Never"
        session.flush()
        savepoint.rollback()
        movie.title = "Aliens"
        session.commit()
    assert keys(app) == ["1"]


def test_an_abandoned_session_leaves_nothing_to_who_gets_its_connection(app):
    session = app.session()
    driver = flushed(session, film(1))
    del session
    gc.collect()
    with app.session() as session:
        assert driver_of(session) is driver
        session.execute(sa.text("SET TRANSACTION READ ONLY"))
        session.commit()
    assert keys(app) == []


def test_a_commit_that_the_database_refuses_leaves_nothing(app):
    with app.database.begin() as connection:
        connection.exec_driver_sql(
            "ALTER TABLE movies DROP CONSTRAINT movies_director_id_fkey, "
            "ADD FOREIGN KEY (director_id) REFERENCES directors "
            "DEFERRABLE INITIALLY DEFERRED"
        )
    with app.session() as session:
        session.add(film(1, director_id=7))
        with pytest.raises(sa.exc.IntegrityError, match="directors"):
            session.commit()
        session.rollback()
        session.add(film(2))
        session.commit()
    assert keys(app) == ["2"]


def test_a_transaction_that_cannot_be_serialized_can_be_retried(app):
    engine = app.database.execution_options(isolation_level="SERIALIZABLE")
    with Session(engine) as one, Session(engine) as other:
        for number, session in enumerate((one, other)):
            count = len(session.scalars(sa.select(Movie)).all())
            session.add(film(number, title=f"after {count}"))
            session.flush()
        one.commit()
        with pytest.raises(sa.exc.OperationalError) as caught:
            other.commit()
        assert caught.value.orig.sqlstate == "40001"
        other.rollback()
        other.add(film(2))
        other.commit()
    assert keys(app) == ["0", "2"]


def test_a_database_without_an_outbox_says_what_to_do(app):
    with app.session() as session:
        for number in range(10):
            session.add(film(number))
            session.commit()
        driver = flushed(session, film(11))
        driver.cursor().execute("DROP TABLE nefertari_outbox")
        with pytest.raises(PrimaryError, match="setup_database"):
            session.commit()
    with app.session() as session:
        # The same connection, as it was.
        assert driver_of(session) is driver
        assert "11" not in app.rows(Movie)


# --- connections --------------------------------------------------------------------


def test_a_lost_connection_commits_nothing_and_is_replaced(app):
    with app.session() as session:
        driver = flushed(session, film(1))
        terminate(app, driver.info.backend_pid)
        with pytest.raises(sa.exc.OperationalError) as caught:
            session.commit()
        assert caught.value.connection_invalidated
        session.rollback()
        session.add(film(2))
        session.commit()
    assert keys(app) == ["2"]


def test_a_connection_that_is_lost_in_the_commit_commits_nothing(app):
    with app.session() as session, ThreadPoolExecutor() as threads:
        driver = flushed(session, film(1))
        with app.database.connect() as connection:
            connection.exec_driver_sql("LOCK TABLE nefertari_outbox IN EXCLUSIVE MODE")
            commit = threads.submit(session.commit)
            until(lambda: is_waiting(app, driver.info.backend_pid))
            terminate(app, driver.info.backend_pid)
            with pytest.raises(sa.exc.OperationalError):
                commit.result(timeout=60)
        session.rollback()
        session.add(film(2))
        session.commit()
    assert keys(app) == ["2"]


def is_waiting(app, pid):
    """Whether a backend waits for a lock."""
    with app.database.connect() as connection:
        statement = sa.text("SELECT wait_event_type FROM pg_stat_activity WHERE pid=:p")
        return connection.scalar(statement, {"p": pid}) == "Lock"


def terminate(app, pid):
    with app.database.connect() as connection:
        connection.execute(
            sa.text("SELECT pg_terminate_backend(:p, 10000)"), {"p": pid}
        )


#: psycopg forgets what it has prepared, and the server is told to, after these.
FORGETTING = ("DROP TABLE IF EXISTS nothing", "ALTER TABLE movies DISABLE TRIGGER USER")


@pytest.mark.parametrize("statement", FORGETTING)
def test_what_psycopg_forgets_between_transactions_is_not_used(app, statement):
    with app.session() as session:
        for number in range(30):
            if number % 10 == 9:
                driver_of(session).execute(statement)
                session.commit()
            session.add(film(number))
            session.commit()
    assert len(keys(app)) == 30


@pytest.mark.parametrize("statement", FORGETTING)
def test_what_psycopg_forgets_between_flush_and_commit_is_not_used(app, statement):
    with app.session() as session:
        for number in range(30):
            driver = flushed(session, film(number))
            if number % 10 == 9:
                driver.execute(statement)
            session.commit()
    assert len(keys(app)) == 30


def test_what_psycopg_forgets_with_a_rollback_is_not_used(app):
    with app.session() as session:
        for number in range(30):
            session.add(film(number))
            session.commit() if number % 10 < 9 else session.rollback()
    assert len(keys(app)) == 27


def test_a_drivers_pipeline_gets_the_entries_as_statements(app):
    with app.session() as session, flushed(session, film(1)).pipeline():
        session.commit()
    assert keys(app) == ["1"]


def test_a_drivers_cursor_may_be_used_between_flush_and_commit(app):
    with app.session() as session:
        cursor = flushed(session, film(1)).cursor()
        with cursor.copy("COPY seats (row, number) FROM STDIN") as copy:
            copy.write_row(("A", 1))
        session.commit()
    assert keys(app) == ["1"]


def test_a_session_in_autocommit_holds_nothing_back(app):
    with app.session() as session:
        session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        session.add(film(1))
        session.flush()
        assert keys(app) == ["1"]


def test_a_dialect_that_commits_in_a_way_of_its_own_goes_on_to(
    postgresql_database_url, elasticsearch_url, index_prefix
):
    engine = sa.create_engine(postgresql_database_url)
    commit, commits = engine.dialect.do_commit, []

    def own_commit(connection):
        commits.append(connection)
        commit(connection)

    engine.dialect.do_commit = own_commit

    def declare_with_engine(config):
        config.add_primary_engine(SQLAlchemyEngine(engine))
        declare(config)

    app = Application(
        "unused", elasticsearch_url, index_prefix, declare_with_engine,
        nefertari__engine="nefertari_es", nefertari__sync="worker",
    ).setup()  # fmt: skip
    commits.clear()
    app.save(film(1))
    assert len(commits) == 1
    assert keys(app) == ["1"]
    app.close()


def test_two_phases_have_the_entries_in_the_first(app):
    with app.database.connect() as connection:
        if connection.scalar(sa.text("SHOW max_prepared_transactions")) == "0":
            pytest.skip("the server allows no prepared transactions")
    with Session(app.database, twophase=True) as session:
        session.add(film(1))
        session.prepare()
        assert keys(app) == []
        with app.database.connect() as connection:
            # As a transaction manager does for a process that is gone.
            connection.execution_options(isolation_level="AUTOCOMMIT")
            name = connection.scalar(sa.text("SELECT gid FROM pg_prepared_xacts"))
            connection.exec_driver_sql(f"COMMIT PREPARED '{name}'")
        assert keys(app) == ["1"]
        with pytest.raises(sa.exc.ProgrammingError):
            session.commit()


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1"])
@pytest.mark.parametrize(
    "row", ["'", "\\", "%s %(x)s $1", "a,b", "é", "\r\n\t", "'); COMMIT; --", "x" * 20]
)
def test_keys_arrive_as_they_are(app, encoding, row):
    with app.session() as session:
        session.execute(sa.text(f"SET client_encoding TO {encoding}"))
        for number in range(8):
            session.add(Seat(row=row, number=number))
            session.commit()
    app.drain()
    assert_index_equals_rows(app, INDEXED)
    assert len(app.documents(Seat)) == 8


def test_a_key_that_the_database_refuses_is_refused(app):
    with app.session() as session:
        session.add(Seat(row="\0", number=1))
        with pytest.raises(sa.exc.DataError):
            session.commit()
    assert app.entries() == []


def test_an_entry_that_the_database_refuses_is_refused(app):
    app.registry.registerHandler(
        lambda event: event.transaction.touch([Touch("elasticsearch", "Movie", "\0")]),
        (IDocumentCreated,),
    )
    with app.session() as session:
        session.add(film(1))
        with pytest.raises(sa.exc.DataError):
            session.commit()
    assert app.entries() == []
    assert app.rows(Movie) == {}


# --- delivery -----------------------------------------------------------------------


def test_inline_delivery_finds_the_entries_that_came_with_the_commit(make_app):
    app = make_app(nefertari__sync="inline")
    with app.session() as session:
        for number in range(10):
            session.add(film(number, director=Director(id=number, name="d")))
            session.commit()
    assert app.waiting() == 0
    assert_index_equals_rows(app, INDEXED)


# --- any order ----------------------------------------------------------------------

STEPS = (
    *("add", "change", "delete", "flush", "read", "begin", "release", "undo"),
    *("commit", "rollback", "forget", "text commit", "driver commit"),
)


class Walk:
    """Takes steps with a session, which it begins anew where one has ended it."""

    numbers = itertools.count()

    def __init__(self, app):
        self.app = app
        self.session = app.session()
        self.savepoints = []

    def step(self, name):
        getattr(self, name.replace(" ", "_"))()

    def movie(self):
        return self.session.scalars(sa.select(Movie).limit(1)).first()

    def add(self):
        self.session.add(film(next(self.numbers)))

    def change(self):
        if movie := self.movie():
            movie.title = f"Alien {next(self.numbers)}"

    def delete(self):
        if movie := self.movie():
            self.session.delete(movie)

    def flush(self):
        self.session.flush()

    def read(self):
        self.session.execute(sa.text("SELECT 1"))

    def begin(self):
        self.savepoints.append(self.session.begin_nested())

    def release(self):
        if self.savepoints:
            self.savepoints.pop().commit()

    def undo(self):
        if self.savepoints:
            self.savepoints.pop().rollback()

    def forget(self):
        self.session.flush()
        driver_of(self.session).execute(FORGETTING[0])

    def commit(self):
        self.savepoints = []
        self.session.commit()

    def rollback(self):
        self.savepoints = []
        self.session.rollback()

    def text_commit(self):
        if not self.savepoints:
            self.session.flush()
            self.session.execute(sa.text("COMMIT"))
            self._begin_anew()

    def driver_commit(self):
        if not self.savepoints:
            driver = driver_of(self.session)
            self.session.flush()
            driver.commit()
            self._begin_anew()

    def _begin_anew(self):
        self.session.close()
        self.session = self.app.session()


@settings(
    max_examples=40,
    deadline=None,
    print_blob=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from(STEPS), max_size=30))
def test_whatever_is_done_in_any_order_the_index_follows_the_rows(app, steps):
    walk = Walk(app)
    try:
        for step in steps:
            walk.step(step)
    finally:
        walk.session.close()
    app.drain()
    assert_index_equals_rows(app, [Movie])
