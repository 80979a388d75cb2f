"""An idle worker learns of changes at once where the database can tell."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from nefertari_engine_base.exceptions import SecondaryUnavailable
from nefertari_engine_base.primary.sqla import waking
from nefertari_engine_base.sync.waker import Waker
from nefertari_engine_base.sync.worker import run
from nefertari_engine_base.values import Touch
from tests.application import Application, assert_index_equals_rows
from tests.sync.models import INDEXED, Movie, declare
from tests.sync.working import until, working


@pytest.fixture
def make_app(postgresql_database_url, make_on, index_prefix):
    """Function that makes applications on PostgreSQL, told apart by their names."""

    def make(name="writer", **settings):
        own = f"{index_prefix}-{name}"
        url = sa.make_url(postgresql_database_url)
        named = url.update_query_dict({"application_name": own})
        app = make_on(
            named.render_as_string(hide_password=False),
            nefertari__sync__poll_interval="60",
            **settings,
        ).setup()
        app.name = own
        return app

    return make


@pytest.fixture
def idle_app(make_app):
    """An application whose worker would look again in a minute."""
    return make_app(nefertari__sync="worker")


def backends(app, condition="true"):
    """Process numbers of the application's connections."""
    with app.database.connect() as connection:
        return set(
            connection.scalars(
                sa.text(
                    "SELECT pid FROM pg_stat_activity "
                    f"WHERE application_name = :name AND {condition}"
                ),
                {"name": app.name},
            )
        )


def listening(app):
    return backends(app, "query = 'LISTEN nefertari_outbox' AND state = 'idle'")


def save_and_see(app, number):
    app.save(Movie(id=number, title="Alien"))
    until(lambda: not app.waiting(), seconds=5)


def test_an_idle_worker_is_woken_by_a_commit(idle_app):
    with working(idle_app):
        until(lambda: listening(idle_app))
        # Often enough that no look which was due anyway explains them all.
        for number in range(10):
            save_and_see(idle_app, number)
    assert_index_equals_rows(idle_app, INDEXED)


def test_a_worker_that_has_lost_its_connection_is_woken_again(idle_app):
    with working(idle_app):
        for number in range(3):
            (pid,) = until(lambda: listening(idle_app))
            save_and_see(idle_app, 100 + number)
            with idle_app.database.connect() as connection:
                connection.execute(sa.text(f"SELECT pg_terminate_backend({pid})"))
            until(lambda pid=pid: listening(idle_app) - {pid})
            for again in range(5):
                save_and_see(idle_app, 10 * number + again)
    assert_index_equals_rows(idle_app, INDEXED)


def test_a_change_during_the_loss_of_the_connection_is_found_after_it(idle_app):
    called = threading.Semaphore(0)
    (outbox,) = idle_app.engines.outboxes()
    with outbox.listen(called.release):
        assert called.acquire(timeout=60), "nobody looks for what was there before"
        (pid,) = until(lambda: listening(idle_app))
        with idle_app.database.connect() as connection:
            connection.execute(sa.text(f"SELECT pg_terminate_backend({pid})"))
        assert called.acquire(timeout=60), "nobody looks for what was missed"


def test_a_letter_that_is_tried_again_wakes_a_worker(idle_app):
    (outbox,) = idle_app.engines.outboxes()
    outbox.add([Touch("elasticsearch", "Movie", "1")])
    with outbox.claim(1) as claim:
        claim.refuse(claim.entries[0], "for a reason", None)
    with working(idle_app):
        until(lambda: listening(idle_app))
        save_and_see(idle_app, 2)
        outbox.retry()
        until(lambda: not idle_app.entries(), seconds=5)


def test_no_connection_is_left_when_the_worker_has_ended(idle_app):
    with working(idle_app):
        until(lambda: listening(idle_app))
    until(lambda: not listening(idle_app))


# --- what is sent -----------------------------------------------------------------


@pytest.fixture
def sent_by(make_app):
    """Function: how many notifications the application sends while it does that."""
    listener = make_app("listener")
    raw = listener.database.raw_connection()
    connection = raw.driver_connection
    connection.autocommit = True
    connection.execute(f"LISTEN {waking.CHANNEL}")

    def sent_by(app, act):
        act()
        pids = backends(app)
        # Notifications arrive in the order of their commits.
        connection.execute(f"NOTIFY {waking.CHANNEL}, 'the end'")
        count = 0
        for notification in connection.notifies(timeout=60):
            if notification.payload == "the end":
                return count
            count += notification.pid in pids
        raise AssertionError("the end was not heard of")

    yield sent_by
    raw.close()


@pytest.mark.parametrize("rows", [1, 2, 700])
def test_a_transaction_sends_one_notification(sent_by, make_app, rows):
    app = make_app(nefertari__sync="worker")
    films = [Movie(id=number, title="Alien") for number in range(rows)]
    assert sent_by(app, lambda: app.save(*films)) == 1
    assert app.waiting() == rows


def test_a_rollback_sends_nothing(sent_by, make_app):
    app = make_app(nefertari__sync="worker")

    def act():
        with app.session() as session:
            session.add(Movie(id=1, title="never"))
            session.flush()
            session.rollback()

    assert sent_by(app, act) == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"nefertari__sync": "inline"},
        {"nefertari__sync": "off"},
        {"nefertari__sync": "worker", "nefertari__sync__notify": "false"},
    ],
)
def test_nothing_is_sent_where_no_worker_is_to_be_woken(sent_by, make_app, settings):
    app = make_app(**settings)
    assert sent_by(app, lambda: app.save(Movie(id=1, title="Alien"))) == 0


# --- databases that cannot tell ---------------------------------------------------


def test_a_worker_polls_where_the_database_cannot_tell(
    tmp_path, elasticsearch_url, index_prefix
):
    app = Application(
        f"sqlite:///{tmp_path / 'films.sqlite'}",
        elasticsearch_url,
        index_prefix,
        declare,
        nefertari__sync="worker",
        nefertari__sync__poll_interval="0.05",
    ).setup()
    with working(app):
        for number in range(3):
            app.save(Movie(id=number, title="Alien"))
            until(lambda: not app.waiting())
    assert_index_equals_rows(app, INDEXED)
    app.close()


# --- waiting ----------------------------------------------------------------------


def test_a_call_that_comes_before_the_wait_counts_and_counts_once():
    waker = Waker()
    waker.wake()
    waker.wake()
    assert waker.wait(60)
    assert not waker.wait(0.01)


def test_an_outage_of_any_length_does_not_end_a_worker(
    tmp_path, elasticsearch_url, index_prefix, monkeypatch
):
    def fail(*arguments):
        raise SecondaryUnavailable("gone")

    class Impatient(Waker):
        pauses = 0

        def pause(self, seconds):
            assert 0 < seconds <= 30
            self.pauses += 1
            if self.pauses == 2000:
                self.stop()

    monkeypatch.setattr("nefertari_engine_base.sync.worker.drain", fail)
    url = f"sqlite:///{tmp_path / 'films.sqlite'}"
    app = Application(url, elasticsearch_url, index_prefix, declare)
    app.primary.setup_database()
    waker = Impatient()
    run(app.engines, waker)
    assert waker.pauses == 2000
    app.close()


def test_a_pause_is_ended_by_a_stop_and_not_by_a_call():
    waker = Waker()
    waker.wake()
    pausing = threading.Thread(target=waker.pause, args=(600,), daemon=True)
    pausing.start()
    until(lambda: waker._calls.empty())
    waker.wake()
    until(lambda: waker._calls.empty())
    assert pausing.is_alive()
    waker.stop()
    pausing.join(60)
    assert not pausing.is_alive()
    assert waker.wait(600)
