"""A worker writes no more documents in a second than it is told to."""

from __future__ import annotations

import time

import pytest

from nefertari_engine_base.sync.worker import drain
from tests.application import Application, assert_index_equals_rows
from tests.sync.models import INDEXED, Director, Movie, declare
from tests.sync.working import until, working


@pytest.fixture
def make_app(database_url, elasticsearch_url, index_prefix):
    """Function that makes an application whose worker is held back."""
    made = []

    def make(rate):
        app = Application(
            database_url,
            elasticsearch_url,
            index_prefix,
            declare,
            nefertari__sync="worker",
            nefertari__sync__documents_per_second=rate,
        ).setup()
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


def drain_and_time(app):
    """(seconds since the start, documents so far) after each batch; all seconds."""
    begun, documents, seen = time.monotonic(), 0, []

    def on_batch(report):
        nonlocal documents
        documents += report.documents
        seen.append((time.monotonic() - begun, documents))

    drain(app.engines, on_batch)
    return seen, time.monotonic() - begun


def test_no_more_documents_are_written_than_the_rate_allows(make_app):
    app = make_app("20")
    app.save(*[Movie(id=number, title="Alien") for number in range(50)])
    seen, seconds = drain_and_time(app)
    assert seen[-1][1] == 50
    for elapsed, documents in seen:
        assert documents <= 20 * elapsed
    assert 2.5 <= seconds < 30
    assert_index_equals_rows(app, INDEXED)


def test_documents_of_a_fan_out_count_too(make_app):
    app = make_app("20")
    films = [Movie(id=number, director_id=1, title="Alien") for number in range(40)]
    app.save(Director(id=1, name="Scott"), *films)
    with app.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM nefertari_outbox")
    with app.session() as session:
        session.get(Director, 1).name = "Ridley"
        session.commit()
    seen, seconds = drain_and_time(app)
    assert seen[-1][1] == 41
    assert seconds >= 2
    assert_index_equals_rows(app, INDEXED)


def test_without_a_rate_nothing_is_held_back(make_app):
    app = make_app("0")
    app.save(*[Movie(id=number, title="Alien") for number in range(1200)])
    seen, _ = drain_and_time(app)
    assert [documents for _, documents in seen] == [500, 1000, 1200, 1200]


def test_a_worker_that_is_held_back_ends_at_once_when_it_is_told_to(make_app):
    app = make_app("0.001")
    app.save(Movie(id=1, title="Alien"))
    with working(app) as waker:
        until(lambda: not app.waiting())
        begun = time.monotonic()
        waker.stop()
    assert time.monotonic() - begun < 30
