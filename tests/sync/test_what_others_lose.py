"""What users of other systems have lost, and do not lose here.

The page docs/architecture/scenarios names each scenario, where it was reported, and the
test of it, here or elsewhere.
"""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
from elasticsearch import dsl

from nefertari_engine_base.exceptions import EngineError
from nefertari_engine_base.sync.rebuild import index_all
from nefertari_engine_base.values import DocumentRef, Outcome, Write
from tests.application import Application, assert_index_equals_rows
from tests.sync.faulty_server import gate_to
from tests.sync.models import INDEXED, Director, Movie, declare

SEED = os.environ.get("NEFERTARI_TEST_SEED") or os.urandom(4).hex()


def test_requests_that_are_refused_lost_or_half_done_lose_no_document(
    database_url, elasticsearch_url, index_prefix
):
    print(f"NEFERTARI_TEST_SEED={SEED}")  # noqa: T201 - shown when the test fails
    with gate_to(elasticsearch_url, SEED) as (gate, url):
        app = Application(
            database_url,
            url,
            index_prefix,
            declare,
            nefertari__sync="worker",
            nefertari__sync__batch_size="200",
            elasticsearch__bulk_documents="20",
        ).setup()
        try:
            app.save(Director(id=1, name="Ann"))
            app.save(*(Movie(id=n, title=f"Film {n}") for n in range(1, 401)))
            with app.session() as session:
                for movie in session.query(Movie).filter(Movie.id % 3 == 0):
                    session.delete(movie)
                session.commit()
            gate.chance = 0.3
            while app.waiting() and len(gate.met) < 40:
                with suppress(EngineError):
                    app.drain()
            gate.chance = 0.0
            app.drain()
            assert app.entries() == []
            assert gate.met
            assert_index_equals_rows(app, INDEXED)
        finally:
            app.close()


def test_one_document_that_no_index_takes_stops_none_of_a_thousand(
    database_url, elasticsearch_url, index_prefix
):
    def declare(config):
        config.add_secondary(Movie, fields={"title": dsl.Integer()})

    app = Application(
        database_url,
        elasticsearch_url,
        index_prefix,
        declare,
        nefertari__sync="worker",
        nefertari__sync__batch_size="1000",
        nefertari__sync__max_attempts="1",
    ).setup()
    try:
        titles = {n: "seven" if n == 777 else str(n) for n in range(1, 1001)}
        app.save(*(Movie(id=n, title=title) for n, title in titles.items()))
        report = app.drain()
        assert (report.written, report.refused) == (999, 1)
        assert app.documents(Movie).keys() == {str(n) for n in titles if n != 777}
        (outbox,) = app.engines.outboxes()
        (letter,) = outbox.dead_letters()
        assert letter.entry.touch.key == "777"
        assert "title" in letter.reason
    finally:
        app.close()


def test_an_update_that_arrives_after_the_delete_does_not_bring_a_document_back(
    worker_app,
):
    app = worker_app
    app.save(Movie(id=1, title="Alien"))
    (outbox,) = app.engines.outboxes()
    schema = app.engines.schema_of(Movie)
    late = outbox.draw_and_load([DocumentRef("Movie", "1")])
    with app.session() as session:
        session.delete(session.get(Movie, 1))
        session.commit()
    app.drain()
    source = late.documents["Movie"]["1"]
    (result,) = app.secondary.write(schema, [Write("1", late.version, source)])
    assert result.outcome is Outcome.SUPERSEDED
    assert app.documents(Movie) == {}


class _Crash(Exception):
    """The process of a rebuild is gone."""


def test_a_rebuild_that_crashes_while_writers_go_on_leaves_nothing_stale(
    database_url, elasticsearch_url, index_prefix
):
    """Writers change rows that were indexed already and rows that were not."""
    app = Application(
        database_url,
        elasticsearch_url,
        index_prefix,
        declare,
        nefertari__sync="worker",
        nefertari__sync__batch_size="10",
    ).setup()
    try:
        app.save(*(Movie(id=n, title=f"Film {n}") for n in range(1, 101)))
        app.drain()
        schema, batches = app.engines.schema_of(Movie), []

        def write(report):
            number = len(batches)
            batches.append(report)
            if number > 15:
                # A row behind the last one would make another batch, and so on.
                return
            with app.session() as session:
                for id_ in (number + 1, 100 - number):
                    if movie := session.get(Movie, id_):
                        movie.title = f"Changed {number}"
                if movie := session.get(Movie, 50 + number):
                    session.delete(movie)
                session.add(Movie(id=1000 + number, title="New"))
                session.commit()
            if number % 2:
                app.drain()

        def write_and_crash(report):
            write(report)
            if len(batches) == 5:
                raise _Crash

        with pytest.raises(_Crash):
            index_all(app.engines, schema, write_and_crash)
        index_all(app.engines, schema, write)
        app.drain()
        assert len(batches) > 10
        assert_index_equals_rows(app, INDEXED)
    finally:
        app.close()


def test_hits_whose_rows_are_gone_are_left_out_and_repaired(worker_app):
    app = worker_app
    app.save(*(Movie(id=n, title=f"Film {n}", year=2000 + n) for n in range(1, 31)))
    app.drain()
    app.secondary.refresh([app.engines.schema_of(Movie)])
    with app.database.begin() as connection:
        # By somebody whom nobody hears.
        connection.exec_driver_sql("DELETE FROM movies WHERE id IN (2, 3, 12)")
    page = Movie.get_collection(_sort="year", _limit=10, _hydrate=True)
    assert [movie.id for movie in page] == [1, 4, 5, 6, 7, 8, 9, 10, 11, 13]
    assert sorted(app.entries()) == [("Movie", "", id_) for id_ in ("12", "2", "3")]
    app.drain()
    assert_index_equals_rows(app, INDEXED)
