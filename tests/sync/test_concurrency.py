"""Many sessions, several deliveries, late writes, refusals: the index converges.

The random test prints its seed, which the environment variable
``NEFERTARI_TEST_SEED`` sets again.
"""

from __future__ import annotations

import itertools
import os
import random
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from elasticsearch import dsl
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from nefertari_engine_base.interfaces import IFailureHandler
from nefertari_engine_base.sync.delivery import deliver
from nefertari_engine_base.values import DocumentRef, Outcome, Touch, Write
from tests.application import assert_index_equals_rows
from tests.sync.models import INDEXED, Country, Director, Genre, Movie, Seat, declare

SEED = os.environ.get("NEFERTARI_TEST_SEED") or secrets.token_hex(4)

#: Seconds that nothing here takes, unless it hangs.
FOREVER = 120


def outbox_of(app):
    (outbox,) = app.engines.outboxes()
    return outbox


def outbox_rows(app):
    """The rows of the outbox by model and key."""
    with app.database.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM nefertari_outbox")).all()
    return {(row.model, row.key): row for row in rows}


def touch(model, key, path="", secondary="elasticsearch"):
    return Touch(secondary, model, key, path)


def together(*functions) -> None:
    """Run functions in threads of their own; raise what one of them raises."""
    with ThreadPoolExecutor(len(functions)) as threads:
        running = [threads.submit(function) for function in functions]
    for one in running:
        one.result()


# --- everything at once ----------------------------------------------------------

#: What a database says of changes that got into each other's way.
CLASHES = (
    sa.exc.OperationalError,
    sa.exc.IntegrityError,
    StaleDataError,
    ObjectDeletedError,
)


class Writer:
    """Makes random transactions in sessions of its own.

    :param locking: rows are locked before they are changed, as an application does
        that must not lose an update.
    """

    def __init__(self, app, number, locking):
        self.app = app
        self.random = random.Random(f"{SEED}-{number}")
        self.locking = locking
        self.new_ids = itertools.count(1000 * (number + 1))
        self.commits = 0

    def run(self, transactions):
        for _ in range(transactions):
            with self.app.session() as session:
                try:
                    self.begin(session)
                    self.make_changes(session)
                    if self.random.random() < 0.8:
                        session.commit()
                        self.commits += 1
                    else:
                        session.rollback()
                except CLASHES:
                    session.rollback()

    def begin(self, session):
        if self.app.database.dialect.name == "postgresql":
            # It takes a deadlock for what it is long before the server does.
            session.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
        elif self.locking:
            session.execute(sa.text("BEGIN IMMEDIATE"))

    def make_changes(self, session):
        for _ in range(self.random.randint(1, 4)):
            if self.random.random() < 0.25:
                self.use_a_savepoint(session)
            else:
                self.make_a_change(session)

    def use_a_savepoint(self, session):
        before = self.random.getstate()
        inner = session.begin_nested()
        self.make_a_change(session)
        session.flush()
        if self.random.random() < 0.5:
            inner.commit()
        else:
            # The same again, as applications do that try twice.
            inner.rollback()
            self.random.setstate(before)
            self.make_a_change(session)

    def make_a_change(self, session):
        change = self.random.choice(
            [
                self.insert, self.rename, self.rename, self.move, self.move, self.move,
                self.append, self.delete, self.rename_director, self.move_director,
                self.rename_country, self.change_genres, self.rename_genre, self.seat,
            ]
        )  # fmt: skip
        change(session)

    def word(self):
        return f"{self.random.randrange(10**6)}"

    def some(self, session, model, highest):
        number = self.random.randint(1, highest)
        return session.get(model, number, with_for_update=self.locking or None)

    def a_movie(self, session):
        return self.some(session, Movie, 20)

    def insert(self, session):
        director_id = self.random.choice([None, 1, 2, 3, 4])
        movie = Movie(id=next(self.new_ids), title=self.word(), director_id=director_id)
        session.add(movie)

    def rename(self, session):
        if movie := self.a_movie(session):
            movie.title = self.word()

    def move(self, session):
        if movie := self.a_movie(session):
            if self.random.random() < 0.5:
                movie.director_id = self.random.choice([None, 1, 2, 3, 4])
            else:
                movie.director = self.some(session, Director, 4)

    def append(self, session):
        movie, director = self.a_movie(session), self.some(session, Director, 4)
        # To ask for the director may have deleted the movie.
        if movie and director and movie in session:
            director.films.append(movie)

    def delete(self, session):
        movie = self.a_movie(session)
        if movie and self.random.random() < 0.3:
            session.delete(movie)

    def rename_director(self, session):
        if director := self.some(session, Director, 4):
            director.name = self.word()

    def move_director(self, session):
        if director := self.some(session, Director, 4):
            director.country_id = self.random.choice([None, 1, 2])

    def rename_country(self, session):
        if country := self.some(session, Country, 2):
            country.name = self.word()

    def change_genres(self, session):
        movie, genre = self.a_movie(session), self.some(session, Genre, 3)
        if movie and genre:
            if genre in movie.genres:
                movie.genres.remove(genre)
            else:
                movie.genres.append(genre)

    def rename_genre(self, session):
        if genre := self.some(session, Genre, 3):
            genre.name = self.word()

    def seat(self, session):
        key = (self.random.choice("A,\\"), self.random.randint(1, 2))
        seat = session.get(Seat, key, with_for_update=self.locking or None)
        if seat is None:
            session.add(Seat(row=key[0], number=key[1], guest=self.word()))
        elif self.random.random() < 0.5:
            session.delete(seat)
        else:
            seat.guest = self.word()


def fill(app):
    app.save(
        *[Country(id=i, name=f"Country {i}") for i in (1, 2)],
        *[Director(id=i, name=f"Director {i}", country_id=1) for i in range(1, 5)],
        *[Genre(id=i, name=f"Genre {i}") for i in range(1, 4)],
        *[Movie(id=i, title=f"Film {i}", director_id=i % 5 or None) for i in range(21)],
    )


# Two sessions that have read a row without a lock may both delete it.
@pytest.mark.filterwarnings("ignore:DELETE statement on table:sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("locking", [True, False], ids=["locked rows", "plain reads"])
def test_after_anything_that_many_sessions_do_the_index_equals_the_rows(
    make_app, locking
):
    print(f"NEFERTARI_TEST_SEED={SEED}")  # noqa: T201 - shown when the test fails
    app = make_app()
    fill(app)
    is_sqlite = app.database.dialect.name == "sqlite"
    writers = [Writer(app, n, locking) for n in range(2 if is_sqlite else 4)]
    done = threading.Event()

    def write():
        try:
            together(*[lambda writer=writer: writer.run(40) for writer in writers])
        finally:
            done.set()

    def deliver_on_and_on():
        while not done.wait(0.01):
            app.drain()

    together(write, deliver_on_and_on, deliver_on_and_on)
    assert sum(writer.commits for writer in writers) > 10 * len(writers)
    app.drain()
    assert_index_equals_rows(app, INDEXED)
    assert outbox_rows(app) == {}


# --- two transactions -------------------------------------------------------------


@pytest.mark.parametrize("change", ["move", "delete", "rename"])
def test_a_film_that_was_moved_meanwhile_changes_the_director_that_it_is_with_now(
    make_app, change
):
    app = make_app()
    app.save(
        *[Director(id=i, name=f"Director {i}") for i in (1, 2, 3)],
        Movie(id=1, title="Film", director_id=1),
    )
    with app.session() as slow:
        movie = slow.get(Movie, 1)
        with app.session() as quick:
            quick.get(Movie, 1).director_id = 2
            quick.commit()
        if change == "move":
            movie.director_id = 3
        elif change == "delete":
            slow.delete(movie)
        else:
            movie.title = "Renamed"
        slow.commit()
    app.drain()
    assert_index_equals_rows(app, INDEXED)


# --- late writes -----------------------------------------------------------------


class PausingSecondary:
    """The real engine, whose writes wait until they are told to go on."""

    def __init__(self, engine, pause):
        self._engine = engine
        self._pause = pause

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def write(self, schema, writes, **options):
        writes = list(writes)
        self._pause()
        return self._engine.write(schema, writes, **options)


@contextmanager
def paused_delivery(app, place):
    """A delivery in a thread of its own, that pauses at a place for the block."""
    reached, go_on = threading.Event(), threading.Event()
    paused: set[int] = set()

    def run():
        paused.add(threading.get_ident())
        return deliver(app.engines, outbox_of(app), 100)

    def pause():
        if threading.get_ident() in paused and not reached.is_set():
            reached.set()
            assert go_on.wait(FOREVER)

    with ThreadPoolExecutor(1) as thread, pausing_at(app, place, pause):
        delivery = thread.submit(run)
        delivery.add_done_callback(lambda _: reached.set())
        try:
            assert reached.wait(FOREVER)
            assert not delivery.done(), "it never came to that place"
            yield
        finally:
            go_on.set()
        assert delivery.result(FOREVER).entries


@contextmanager
def pausing_at(app, place, pause):
    """Every delivery calls ``pause`` at this place."""
    outbox, secondaries = outbox_of(app), app.engines.secondaries
    engine = secondaries["elasticsearch"]
    load = outbox.load

    def pausing_load(connection, refs):
        if place == "before it loads":
            pause()
        loaded = load(connection, refs)
        if place == "after it has loaded":
            pause()
        return loaded

    if place == "before it writes":
        secondaries["elasticsearch"] = PausingSecondary(engine, pause)
    outbox.load = pausing_load
    try:
        yield
    finally:
        outbox.load = load
        secondaries["elasticsearch"] = engine


PLACES = ["before it loads", "after it has loaded", "before it writes"]


@pytest.mark.parametrize("place", PLACES)
def test_a_delivery_that_is_late_does_not_undo_a_later_one(worker_app, place):
    app = worker_app
    app.save(Movie(id=1, title="old"), Movie(id=2, title="old"), Movie(id=3, title="x"))
    with paused_delivery(app, place):
        with app.session() as session:
            session.get(Movie, 1).title = "new"
            session.delete(session.get(Movie, 2))
            session.commit()
        report = deliver(app.engines, outbox_of(app), 100)
        # The films, and who may show the first of them.
        assert report.entries == 3
        assert app.documents(Movie)["1"]["title"] == "new"
    documents = app.documents(Movie)
    assert {id_: movie["title"] for id_, movie in documents.items()} == {
        "1": "new",
        "3": "x",
    }
    assert_index_equals_rows(app, INDEXED)
    assert app.entries() == []


def test_of_two_claims_the_one_that_drew_first_loses(worker_app):
    app, outbox = worker_app, outbox_of(worker_app)
    schema = app.engines.schema_of(Movie)
    refs = [DocumentRef("Movie", "1"), DocumentRef("Movie", "2")]

    def write(snapshot):
        documents = snapshot.documents.get("Movie", {})
        writes = [
            Write(ref.id, snapshot.version, documents.get(ref.id)) for ref in refs
        ]
        return [result.outcome for result in app.secondary.write(schema, writes)]

    app.save(Movie(id=1, title="old"), Movie(id=2, title="old"))
    with outbox.claim(10) as late:
        assert len(late.entries) == 2
        old = late.draw_and_load(refs)
        with app.session() as session:
            session.get(Movie, 1).title = "new"
            session.delete(session.get(Movie, 2))
            session.commit()
        with outbox.claim(10) as early:
            assert len(early.entries) == 3
            assert not {e.id for e in early.entries} & {e.id for e in late.entries}
            new = early.draw_and_load(refs)
            assert new.version > old.version
            assert write(new) == [Outcome.WRITTEN, Outcome.WRITTEN]
            early.acknowledge(early.entries)
        assert write(old) == [Outcome.SUPERSEDED, Outcome.SUPERSEDED]
        late.acknowledge(late.entries)
    assert app.documents(Movie).keys() == {"1"}
    assert_index_equals_rows(app, INDEXED)
    assert app.entries() == []


def test_writes_in_any_order_and_repeated_end_with_the_last_version(worker_app):
    app, outbox = worker_app, outbox_of(worker_app)
    schema = app.engines.schema_of(Movie)
    orders = list(itertools.permutations(range(4)))
    refs = [DocumentRef("Movie", str(n)) for n in range(2 * len(orders))]
    numbers = range(len(refs))
    snapshots = []

    def change(deleted, title):
        """Every second film ends as a row, the others without one."""
        with app.session() as session:
            for number in numbers:
                movie = session.get(Movie, number)
                if number % 2 == deleted:
                    if movie:
                        session.delete(movie)
                elif movie:
                    movie.title = title
                else:
                    session.add(Movie(id=number, title=title))
            session.commit()
        snapshots.append(outbox.draw_and_load(refs))

    change(deleted=None, title="first")
    change(deleted=0, title="second")
    change(deleted=1, title="third")
    change(deleted=0, title="fourth")
    for step in [0, 1, 1, 2, 3, 0]:
        chosen = [snapshots[orders[number // 2][step]] for number in numbers]
        app.secondary.write(
            schema,
            [
                Write(ref.id, snap.version, snap.documents["Movie"].get(ref.id))
                for ref, snap in zip(refs, chosen, strict=True)
            ],
        )
    assert_index_equals_rows(app, [Movie])
    assert len(app.documents(Movie)) == len(orders)


def test_entries_that_are_delivered_again_change_nothing(worker_app):
    app = worker_app
    fill(app)
    entries = app.entries()
    assert app.drain().superseded == 0
    outbox_of(app).add(touch(model, key, path) for model, path, key in entries * 2)
    app.drain()
    assert_index_equals_rows(app, INDEXED)
    assert app.entries() == []


# --- what the index refuses --------------------------------------------------------


class Failures:
    """Remembers what it is told."""

    def __init__(self):
        self.refused = []

    def document_refused(self, ref, reason, final):
        self.refused.append((ref.model, ref.id, final))

    def delivery_failed(self, error, waiting):
        raise AssertionError("nothing here fails as a whole") from error

    def subscriber_failed(self, error, event):
        raise AssertionError("there are no subscribers") from error


@pytest.fixture
def failures():
    return Failures()


@pytest.fixture
def refusing(make_app, failures):
    """An index that takes no title but a number; two refusals are the most."""

    def configure(config):
        config.add_secondary(Movie, fields={"title": dsl.Integer()})
        config.registry.registerUtility(failures, IFailureHandler)

    return make_app(
        configure, nefertari__sync__max_attempts="2", nefertari__sync__retry_delay="0"
    )


def titles(app):
    return {int(id_): movie["title"] for id_, movie in app.documents(Movie).items()}


def test_a_refused_document_stops_no_neighbour_and_becomes_a_dead_letter(
    refusing, failures
):
    app, key = refusing, ("Movie", "2")
    app.save(*[Movie(id=i, title=t) for i, t in enumerate(["1", "7", "seven", "9"])])
    assert titles(app) == {0: "1", 1: "7", 3: "9"}
    row = outbox_rows(app)[key]
    assert (row.attempts, row.dead_at) == (1, None)
    assert "title" in row.reason
    assert failures.refused == [("Movie", "2", False)]

    app.save(Movie(id=4, title="4"))
    app.drain()
    assert titles(app) == {0: "1", 1: "7", 3: "9", 4: "4"}
    row = outbox_rows(app)[key]
    assert row.attempts == 2
    assert row.dead_at is not None
    assert failures.refused == [("Movie", "2", False), ("Movie", "2", True)]

    assert app.drain().errors == []
    with outbox_of(app).claim(10) as claim:
        assert not claim.entries
    assert outbox_rows(app) == {key: row}
    assert app.waiting() == 0


def test_a_dead_letter_does_not_keep_a_mended_document_out_of_the_index(refusing):
    app = refusing
    app.save(Movie(id=1, title="one"))
    app.drain()
    assert titles(app) == {}
    with app.session() as session:
        session.get(Movie, 1).title = "1"
        session.commit()
    assert titles(app) == {1: "1"}


@pytest.mark.parametrize(
    "odd",
    [
        touch("Nobody", "1"),
        touch("Nobody", "1", path="director"),
        touch("Movie", "1", secondary="solr"),
        touch("Movie", "not a number"),
        touch("Movie", "1", path="no.such.relation"),
        touch("Movie", "not a number", path="director"),
    ],
    ids=[
        "unknown model",
        "unknown model by a path",
        "unknown engine",
        "id of another type",
        "relation that is no longer embedded",
        "id of another type by a path",
    ],
)
def test_an_entry_that_nobody_understands_is_set_aside_and_harms_nobody(
    make_app, failures, odd
):
    def configure(config):
        declare(config)
        config.registry.registerUtility(failures, IFailureHandler)

    app = make_app(configure, nefertari__sync="worker")
    outbox_of(app).add([odd])
    app.save(Movie(id=1, title="Film"))
    report = app.drain()
    assert app.documents(Movie).keys() == {"1"}
    assert [ref.model for ref, _ in report.errors] == [odd.model]
    (row,) = outbox_rows(app).values()
    assert (row.model, row.key, row.path) == (odd.model, odd.key, odd.path)
    assert (row.attempts, row.dead_at) == (1, None)
    assert row.reason
    assert failures.refused == [(odd.model, odd.key, False)]


# --- a primary that was restored from a backup --------------------------------------


def set_versions(app, value):
    """Let the database draw ``value`` next."""
    statements = {
        "postgresql": f"ALTER SEQUENCE nefertari_version RESTART WITH {value}",
        "sqlite": f"UPDATE nefertari_version_counter SET value = {value - 1}",
    }
    with app.database.begin() as connection:
        connection.execute(sa.text(statements[app.database.dialect.name]))


def test_changes_of_a_restored_primary_reach_the_index(make_app):
    before = make_app()
    before.save(Movie(id=1, title="old"), Movie(id=2, title="old"))
    set_versions(before, 10**12)
    with before.session() as session:
        session.get(Movie, 1).title = "lost"
        session.get(Movie, 2).title = "lost"
        session.commit()
    assert titles(before) == {1: "lost", 2: "lost"}
    set_versions(before, 1)
    app = make_app()
    with app.session() as session:
        session.get(Movie, 1).title = "new"
        session.delete(session.get(Movie, 2))
        session.commit()
    app.save(Movie(id=3, title="new"))
    assert titles(app) == {1: "new", 3: "new"}
    assert_index_equals_rows(app, INDEXED)


def test_a_row_that_a_backup_brings_back_is_indexed_though_it_was_deleted_last(
    make_app,
):
    before = make_app()
    before.save(Movie(id=1, title="stays"), Movie(id=2, title="goes"))
    with before.session() as session:
        session.delete(session.get(Movie, 2))
        session.commit()
    # The backup is of before the delete, whose version only the index remembers.
    with before.database.begin() as connection:
        connection.execute(sa.insert(Movie.__table__).values(id=2, title="goes"))
    set_versions(before, 1)
    app = make_app()
    with app.session() as session:
        session.get(Movie, 2).title = "is back"
        session.commit()
    assert titles(app) == {1: "stays", 2: "is back"}
