"""What waits, what is dead, and who works: asked in one go."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace

import pytest
import sqlalchemy as sa

from nefertari_engine_base.sync.status import Presence, sync_status
from nefertari_engine_base.values import DeliveryReport, ModelStatus, SyncStatus, Touch
from tests.sync.models import Movie
from tests.sync.working import until, working


@pytest.fixture
def outbox(worker_app):
    (outbox,) = worker_app.engines.outboxes()
    return outbox


def execute(app, statement):
    with app.database.begin() as connection:
        connection.execute(sa.text(statement))


def test_what_waits_is_counted_by_model(worker_app, outbox):
    outbox.add(
        [Touch("elasticsearch", "Movie", key) for key in "1234"]
        + [Touch("elasticsearch", "Director", "1")]
    )
    with outbox.claim(10) as claim:
        one, two, *_, director = claim.entries
        claim.refuse(one, "for a while", 600)
        claim.refuse(two, "for good", None)
        claim.refuse(director, "for good", None)
    execute(worker_app, "UPDATE nefertari_outbox SET created_at = created_at - 60")
    status = sync_status(worker_app.engines)
    director, movie = status.models
    assert (director.model, director.waiting, director.oldest) == ("Director", 0, None)
    assert (director.retried, director.dead) == (0, 1)
    assert (movie.model, movie.waiting, movie.retried, movie.dead) == ("Movie", 3, 1, 1)
    assert 60 <= movie.oldest < 120
    assert status.total == ModelStatus("", 3, movie.oldest, 1, 2)


def test_nothing_is_there_when_all_is_delivered(worker_app):
    worker_app.save(Movie(id=1, title="Alien"))
    worker_app.drain()
    status = sync_status(worker_app.engines)
    assert status == SyncStatus()
    assert status.total == ModelStatus("", 0, None, 0, 0)


def test_a_worker_is_shown_while_it_is_there(worker_app):
    def workers():
        return sync_status(worker_app.engines).workers

    assert workers() == ()
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    with working(worker_app):
        (worker,) = until(workers)
        assert worker.name.endswith(f":{os.getpid()}")
        assert before <= worker.started_at <= worker.seen_at
        assert not worker.lost
    assert workers() == ()


def test_a_worker_tells_again_while_it_idles_and_how_much_it_has_done(
    worker_app, monkeypatch
):
    monkeypatch.setattr(Presence, "interval", 0.01)
    engines = worker_app.engines
    engines.settings = replace(engines.settings, poll_interval=600)
    worker_app.save(Movie(id=1, title="Alien"), Movie(id=2, title="Brazil"))

    def worker():
        (worker,) = sync_status(engines).workers or (None,)
        return worker

    with working(worker_app):
        first = until(lambda: not worker_app.waiting() and worker())
        until(lambda: worker().seen_at > first.seen_at + dt.timedelta(seconds=0.1))
        assert worker().documents == 2


def test_a_worker_tells_how_many_documents_it_writes_in_a_second(
    worker_app, outbox, monkeypatch
):
    monkeypatch.setattr(Presence, "interval", 0.0)
    presence = Presence(worker_app.engines)
    presence.count(DeliveryReport(written=10**6))
    assert outbox.status().throughput > 0
    presence.count(DeliveryReport())
    assert outbox.status().throughput == 0


def test_a_worker_that_crashed_is_shown_as_lost_for_a_day(worker_app, outbox):
    outbox.heartbeat("machine:1", 100.0, 7, 500.0)
    outbox.heartbeat("machine:2", 100.0, 7, 40.0)
    assert outbox.status().throughput == 540
    assert [worker.lost for worker in outbox.status().workers] == [False, False]
    seen = "UPDATE nefertari_worker SET seen_at = seen_at - {} WHERE name = 'machine:1'"
    execute(worker_app, seen.format(61))
    workers = outbox.status().workers
    assert [(w.name, w.lost) for w in workers] == [
        ("machine:1", True),
        ("machine:2", False),
    ]
    assert outbox.status().throughput == 40
    execute(worker_app, seen.format(86400))
    assert [worker.name for worker in outbox.status().workers] == ["machine:2"]
    outbox.heartbeat("machine:2", 101.0, 8)
    with worker_app.database.connect() as connection:
        count = sa.text("SELECT count(*) FROM nefertari_worker")
        assert connection.scalar(count) == 1
