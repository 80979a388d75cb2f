"""Writes that come after the search server has forgotten a delete."""

from __future__ import annotations

import threading

import pytest
from elastic_transport import ConnectionTimeout

import nefertari_es.deadline as deadline_module
from nefertari_engine_base.clock import elapsed
from nefertari_engine_base.exceptions import EngineError
from nefertari_engine_base.sync import deletions as deletions_module
from nefertari_engine_base.sync.catch_up import catch_up
from nefertari_engine_base.values import Write
from tests.application import Application, assert_index_equals_rows
from tests.sync.faulty_server import gate_to
from tests.sync.films import delete, titles
from tests.sync.forgetting import AT_ONCE, await_forgotten
from tests.sync.models import INDEXED, Movie, declare
from tests.sync.processes import worker, write_ini
from tests.sync.test_frozen_workers import Holding
from tests.sync.working import until, working


@pytest.fixture(params=["elasticsearch", "opensearch"])
def make(request, server_of, make_app):
    """Makes applications whose index forgets deletes at once."""

    def make(**settings):
        own = {"nefertari__sync": "worker", "elasticsearch__gc_deletes": AT_ONCE}
        url = server_of(request.param).url
        return make_app(elasticsearch__hosts=url, **(own | settings))

    return make


def alias(app):
    return app.secondary.model_of(app.engines.schema_of(Movie)).alias


def forget(app):
    await_forgotten(app.secondary.client, alias(app))


def write_late(app, id_, version=1):
    """What a delivery writes that has loaded the row long ago."""
    source = b'{"id":%d,"title":"from the dead"}' % id_
    schema = app.engines.schema_of(Movie)
    (result,) = app.secondary.write(schema, [Write(str(id_), version, source)])
    assert result.outcome == "written"


def bring_back(app, number):
    """So many films are deleted, and there again."""
    app.save(*(Movie(id=id_, title="Alien") for id_ in range(number)))
    app.drain()
    delete(app, *range(number))
    app.drain()
    forget(app)
    for id_ in range(number):
        write_late(app, id_)


# --- what is too old is not sent


class Clock:
    """The clock of those who send, which a test puts forward.

    :attr before: is called before the clock is looked at for the first time.
    """

    def __init__(self, patch):
        self.ahead, self.before, self.looks = 0.0, lambda: None, 0
        patch.setattr(deadline_module, "elapsed", self)

    def __call__(self):
        self.looks += 1
        before, self.before = self.before, lambda: None
        before()
        return elapsed() + self.ahead


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def asleep(clock, meanwhile):
    """Have the machine sleep for an hour after the rows were loaded."""

    def sleep():
        meanwhile()
        clock.ahead = 3600
        clock.before = wake

    def wake():
        clock.ahead = 0.0

    clock.before = sleep


def test_a_machine_that_slept_loads_again_before_it_writes(make, clock):
    app, other = make(), make()
    app.save(Movie(id=1, title="Alien"), Movie(id=2, title="Aliens"))

    def meanwhile():
        delete(other, 1)
        other.drain()
        forget(other)

    asleep(clock, meanwhile)
    app.drain()
    assert titles(app) == {2: "Aliens"}
    assert app.waiting() == 0


def test_an_index_command_whose_machine_slept_loads_again_before_it_writes(make, clock):
    app, other = make(), make()
    app.save(Movie(id=1, title="Alien"), Movie(id=2, title="Aliens"))
    app.drain()

    def meanwhile():
        delete(other, 1)
        other.drain()
        forget(other)

    asleep(clock, meanwhile)
    catch_up(app.engines, app.engines.schema_of(Movie))
    assert titles(app) == {2: "Aliens"}


def test_what_is_too_old_whenever_it_is_loaded_is_told(make, clock):
    app = make()
    app.save(Movie(id=1, title="Alien"))
    clock.ahead = 3600
    with pytest.raises(EngineError, match="too old to be sent"):
        app.drain()
    with pytest.raises(EngineError, match="too old to be sent"):
        catch_up(app.engines, app.engines.schema_of(Movie))
    assert app.waiting() == 1
    clock.ahead = 0.0
    app.drain()
    assert titles(app) == {1: "Alien"}


# --- what was sent too late is delivered once more


@pytest.mark.parametrize("answered", [True, False])
def test_who_has_stood_still_while_it_wrote_has_it_delivered_once_more(
    make, clock, monkeypatch, answered
):
    app, other = make(elasticsearch__max_retries=0), make()
    app.save(Movie(id=1, title="Alien"))
    client, sent = app.secondary.client, []
    send = client.perform_request

    def slowly(method, target, **options):
        if "_bulk" not in target:
            return send(method, target, **options)
        delete(other, 1)
        other.drain()
        forget(other)
        sent.append(send(method, target, **options))
        clock.ahead = 3600
        if not answered:
            raise ConnectionTimeout("timed out")
        return sent[0]

    monkeypatch.setattr(client, "perform_request", slowly)
    with pytest.raises(EngineError, match="too old to be sent"):
        app.drain()  # it finds its own entry, and still stands still
    assert titles(app) == {1: "Alien"}
    clock.ahead = 0.0
    monkeypatch.setattr(client, "perform_request", send)
    app.drain()
    assert titles(app) == {}
    assert app.waiting() == 0


@pytest.fixture
def stoppable(postgresql_database_url, elasticsearch_url, index_prefix):
    """An application on PostgreSQL in which everything is late soon, and nobody looks
    for what has come back."""
    app = Application(
        postgresql_database_url, elasticsearch_url, index_prefix, declare,
        elasticsearch__gc_deletes=AT_ONCE,
        elasticsearch__request_timeout=2,
        elasticsearch__max_retries=0,
        nefertari__sync="worker",
        nefertari__sync__claim_timeout=1,
        nefertari__sync__deletes_checked_after=0,
    ).setup()  # fmt: skip
    yield app
    app.close()


def test_a_worker_that_was_stopped_while_it_wrote_has_it_delivered_once_more(
    stoppable, tmp_path
):
    """A real one, stopped by a signal; the others have taken its claim."""
    app = stoppable
    app.save(*(Movie(id=number, title="Alien") for number in range(5)))
    with gate_to(app.settings["elasticsearch.hosts"], "0") as (gate, url):
        holding = Holding(gate)
        through = {**app.settings, "elasticsearch.hosts": url}
        ini = write_ini(tmp_path / "one.ini", through)
        with worker(ini) as frozen:
            assert holding.held.wait(60), frozen.said()
            frozen.freeze()
            stopped = elapsed()
            with working(app):
                until(lambda: app.waiting() == 0)
                delete(app, *range(5))
                until(lambda: app.waiting() == 0)
            forget(app)
            until(lambda: elapsed() > stopped + 6)
            assert titles(app) == {}
            holding.opened.set()
            until(lambda: len(titles(app)) == 5)  # they are back from the dead
            frozen.thaw()
            until(lambda: titles(app) == {})
            assert "written late" in frozen.said()
            until(lambda: app.waiting() == 0)
            assert frozen.end() == 0, frozen.said()
    assert_index_equals_rows(app, INDEXED)


# --- what came back is found


def test_a_document_that_came_back_is_found_and_deleted_again(make):
    app = make(nefertari__sync__deletes_checked_after=0.001)
    app.save(*(Movie(id=number, title="Alien") for number in range(3)))
    app.drain()
    delete(app, 0, 1)
    app.drain()
    forget(app)
    write_late(app, 1)
    app.engines.deletions.look()
    assert app.entries() == [("Movie", "", "1")]
    app.drain()
    assert titles(app) == {2: "Alien"}


def test_an_idle_worker_finds_it_by_itself(make):
    app = make(nefertari__sync__deletes_checked_after=1)
    app.save(Movie(id=1, title="Alien"))
    with working(app):
        until(lambda: titles(app))
        delete(app, 1)
        until(lambda: not titles(app))
        forget(app)
        write_late(app, 1)
        assert titles(app) == {1: "from the dead"}
        until(lambda: titles(app) == {})
    assert app.waiting() == 0


def test_a_process_that_delivers_inline_finds_it_when_it_delivers(make, monkeypatch):
    app = make(nefertari__sync="inline")
    app.save(Movie(id=1, title="Alien"))
    delete(app, 1)
    forget(app)
    write_late(app, 1)
    monkeypatch.setattr(deletions_module, "elapsed", lambda: elapsed() + 3600)
    app.save(Movie(id=2, title="Aliens"))
    assert app.entries() == [("Movie", "", "1")]


def test_a_document_that_was_made_anew_is_left_alone(make):
    app = make(nefertari__sync__deletes_checked_after=0.001)
    app.save(Movie(id=1, title="Alien"))
    app.drain()
    delete(app, 1)
    app.drain()
    app.save(Movie(id=1, title="Aliens"))
    app.drain()
    app.engines.deletions.look()
    assert app.waiting() == 0


def test_nobody_looks_before_the_time_or_where_it_is_switched_off(make):
    app, off = make(), make(nefertari__sync__deletes_checked_after=0)
    app.save(Movie(id=1, title="Alien"), Movie(id=2, title="Alien"))
    app.drain()
    for one, id_ in ((app, 1), (off, 2)):
        delete(one, id_)
        one.drain()
    forget(app)
    write_late(app, 1)
    write_late(app, 2)
    for one in (app, off):
        one.engines.deletions.look()
    assert app.waiting() == 0


def test_a_server_that_does_not_answer_is_asked_later(make, clock):
    app = make(nefertari__sync__deletes_checked_after=0.001)
    app.save(Movie(id=1, title="Alien"))
    app.drain()
    delete(app, 1)
    app.drain()
    forget(app)
    write_late(app, 1)
    reader = app.secondary._reader
    with pytest.MonkeyPatch.context() as patch:
        closed = app.secondary.client.options(request_timeout=0.000001, max_retries=0)
        patch.setattr(reader, "_client", closed)
        app.engines.deletions.look()
    assert app.waiting() == 0
    until(lambda: app.engines.deletions.look() or app.waiting())
    app.drain()
    assert titles(app) == {}


def test_no_more_is_remembered_than_there_is_room_for(make, monkeypatch):
    monkeypatch.setattr(deletions_module, "MOST", 3)
    app = make(nefertari__sync__deletes_checked_after=0.001)
    bring_back(app, 9)
    app.engines.deletions.look()
    assert app.waiting() == 3


def test_threads_that_look_at_the_same_time_find_each_once(make):
    app = make(nefertari__sync__deletes_checked_after=0.001)
    bring_back(app, 50)
    threads = [threading.Thread(target=app.engines.deletions.look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert app.waiting() == 50
