"""The health view: what probes ask, and what they are told when something is away."""

from __future__ import annotations

import socket
import time

import pytest
import sqlalchemy as sa
from pyramid.authorization import Allow, Authenticated
from pyramid.security import NO_PERMISSION_REQUIRED

from chaos.door import Door
from nefertari_engine_base import suspended
from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.values import Touch
from tests.conftest import empty_database
from tests.sync.models import Movie
from tests.web.conftest import make_web

PATH = "/_sync/health"

#: Nobody listens there: the port is reserved (RFC 1700, tcpmux).
NOBODY = "http://127.0.0.1:1"

#: Seconds; what waits for a server here waits for its time-out alone.
TIMEOUT = 0.5
SLACK = 5.0


def configure(config):
    config.include("nefertari_es.web")


@pytest.fixture
def make(make_app):
    """Function that makes an application with the views."""

    def make(more=lambda config: None, **settings):
        def both(config):
            more(config)
            configure(config)

        return make_app(both, nefertari__web__timeout=TIMEOUT, **settings)

    return make


@pytest.fixture
def silent():
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def checks_of(answer):
    return {name: check["status"] for name, check in answer.json["checks"].items()}


def bad_checks(answer):
    return {name: state for name, state in checks_of(answer).items() if state != "ok"}


def test_an_application_in_order_is_ok_by_every_check(make):
    app = make()
    app.save(Movie(id=1, title="Alien"))
    answer = app.web.get(PATH)
    assert answer.status_int == 200
    assert answer.content_type == "application/json"
    assert "no-store" in answer.headers["cache-control"]
    assert answer.json["status"] == "ok"
    assert answer.json["checks"] == {
        "primary": {"status": "ok"},
        "secondary": {"status": "ok"},
        "indices": {"status": "ok"},
        "waiting": {"status": "ok", "observedValue": 0.0, "observedUnit": "s"},
        "workers": {"status": "ok", "observedValue": 0, "observedUnit": "workers"},
        "dead_letters": {"status": "ok", "observedValue": 0, "observedUnit": "entries"},
        "debts": {"status": "ok", "observedValue": 0, "observedUnit": "models"},
    }
    assert app.web.head(PATH).status_int == 200


def test_a_change_that_waits_for_too_long_degrades(make):
    app = make(nefertari__sync="off", nefertari__web__status_max_age="0")
    app.save(Movie(id=1, title="Alien"))
    assert app.web.get(PATH).json["status"] == "ok"
    with app.database.begin() as connection:
        older = "UPDATE nefertari_outbox SET created_at = created_at - 301"
        connection.execute(sa.text(older))
    answer = app.web.get(PATH)
    assert (answer.status_int, answer.json["status"]) == (200, "degraded")
    waiting = answer.json["checks"]["waiting"]
    assert waiting["observedValue"] >= 301
    assert waiting["output"] == "A change waits for more than 300 s."
    assert bad_checks(answer) == {"waiting": "degraded"}


def test_a_dead_letter_degrades(make):
    app = make()
    (outbox,) = app.engines.outboxes()
    outbox.add([Touch("elasticsearch", "Movie", "1")])
    with outbox.claim(10) as claim:
        claim.refuse(claim.entries[0], "secret reason", None)
    answer = app.web.get(PATH)
    assert bad_checks(answer) == {"dead_letters": "degraded"}
    assert answer.json["checks"]["dead_letters"]["observedValue"] == 1
    assert "secret" not in answer.text


def test_documents_that_are_owed_degrade(make):
    app = make(nefertari__web__status_max_age="0")
    with suspended(Movie):
        app.save(Movie(id=1, title="Alien"))
    answer = app.web.get(PATH)
    assert bad_checks(answer) == {"debts": "degraded"}
    says = answer.json["checks"]["debts"]["output"]
    assert says == "Documents of Movie: nefertari-es catch-up."


def test_the_mode_worker_wants_a_worker_that_is_alive(make):
    app = make(nefertari__sync="worker", nefertari__web__status_max_age="0")
    answer = app.web.get(PATH)
    assert bad_checks(answer) == {"workers": "degraded"}
    (outbox,) = app.engines.outboxes()
    outbox.heartbeat("machine:1", 5.0, 3)
    assert app.web.get(PATH).json["status"] == "ok"
    with app.database.begin() as connection:
        silent = "UPDATE nefertari_worker SET seen_at = seen_at - 61"
        connection.execute(sa.text(silent))
    assert bad_checks(app.web.get(PATH)) == {"workers": "degraded"}


def test_an_index_that_is_missing_degrades_and_is_named(make):
    app = make()
    alias = app.secondary.model_of(app.engines.schema_of(Movie)).alias
    app.secondary.client.indices.delete(index=f"{alias}-000001")
    answer = app.web.get(PATH)
    assert bad_checks(answer) == {"indices": "degraded"}
    says = "There is no index for Movie: nefertari-es setup."
    assert answer.json["checks"]["indices"]["output"] == says
    app.setup()
    assert app.web.get(PATH).json["status"] == "ok"


def test_a_search_server_that_is_gone_degrades(make):
    app = make(search_url=NOBODY)
    answer = app.web.get(PATH)
    assert (answer.status_int, answer.json["status"]) == (200, "degraded")
    assert bad_checks(answer) == {"secondary": "degraded", "indices": "degraded"}
    assert "127.0.0.1" not in answer.text


def test_what_takes_the_application_down_is_a_setting(make):
    app = make(search_url=NOBODY, nefertari__web__fatal="primary secondary")
    answer = app.web.get(PATH, status=503)
    assert answer.json["status"] == "down"
    assert bad_checks(answer) == {"secondary": "down", "indices": "degraded"}


def test_a_search_server_that_never_answers_does_not_hold_it_up(make, silent, caplog):
    app = make(search_url=f"http://127.0.0.1:{silent[1]}")
    begun = time.monotonic()
    for _ in range(3):
        answer = app.web.get(PATH)
        assert bad_checks(answer) == {"secondary": "degraded", "indices": "degraded"}
    assert time.monotonic() - begun < 3 * TIMEOUT + SLACK
    assert caplog.text.count("Health check: elasticsearch does not answer") == 1


def test_a_database_that_never_answers_is_down_in_time(
    silent, elasticsearch_url, index_prefix
):
    url = f"postgresql+psycopg://nobody@127.0.0.1:{silent[1]}/none"
    app = make_web(
        url, elasticsearch_url, index_prefix, configure,
        nefertari__web__timeout=TIMEOUT,
    )  # fmt: skip
    begun = time.monotonic()
    answer = app.web.get(PATH, status=503)
    assert time.monotonic() - begun < TIMEOUT + SLACK
    assert answer.json["status"] == "down"
    assert bad_checks(answer) == {
        "primary": "down",
        "indices": "degraded",
        "waiting": "degraded",
        "workers": "degraded",
        "dead_letters": "degraded",
        "debts": "degraded",
    }
    app.close()


def test_it_is_down_while_the_database_is_gone_and_up_again_after(
    server_of, elasticsearch_url, tmp_path_factory, index_prefix
):
    with empty_database("postgresql", server_of, tmp_path_factory) as url:
        parts = sa.make_url(url)
        door = Door(f"http://{parts.host}:{parts.port}")
        port = int(door.url.rpartition(":")[2])
        through = parts.set(host="127.0.0.1", port=port)
        app = make_web(
            through.render_as_string(hide_password=False), elasticsearch_url,
            index_prefix, configure,
            nefertari__web__timeout=SLACK, nefertari__web__status_max_age="0",
        ).setup()  # fmt: skip
        try:
            assert app.web.get(PATH).json["status"] == "ok"
            with door.is_shut():
                answer = app.web.get(PATH, status=503)
                assert checks_of(answer)["primary"] == "down"
                assert checks_of(answer)["secondary"] == "ok"
                assert str(port) not in answer.text
            assert app.web.get(PATH).json["status"] == "ok"
        finally:
            app.close()
            door.shut()


# --- configuration ---------------------------------------------------------------


class Policy:
    """A security policy that knows nobody."""

    def identity(self, request):
        return None

    def authenticated_userid(self, request):
        return None

    def permits(self, request, context, permission):
        return (Allow, Authenticated, permission) == ()

    def remember(self, request, userid, **kw):
        return []

    def forget(self, request, **kw):
        return []


def secured(config):
    config.set_security_policy(Policy())
    config.set_default_permission("view")


@pytest.mark.parametrize("path", [PATH, "/_sync/metrics"])
def test_the_default_permission_of_the_application_protects_the_views(make, path):
    make(secured).web.get(path, status=403)


@pytest.mark.parametrize("path", [PATH, "/_sync/metrics"])
def test_the_permission_is_a_setting(make, path):
    app = make(secured, nefertari__web__permission=NO_PERMISSION_REQUIRED)
    app.web.get(path, status=200)


def test_a_permission_of_their_own_protects_the_views(make):
    def with_policy(config):
        config.set_security_policy(Policy())

    app = make(with_policy, nefertari__web__permission="operate")
    app.web.get(PATH, status=403)


def test_paths_are_settings_and_an_empty_one_is_none(make):
    app = make(nefertari__web__health_path="/healthz", nefertari__web__metrics_path="")
    assert app.web.get("/healthz").json["status"] == "ok"
    app.web.get(PATH, status=404)
    app.web.get("/_sync/metrics", status=404)


def test_a_check_that_there_is_not_is_an_error_at_start_up(make):
    with pytest.raises(ConfigurationError, match="there is no check 'disk'"):
        make(nefertari__web__fatal="primary disk")
