"""A worker that is stopped in the middle of a claim holds nothing for ever."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from nefertari_engine_base.primary.sqla import Timeouts
from tests.application import Application, assert_index_equals_rows
from tests.sync.faulty_server import gate_to
from tests.sync.models import INDEXED, Movie, declare
from tests.sync.processes import worker, write_ini
from tests.sync.working import until


@pytest.fixture
def app(postgresql_database_url, elasticsearch_url, index_prefix):
    app = Application(
        postgresql_database_url, elasticsearch_url, index_prefix, declare,
        nefertari__sync="worker", nefertari__sync__claim_timeout=2,
    ).setup()  # fmt: skip
    yield app
    app.close()


class Holding:
    """A gate that keeps the first bulk request until it is opened.

    :attr held: that request has come.
    """

    def __init__(self, gate):
        self.held, self.opened = threading.Event(), threading.Event()
        self._forward, gate.forward = gate.forward, self.forward

    def forward(self, method, path, headers, body):
        if "_bulk" in path and not self.held.is_set():
            self.held.set()
            self.opened.wait(60)
        return self._forward(method, path, headers, body)


def sessions(app, like):
    """How many sessions of the server do this now."""
    with app.database.connect() as connection:
        return connection.scalar(
            sa.text(
                "SELECT count(DISTINCT pid) FROM pg_locks "
                "JOIN pg_stat_activity USING (pid) "
                "WHERE relation = to_regclass('nefertari_outbox') AND state = :state"
            ),
            {"state": like},
        )


def test_a_worker_that_is_stopped_in_a_claim_loses_it_and_the_others_go_on(
    app, tmp_path
):
    app.save(*[Movie(id=number, title=f"Film {number}") for number in range(20)])
    with gate_to(app.settings["elasticsearch.hosts"], "0") as (gate, url):
        holding = Holding(gate)
        through = {**app.settings, "elasticsearch.hosts": url}
        frozen_ini = write_ini(tmp_path / "frozen.ini", through)
        ini = write_ini(tmp_path / "others.ini", app.settings)
        with worker(frozen_ini) as frozen:
            assert holding.held.wait(60), frozen.said()
            frozen.freeze()
            assert sessions(app, "idle in transaction") == 1
            with worker(ini) as other:
                until(lambda: app.waiting() == 0)
                assert_index_equals_rows(app, INDEXED)
                with app.session() as session:
                    session.get_one(Movie, 3).title = "Changed since"
                    session.commit()
                until(lambda: app.waiting() == 0)
                assert other.end() == 0, other.said()
            # What it was going to write comes late, and is known to be old.
            holding.opened.set()
            frozen.thaw()
            until(lambda: "Delivery put off" in frozen.said())
            assert_index_equals_rows(app, INDEXED)
            with app.session() as session:
                session.get_one(Movie, 4).title = "It works again"
                session.commit()
            until(lambda: app.waiting() == 0)
            assert frozen.end() == 0, frozen.said()
        assert_index_equals_rows(app, INDEXED)


def test_sessions_of_deliveries_have_time_outs_and_those_of_the_application_keep_theirs(
    app,
):
    names = {
        "idle_in_transaction_session_timeout": "2s",
        "statement_timeout": "5min",
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "60000",
    }
    (outbox,) = app.engines.outboxes()
    for engine in (outbox.engine, outbox.autocommit_engine):
        with engine.connect() as connection:
            for name, value in names.items():
                shown = connection.exec_driver_sql(f"SHOW {name}").scalar_one()
                assert shown == value, name
    with app.database.connect() as connection:
        shown = connection.exec_driver_sql("SHOW statement_timeout").scalar_one()
        assert shown == "0"


def test_a_statement_of_a_delivery_that_takes_too_long_is_given_up(
    postgresql_database_url, elasticsearch_url, index_prefix
):
    app = Application(
        postgresql_database_url, elasticsearch_url, index_prefix, declare,
        nefertari__sync="worker", nefertari__sync__statement_timeout=0.2,
    ).setup()  # fmt: skip
    try:
        app.save(Movie(id=1, title="Alien"))
        with app.database.begin() as connection:
            connection.exec_driver_sql("LOCK TABLE movies IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(Exception, match="statement timeout"):
                app.drain()
        assert app.drain().written == 1
    finally:
        app.close()


def test_what_is_not_limited_is_said_to_be_not_limited():
    settings = Timeouts(claim=0, statement=0, connection=0).settings()
    assert settings == {
        "idle_in_transaction_session_timeout": "0",
        "statement_timeout": "0",
    }
