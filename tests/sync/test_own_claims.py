"""What inline delivery claims without a lock: the entries of its own transaction."""

from __future__ import annotations

import tempfile
from itertools import groupby

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from nefertari_engine_base.primary.sqla import SQLAlchemyEngine
from nefertari_engine_base.values import OutboxEntry, Touch
from tests.application import Application, assert_index_equals_rows
from tests.sync.models import Movie, declare


def outbox_of(app):
    (outbox,) = app.engines.outboxes()
    return outbox


def test_entries_of_an_outer_transaction_are_delivered_when_that_is_committed(app):
    with app.database.connect() as connection, connection.begin():
        with Session(connection) as session:
            session.add(Movie(id=1, title="not committed yet"))
            session.commit()
        assert app.documents(Movie) == {}
    assert app.entries() == []
    assert_index_equals_rows(app, [Movie])


@pytest.fixture
def inline_app(postgresql_database_url, elasticsearch_url, index_prefix):
    """Inline sync on PostgreSQL; its connections of deliveries were used before."""
    app = Application(
        postgresql_database_url, elasticsearch_url, index_prefix, declare
    ).setup()
    for number in range(3):
        app.save(Movie(id=number, title="before"))
    yield app
    app.close()


def test_a_draw_and_a_load_travel_together(inline_app):
    with outbox_of(inline_app).autocommit_engine.connect() as connection:
        driver = connection.connection.driver_connection
    with tempfile.TemporaryFile() as trace:
        driver.pgconn.trace(trace.fileno())
        inline_app.save(Movie(id=9, title="traced"))
        driver.pgconn.untrace()
        trace.seek(0)
        senders = [line.split(b"\t")[1] for line in trace if b"\t" in line]
    # One exchange for the draw and the load, one for the acknowledgement.
    assert [sender for sender, _ in groupby(senders)] == [b"F", b"B"] * 2
    assert inline_app.documents(Movie)["9"]["title"] == "traced"


TITLES = {"1": "Amélie", "2": "50 % \\ 'quoted' \"twice\"", "3": ""}


@pytest.mark.parametrize(
    "arguments",
    [{}, {"prepare_threshold": None}, {"client_encoding": "LATIN1"}],
    ids=["as it is", "not prepared", "another encoding"],
)
def test_documents_come_as_they_are_however_they_are_asked_for(
    postgresql_database_url, elasticsearch_url, index_prefix, arguments
):
    engine = sa.create_engine(postgresql_database_url, connect_args=arguments)

    def declare_with_engine(config):
        config.add_primary_engine(SQLAlchemyEngine(engine))
        declare(config)

    app = Application(
        "unused", elasticsearch_url, index_prefix, declare_with_engine,
        nefertari__engine="nefertari_es",
    ).setup()  # fmt: skip
    for _ in range(3):
        for key, title in TITLES.items():
            app.save(Movie(id=int(key), title=title))
        documents = app.documents(Movie)
        assert {key: one["title"] for key, one in documents.items()} == TITLES
        with app.session() as session:
            session.execute(sa.delete(Movie))
            session.commit()
    assert app.documents(Movie) == {}
    assert app.waiting() == 0
    with outbox_of(app).autocommit_engine.connect() as connection:
        names = connection.scalars(sa.text("SELECT name FROM pg_prepared_statements"))
        own = [name for name in names if name.startswith("nefertari_")]
    assert bool(own) == (not arguments)
    app.close()


def test_an_outer_transaction_that_is_rolled_back_leaves_nothing(app):
    with app.database.connect() as connection, connection.begin() as outer:
        with Session(connection) as session:
            session.add(Movie(id=1, title="never"))
            session.commit()
        outer.rollback()
    app.drain()
    assert app.documents(Movie) == {}
    assert app.entries() == []


def test_a_commit_does_not_wait_for_a_worker_that_has_claimed_its_entry(worker_app):
    app, outbox = worker_app, outbox_of(worker_app)
    app.save(Movie(id=1, title="claimed"))
    (entry,) = entries_of(outbox)
    with outbox.claim(10) as worker:
        assert [claimed.id for claimed in worker.entries] == [entry.id]
        with outbox.claim_own([entry]) as own:
            snapshot = own.draw_and_load([])
            own.acknowledge([entry])
        later = worker.draw_and_load([])
        assert later.version > snapshot.version
        worker.acknowledge(worker.entries)
    assert app.entries() == []


def test_an_entry_that_was_not_visible_when_the_version_was_drawn_is_kept(worker_app):
    app = worker_app
    outbox = outbox_of(app)
    with app.database.connect() as connection:
        transaction = connection.begin()
        with Session(connection) as session:
            session.add(Movie(id=1, title="first"))
            session.flush()
            session.execute(sa.text("SAVEPOINT writes_what_is_held"))
            number = session.scalar(sa.text("SELECT max(id) FROM nefertari_outbox"))
            key = sa.text("SELECT secondary, model, key FROM nefertari_outbox")
            entry = made_of(number, *session.execute(key).one())
            if app.database.dialect.name == "sqlite":
                with outbox.claim_own([entry]) as claim:
                    assert claim.entries == []
                session.commit()
                transaction.commit()
                return
            with outbox.claim_own([entry]) as claim:
                claim.draw_and_load([])
                session.commit()
                transaction.commit()
                claim.acknowledge([entry])
    assert app.entries() == [("Movie", "", "1")]


def test_a_document_that_the_index_refuses_counts_against_its_entry(worker_app):
    app, outbox = worker_app, outbox_of(worker_app)
    app.save(Movie(id=1, title="refused"))
    (entry,) = entries_of(outbox)
    with outbox.claim_own([entry]) as own:
        own.refuse(entry, "for a reason", None)
    with app.database.connect() as connection:
        row = connection.execute(sa.text("SELECT * FROM nefertari_outbox")).one()
    assert row.attempts == 1
    assert row.reason == "for a reason"
    assert row.dead_at is not None


@pytest.mark.parametrize("changes", [1, 2, 700])
def test_all_entries_of_a_commit_are_delivered_with_it(app, changes):
    app.save(*(Movie(id=number, title=f"Film {number}") for number in range(changes)))
    assert app.entries() == []
    assert_index_equals_rows(app, [Movie])


def entries_of(outbox):
    with outbox.claim(10) as claim:
        return list(claim.entries)


def made_of(number, secondary, model, key):
    return OutboxEntry(number, Touch(secondary, model, key))
