"""The search server is away: saves succeed, nothing is lost, reads find another way."""

import time

import pytest

from nefertari_engine_base.exceptions import SecondaryUnavailable
from tests.application import Application, assert_index_equals_rows
from tests.sync.models import INDEXED, Director, Movie, declare
from tools import servers


@pytest.fixture(scope="module")
def own_elasticsearch():
    """A server that these tests may stop."""
    server = servers.start("elasticsearch")
    if server.external:
        pytest.skip("the server is somebody else's and cannot be stopped")
    yield server
    server.stop()


@pytest.fixture
def app(database_url, own_elasticsearch, index_prefix):
    """Inline sync with a server that may go away; no pause, so that each read asks."""
    app = Application(
        database_url,
        own_elasticsearch.url,
        index_prefix,
        declare,
        nefertari__sync__pause_after_failure="0",
    ).setup()
    yield app
    app.close()


def test_a_save_succeeds_at_once_and_one_drain_later_it_is_there(
    app, own_elasticsearch
):
    app.save(Movie(id=1, title="Alien"), Movie(id=2, title="Blade Runner"))
    own_elasticsearch.halt()
    try:
        begun = time.monotonic()
        with app.session() as session:
            session.add(Director(id=1, name="Scott"))
            session.flush()
            session.get(Movie, 1).director_id = 1
            session.delete(session.get(Movie, 2))
            session.commit()
        assert time.monotonic() - begun < 5
        assert app.waiting() >= 3
        with pytest.raises(SecondaryUnavailable):
            app.drain()
        assert app.waiting() >= 3
    finally:
        own_elasticsearch.restart()
    app.drain()
    assert app.waiting() == 0
    assert app.documents(Movie).keys() == {"1"}
    assert_index_equals_rows(app, INDEXED)


def test_reads_that_the_primary_can_answer_go_there_and_others_are_a_503(
    app, own_elasticsearch
):
    app.save(*[Movie(id=i, title=f"Film {i}", year=1980 + i) for i in range(5)])
    secondary = Movie.get_collection(year__gte=1982, _sort="-year", _refresh_index=True)
    own_elasticsearch.halt()
    try:
        primary = Movie.get_collection(year__gte=1982, _sort="-year")
        assert [m.id for m in primary] == [m.id for m in secondary] == [4, 3, 2]
        assert (primary.total, secondary.total) == (3, 3)
        assert (primary.engine, secondary.engine) == ("sqla", app.secondary.name)
        assert Movie.get_item(id=3).title == "Film 3"
        assert Movie.count(year=1981) == 1
        with pytest.raises(SecondaryUnavailable) as caught:
            Movie.get_collection(q="film")
        assert caught.value.status == 503
        assert "again later" in str(caught.value)
    finally:
        own_elasticsearch.restart()


def test_without_the_fallback_every_read_is_a_503(
    database_url, index_prefix, own_elasticsearch
):
    app = Application(
        database_url, own_elasticsearch.url, index_prefix, declare,
        nefertari__fallback="false",
    ).setup()  # fmt: skip
    own_elasticsearch.halt()
    try:
        with pytest.raises(SecondaryUnavailable):
            Movie.get_collection(year=1980)
    finally:
        own_elasticsearch.restart()
        app.close()


def test_a_frozen_server_does_not_hold_up_commits_one_by_one(
    database_url, index_prefix, own_elasticsearch
):
    app = Application(
        database_url, own_elasticsearch.url, index_prefix, declare,
        elasticsearch__request_timeout="1",
    ).setup()  # fmt: skip
    own_elasticsearch.pause()
    try:
        begun = time.monotonic()
        for i in range(20):
            app.save(Movie(id=i, title="Film"))
        # One commit waits for the time-out; the others know better.
        assert time.monotonic() - begun < 8
        assert app.waiting() == 20
    finally:
        own_elasticsearch.resume()
    app.drain()
    assert_index_equals_rows(app, INDEXED)
    app.close()
