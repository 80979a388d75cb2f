"""The search server is away: saves succeed, nothing is lost, reads find another way."""

import os
import time

import pytest

from nefertari_engine_base.exceptions import SecondaryUnavailable
from tests.application import Application, assert_index_equals_rows
from tests.sync.models import INDEXED, Director, Movie, declare
from tools import servers

#: Nobody listens there: the port is reserved (RFC 1700, tcpmux).
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def own_elasticsearch():
    """A server that these tests may stop, whichever the environment names."""
    named = servers.url_variable("elasticsearch")
    environment = {key: value for key, value in os.environ.items() if key != named}
    try:
        server = servers.start(
            "elasticsearch", servers.Settings.from_environment(environment)
        )
    except servers.ServersError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    yield server
    server.stop()


def application(database_url, search_url, prefix, **settings):
    return Application(database_url, search_url, prefix, declare, **settings)


def test_a_save_succeeds_while_the_server_is_stopped_and_one_drain_later_it_is_there(
    database_url, own_elasticsearch, index_prefix
):
    app = application(database_url, own_elasticsearch.url, index_prefix).setup()
    app.save(Movie(id=1, title="Alien"), Movie(id=2, title="Blade Runner"))
    own_elasticsearch.kill()
    begun = time.monotonic()
    with app.session() as session:
        session.add(Director(id=1, name="Scott"))
        session.flush()
        session.get(Movie, 1).director_id = 1
        session.delete(session.get(Movie, 2))
        session.commit()
    assert time.monotonic() - begun < 5
    waiting = app.waiting()
    assert waiting >= 3
    with pytest.raises(SecondaryUnavailable):
        app.drain()
    assert app.waiting() == waiting
    own_elasticsearch.restart()
    app.drain()
    assert app.waiting() == 0
    assert app.documents(Movie).keys() == {"1"}
    assert_index_equals_rows(app, INDEXED)
    app.close()


def test_a_frozen_server_does_not_hold_up_commits_one_by_one(
    database_url, own_elasticsearch, index_prefix
):
    app = application(
        database_url, own_elasticsearch.url, index_prefix,
        elasticsearch__request_timeout="4",
        nefertari__sync__pause_after_failure="300",
    ).setup()  # fmt: skip
    own_elasticsearch.pause()
    try:
        begun = time.monotonic()
        for i in range(20):
            app.save(Movie(id=i, title="Film"))
        # One commit waits for the time-out; the others know better.
        assert time.monotonic() - begun < 20
        assert app.waiting() >= 20
    finally:
        own_elasticsearch.resume()
    app.drain()
    assert_index_equals_rows(app, INDEXED)
    app.close()


@pytest.fixture
def cut_off(database_url, elasticsearch_url, index_prefix):
    """An application whose server is gone, over rows that were indexed before."""
    before = application(database_url, elasticsearch_url, index_prefix).setup()
    before.save(*[Movie(id=i, title=f"Film {i}", year=1980 + i) for i in range(5)])
    answer = Movie.get_collection(year__gte=1982, _sort="-year", _refresh_index=True)
    before.close()
    app = application(
        database_url, NOBODY, index_prefix, nefertari__sync__pause_after_failure="0"
    )
    app.answer_before = answer
    yield app
    app.close()


def test_a_read_that_the_primary_can_answer_is_answered_by_it(cut_off):
    before = cut_off.answer_before
    page = Movie.get_collection(year__gte=1982, _sort="-year")
    assert [m.id for m in page] == [m.id for m in before] == [4, 3, 2]
    assert (page.total, before.total) == (3, 3)
    assert (page.engine, before.engine) == ("sqla", "elasticsearch")
    assert Movie.get_item(id=3).title == "Film 3"
    assert [movie and movie.id for movie in Movie.get_by_ids([4, 99])] == [4, None]
    assert Movie.count(year=1981) == 1


@pytest.mark.parametrize("parameters", [{"q": "film"}, {"_aggs": {}}])
def test_a_read_that_only_the_secondary_can_answer_is_a_clear_503(cut_off, parameters):
    with pytest.raises(SecondaryUnavailable) as caught:
        Movie.get_collection(**parameters)
    assert caught.value.status == 503
    assert "again later" in str(caught.value)


def test_without_the_fallback_every_read_is_a_503(cut_off, database_url, index_prefix):
    app = application(database_url, NOBODY, index_prefix, nefertari__fallback="false")
    try:
        with pytest.raises(SecondaryUnavailable):
            Movie.get_collection(year=1980)
        assert Movie.count(_query_secondary=False) == 5
    finally:
        app.close()
