"""An index that lost what it held behind our back: deleted, emptied, or set back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from nefertari_engine_base import suspended
from nefertari_engine_base.exceptions import EngineError, SecondaryUnavailable
from nefertari_engine_base.interfaces import IFailureHandler
from nefertari_engine_base.sync.catch_up import catch_up, indebted
from nefertari_engine_base.sync.failures import LoggingFailureHandler
from nefertari_engine_base.sync.status import Presence
from nefertari_engine_base.values import Touch
from nefertari_engine_base.values.debts import EMPTIED, GONE, OLDER, REPLACED
from tests.application import Application, assert_index_equals_rows
from tests.sync.models import INDEXED, Movie, Seat, declare
from tests.sync.working import until, working


@pytest.fixture
def losses(app):
    """The debts that the failure handler of ``app`` is told of."""
    return listen(app)


@pytest.fixture
def filled(app):
    """Ten films, which are in the index, and known to be there."""
    app.save(*(Movie(id=number, title=f"Film {number}") for number in range(10)))
    assert app.engines.watch.check() == []
    return app


def listen(app):
    told = []

    class Handler(LoggingFailureHandler):
        def index_lost(self, debt):
            super().index_lost(debt)
            told.append(debt)

    app.registry.registerUtility(Handler(), IFailureHandler)
    return told


def alias(app, model=Movie):
    return app.secondary.model_of(app.engines.schema_of(model)).alias


def index_name(app, model=Movie):
    (name,) = app.secondary.client.indices.get_alias(name=alias(app, model)).body
    return name


def delete_index(app, model=Movie):
    app.secondary.client.indices.delete(index=index_name(app, model))


def empty_index(app):
    """What _delete_by_query does, which not every server has."""
    client, name = app.secondary.client, alias(app)
    client.indices.refresh(index=name)
    found = client.search(index=name, size=1000, source=False)["hits"]["hits"]
    operations = [{"delete": {"_id": hit["_id"]}} for hit in found]
    client.bulk(index=name, operations=operations, refresh=True)


def remembered(app):
    (outbox,) = app.engines.outboxes()
    return outbox.index_states("elasticsearch")["Movie", alias(app)]


def reasons(app):
    return {model: set(found) for model, found in indebted(app.engines).items()}


def settle(app):
    for model in indebted(app.engines):
        catch_up(app.engines, app.engines.schemas[model])


def again(app, more=""):
    """The same application, started once more; with ``more`` in its prefix."""
    return Application(
        app.settings["sqlalchemy.url"],
        app.settings["elasticsearch.hosts"],
        app.settings["elasticsearch.index_prefix"] + more,
        declare,
        nefertari__sync=app.settings.get("nefertari.sync", "inline"),
    )


# --- what is noticed


def test_an_index_that_was_made_anew_is_noticed_and_caught_up_with(filled, losses):
    delete_index(filled)
    filled.setup()
    assert reasons(filled) == {"Movie": {REPLACED}}
    assert [debt.model for debt in losses] == ["Movie"]
    settle(filled)
    assert_index_equals_rows(filled, INDEXED)
    assert filled.engines.watch.check() == []


def test_an_index_that_is_gone_is_noticed_once(filled, losses):
    delete_index(filled)
    filled.engines.watch.check()
    filled.engines.watch.check()
    assert reasons(filled) == {"Movie": {GONE}}
    filled.setup()
    assert len(losses) == 1
    settle(filled)
    assert_index_equals_rows(filled, INDEXED)


def test_an_emptied_index_is_noticed_and_caught_up_with(filled, losses):
    empty_index(filled)
    filled.engines.watch.check()
    filled.engines.watch.check()
    assert reasons(filled) == {"Movie": {EMPTIED}}
    assert len(losses) == 1
    settle(filled)
    assert_index_equals_rows(filled, INDEXED)
    assert filled.engines.watch.check() == []


def test_an_index_that_was_emptied_and_written_since_is_noticed(filled):
    empty_index(filled)
    filled.save(Movie(id=100, title="after it"))
    filled.engines.watch.check()
    assert reasons(filled) == {"Movie": {EMPTIED}}


def test_an_index_that_was_emptied_while_changes_wait_is_noticed_later(filled):
    (outbox,) = filled.engines.outboxes()
    empty_index(filled)
    outbox.add([Touch("elasticsearch", "Movie", str(n)) for n in range(10)])
    assert filled.engines.watch.check() == []
    with filled.database.begin() as connection:
        connection.execute(sa.text("DELETE FROM nefertari_outbox WHERE key <> '5'"))
    (debt,) = filled.engines.watch.check()
    assert debt.reason == EMPTIED


def test_an_older_state_of_an_index_is_noticed(filled):
    """An index cannot be set back here without another identity: so what is remembered
    is moved ahead instead."""
    (outbox,) = filled.engines.outboxes()
    known = remembered(filled)
    newer = replace(known, operations=known.operations + 1)
    assert outbox.remember_index("elasticsearch", "Movie", known, newer)
    (debt,) = filled.engines.watch.check()
    assert debt.reason == OLDER


def test_a_copy_of_an_older_state_behind_the_alias_is_noticed(filled):
    client, old = filled.secondary.client, index_name(filled)
    copy = old[:-1] + "2"
    client.indices.put_settings(index=old, settings={"index.blocks.write": True})
    client.indices.clone(index=old, target=copy, wait_for_active_shards="1")
    for name in (old, copy):
        client.indices.put_settings(index=name, settings={"index.blocks.write": None})
    filled.save(Movie(id=100, title="after the copy"))
    filled.engines.watch.check()
    client.indices.delete(index=old)
    client.indices.put_alias(index=copy, name=alias(filled), is_write_index=True)
    filled.engines.watch.check()
    assert reasons(filled) == {"Movie": {REPLACED}}
    settle(filled)
    assert_index_equals_rows(filled, INDEXED)


# --- by whom


def test_a_worker_notices_when_it_starts(filled, losses):
    empty_index(filled)
    with working(filled):
        until(lambda: losses)
    assert reasons(filled) == {"Movie": {EMPTIED}}


def test_an_idle_worker_notices_while_it_waits(filled, losses, monkeypatch):
    monkeypatch.setattr(Presence, "interval", 0.01)
    engines = filled.engines
    engines.settings = replace(engines.settings, check_interval=0.01, poll_interval=600)
    (outbox,) = engines.outboxes()
    with working(filled):
        until(lambda: outbox.status().workers)
        empty_index(filled)
        until(lambda: losses)


def test_a_process_notices_at_its_first_delivery(filled):
    empty_index(filled)
    other = again(filled)
    try:
        other.save(Movie(id=100, title="new"))
        assert reasons(filled) == {"Movie": {EMPTIED}}
    finally:
        other.engines.close()
        other.database.dispose()


def test_a_worker_does_not_look_more_often_than_it_was_told_to(filled, losses):
    filled.engines.watch.look()
    empty_index(filled)
    filled.engines.watch.look()
    assert losses == []


# --- no false alarms


def test_nothing_is_noticed_of_a_new_application(app, losses):
    app.engines.watch.check()
    app.setup()
    assert losses == []


def test_nothing_is_noticed_where_there_is_nothing_to_miss(app, losses):
    delete_index(app)
    app.engines.watch.check()
    app.setup()
    app.engines.watch.check()
    assert losses == []
    app.save(Movie(id=1, title="Alien"))
    app.engines.watch.check()
    assert losses == []


def test_deleted_rows_are_no_loss(filled, losses):
    with filled.session() as session:
        session.execute(sa.delete(Movie))
        session.commit()
    filled.engines.watch.check()
    filled.save(Movie(id=100, title="new"))
    filled.engines.watch.check()
    assert losses == []


def test_most_rows_deleted_is_no_loss(filled, losses):
    with filled.session() as session:
        session.execute(sa.delete(Movie).where(Movie.id != 5))
        session.commit()
    filled.engines.watch.check()
    assert losses == []


def test_rows_whose_changes_wait_are_no_loss(filled, losses):
    with filled.session() as session:
        session.execute(sa.delete(Movie))
        session.commit()
    (outbox,) = filled.engines.outboxes()
    with filled.database.begin() as connection:
        connection.execute(sa.text("INSERT INTO movies (id, title) VALUES (1, 'A')"))
    outbox.add([Touch("elasticsearch", "Movie", "1")])
    filled.engines.watch.check()
    filled.drain()
    filled.engines.watch.check()
    assert losses == []


def test_rows_that_are_owed_already_are_no_loss(filled, losses):
    with filled.session() as session:
        session.execute(sa.delete(Movie))
        session.commit()
    with suspended(Movie):
        filled.save(Movie(id=1, title="Alien"))
    filled.engines.watch.check()
    settle(filled)
    filled.engines.watch.check()
    assert losses == []


def test_deletes_and_restarts_do_not_count_as_an_older_state(filled, losses):
    with filled.session() as session:
        session.delete(session.get(Movie, 9))
        session.commit()
    other = again(filled)
    told = listen(other)
    other.setup()
    other.engines.close()
    other.database.dispose()
    client = filled.secondary.client
    client.indices.close(index=index_name(filled))
    assert filled.engines.watch.check() == []
    client.indices.open(index=index_name(filled), wait_for_active_shards="1")
    client.cluster.health(index=index_name(filled), wait_for_status="yellow")
    assert filled.engines.watch.check() == []
    assert losses == told == []


def test_indices_of_another_prefix_are_other_indices(filled, losses):
    other = again(filled, "-other")
    told = listen(other)
    try:
        other.setup()
        filled.engines.watch.check()
        other.engines.watch.check()
        assert losses == told == []
    finally:
        other.close()


def test_indexing_on_purpose_is_no_loss(filled, losses):
    catch_up(filled.engines, filled.engines.schema_of(Movie))
    filled.engines.watch.check()
    assert losses == []


def test_of_two_that_look_at_the_same_time_one_makes_the_debt(filled):
    (outbox,) = filled.engines.outboxes()
    known = remembered(filled)
    other = replace(known, identity="other")
    remember = outbox.remember_index
    assert remember("elasticsearch", "Movie", known, other, REPLACED)
    assert not remember("elasticsearch", "Movie", known, other, REPLACED)
    (debt,) = outbox.status().debts
    assert debt.count == 1


# --- while there is no index


def test_changes_wait_for_a_missing_index_and_are_no_dead_letters(worker_app):
    app = worker_app
    app.save(Movie(id=1, title="before"))
    app.drain()
    app.engines.watch.check()
    delete_index(app)
    app.save(Movie(id=2, title="meanwhile"), Seat(row="A", number=1))
    for _ in range(app.engines.settings.max_attempts + 1):
        with pytest.raises(EngineError, match="nefertari-es setup"):
            app.drain()
    (outbox,) = app.engines.outboxes()
    assert outbox.dead_letters() == []
    assert ("Movie", "", "2") in app.entries()
    app.setup()
    app.drain()
    settle(app)
    assert_index_equals_rows(app, INDEXED)
    assert app.waiting() == 0


def test_catching_up_without_an_index_says_what_to_do_and_leaves_the_debt(filled):
    delete_index(filled)
    filled.engines.watch.check()
    with pytest.raises(EngineError, match="nefertari-es setup"):
        settle(filled)
    assert reasons(filled) == {"Movie": {GONE}}


def test_a_server_that_does_not_answer_is_no_loss(filled, losses):
    other = Application(
        filled.settings["sqlalchemy.url"], "http://127.0.0.1:1", "none", declare
    )
    told = listen(other)
    with pytest.raises(SecondaryUnavailable):
        other.engines.watch.check()
    assert told == losses == []
    other.engines.close()
    other.database.dispose()
