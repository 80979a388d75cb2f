"""A commit waits until its changes are as visible as it was asked for."""

from __future__ import annotations

import time

import pytest
from pyramid import testing

from nefertari_engine_base import visibility
from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.interfaces import IFailureHandler
from tests.application import Application
from tests.sync.models import Director, Movie, declare
from tests.sync.working import working


@pytest.fixture(params=["inline", "worker"])
def make_app(request, database_url, elasticsearch_url, index_prefix):
    """Function that makes an application of each mode."""
    made = []

    def make(**settings):
        app = Application(
            database_url, elasticsearch_url, index_prefix, declare,
            nefertari__sync=request.param, **settings,
        ).setup()  # fmt: skip
        client = app.secondary.client
        # Nothing becomes visible by itself.
        client.indices.put_settings(
            index=f"{index_prefix}-*", settings={"refresh_interval": "-1"}
        )
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


def titles():
    return [movie.title for movie in Movie.get_collection()]


def test_a_search_finds_what_a_visible_commit_has_saved(make_app):
    app = make_app()
    with working(app):
        app.save(Movie(id=1, title="unseen"))
        with visibility("visible"):
            app.save(Movie(id=2, title="seen"))
        assert "seen" in titles()


def test_a_read_by_id_finds_what_a_written_commit_has_saved(make_app):
    app = make_app(nefertari__sync__visibility="written")
    with working(app):
        app.save(Director(id=1, name="d"))
        app.save(Movie(id=1, title="written", director_id=1))
        assert Movie.get_item(id=1).title == "written"
        assert titles() == []
        with app.session() as session:
            session.get(Director, 1).name = "renamed"
            session.commit()
    app.drain()
    assert Movie.get_item(id=1).director.name == "renamed"


def test_a_request_may_ask_for_its_own_commits(make_app):
    app = make_app()
    with working(app), testing.testConfig(registry=app.registry) as config:
        config.begin(request := Request())
        request.sync_visibility = "visible"
        app.save(Movie(id=1, title="asked for"))
        assert titles() == ["asked for"]


class Request:
    """What matters of a request."""


def test_the_wait_ends_though_nobody_delivers(
    database_url, elasticsearch_url, index_prefix
):
    app = Application(
        database_url, elasticsearch_url, index_prefix, declare,
        nefertari__sync="worker", nefertari__sync__visibility="visible",
        nefertari__sync__visibility_timeout="0.2",
    ).setup()  # fmt: skip
    reports = []

    class Handler:
        def delivery_failed(self, error, waiting):
            reports.append((str(error), waiting))

    app.registry.registerUtility(Handler(), IFailureHandler)
    try:
        began = time.monotonic()
        app.save(Movie(id=1, title="waits"))
        assert 0.2 <= time.monotonic() - began < 60
        ((reason, waiting),) = reports
        assert "within 0.2 s" in reason
        assert waiting == 1
        assert app.entries() == [("Movie", "", "1")]
    finally:
        app.close()


def test_an_unknown_level_is_refused():
    refused = pytest.raises(ConfigurationError, match="async, written, visible")
    with refused, visibility("now"):
        pass
