"""Application and workers behind PgBouncer, which hands each transaction to any session
of the server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.application import Application, assert_index_equals_rows
from tests.sync.models import INDEXED, Director, Movie, declare
from tests.sync.processes import worker, write_ini
from tests.sync.working import until
from tools import servers

#: Sessions of the server that the pooler has for one database.
POOL = 6


@pytest.fixture(scope="module")
def pooler(postgresql_url):
    settings = servers.Settings.from_environment()
    before = replace(settings, urls={**settings.urls, "postgresql": postgresql_url})
    with servers.start("pgbouncer", before) as server:
        yield sa.make_url(server.url)


@pytest.fixture
def direct_url(postgresql_url, index_prefix):
    """An empty database: a pooler takes no search path from its clients."""
    url = sa.make_url(postgresql_url)
    name = index_prefix.replace("-", "_")
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield url.set(database=name)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture
def make_app(pooler, direct_url, elasticsearch_url, index_prefix):
    """Function that makes the application, behind the pooler."""
    url = pooler.set(database=direct_url.database)
    made = []

    def make(**settings):
        app = Application(
            url.render_as_string(hide_password=False), elasticsearch_url, index_prefix,
            declare, **settings,
        ).setup()  # fmt: skip
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


def write(app):
    """Changes of many sorts, by several threads."""

    def change(number):
        with app.session() as session:
            films = [Movie(id=10 * number + n, title="Alien") for n in range(5)]
            session.add(Director(id=number, name="Scott", films=films))
            session.commit()
            session.get_one(Director, number).name = "Ridley"
            session.commit()
            session.execute(
                sa.update(Movie).where(Movie.id == 10 * number).values(title="Aliens")
            )
            session.delete(session.get_one(Movie, 10 * number + 4))
            session.commit()

    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(change, range(1, 40)):
            pass


def sessions_of_server(engine):
    """Connections that hold all sessions of the server at once."""
    with ExitStack() as stack:
        opened = [stack.enter_context(engine.connect()) for _ in range(POOL)]
        pids = {
            connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            for connection in opened
        }
        assert len(pids) == POOL
        yield from opened


def assert_nothing_leaked(app):
    """No session of the pooler has anything of ours."""
    clean = sa.create_engine(
        app.settings["sqlalchemy.url"],
        pool_size=POOL,
        connect_args={"prepare_threshold": None},
    )
    questions = {
        "settings": "SELECT name, setting FROM pg_settings WHERE source = 'session' "
        "AND name NOT IN ('client_encoding', 'DateStyle', 'TimeZone', "
        "'application_name', 'standard_conforming_strings', 'transaction_isolation', "
        "'transaction_read_only', 'transaction_deferrable')",
        "statements": "SELECT statement FROM pg_prepared_statements",
        "channels": "SELECT pg_listening_channels()",
        "locks": "SELECT * FROM pg_locks WHERE locktype = 'advisory' "
        "AND pid = pg_backend_pid()",
    }
    for connection in sessions_of_server(clean):
        for name, question in questions.items():
            assert connection.exec_driver_sql(question).all() == [], name
    clean.dispose()


@pytest.mark.parametrize("capture", ["session", "triggers"])
def test_inline_delivery_behind_a_pooler_follows_and_leaves_its_sessions_as_they_were(
    make_app, capture
):
    app = make_app(nefertari__sync="inline", nefertari__capture=capture)
    write(app)
    app.drain()
    assert app.waiting() == 0
    assert_index_equals_rows(app, INDEXED)
    assert_nothing_leaked(app)


def test_workers_behind_a_pooler_deliver_and_synchronise_again(make_app, tmp_path):
    app = make_app(nefertari__sync="worker")
    ini = write_ini(tmp_path / "app.ini", app.settings)
    with worker(ini) as first, worker(ini) as second:
        write(app)
        with app.session() as session:
            # Nobody can tell its rows: workers compare, one at a time.
            session.execute(sa.text("UPDATE movies SET year = 1979"))
            session.commit()
        (outbox,) = app.engines.outboxes()
        until(lambda: outbox.waiting() == 0 and not outbox.debt_status())
        assert_index_equals_rows(app, INDEXED)
        assert first.end() == 0, first.said()
        assert second.end() == 0, second.said()
    assert_nothing_leaked(app)


def test_sessions_that_the_pooler_opens_anew_are_noticed(make_app, direct_url):
    app = make_app(nefertari__sync="worker")
    app.save(Movie(id=1, title="Alien"))
    app.drain()
    (outbox,) = app.engines.outboxes()
    known = outbox.generation
    admin = sa.create_engine(direct_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        # As when the server has crashed: the pooler keeps its clients.
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    admin.dispose()
    app.database.dispose()
    app.save(Movie(id=2, title="Aliens"))
    until(lambda: delivered(app))
    assert outbox.generation > known
    assert_index_equals_rows(app, INDEXED)


def delivered(app):
    """Whether everything is delivered, by now or by this."""
    try:
        app.drain()
    except servers.ServersError:
        raise
    except Exception:  # noqa: BLE001 - a connection that is not there any more
        return False
    return app.waiting() == 0
