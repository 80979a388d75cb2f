"""Debts are settled: every row has its document again, and no other is left."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from nefertari_engine_base import suspended
from nefertari_engine_base.exceptions import SecondaryUnavailable
from nefertari_engine_base.sync.catch_up import catch_up, indebted
from nefertari_engine_base.sync.rebuild import index_all
from nefertari_engine_base.values import Debt, DocumentRef, Outcome, Touch, Write
from tests.application import assert_index_equals_rows
from tests.sync.models import INDEXED, Director, Movie, Seat


def settle(app, model=Movie, on_batch=None):
    return catch_up(app.engines, app.engines.schema_of(model), on_batch)


def numbers(app, model=Movie):
    schema = app.engines.schema_of(model)
    return list(app.primary.outbox_of(schema).debts(model.__name__, ["elasticsearch"]))


def outbox_of(app):
    (outbox,) = app.engines.outboxes()
    return outbox


def use(app, **settings):
    app.engines.settings = replace(app.engines.settings, **settings)


def delete(app, *ids):
    with suspended(), app.session() as session:
        session.execute(sa.delete(Movie).where(Movie.id.in_(ids)))
        session.commit()


# --- what is settled


def test_changed_new_and_deleted_rows_are_caught_up_with(app):
    app.save(*(Movie(id=number, title=f"Film {number}") for number in range(5)))
    with suspended(Movie), app.session() as session:
        session.get(Movie, 1).title = "changed"
        session.delete(session.get(Movie, 2))
        session.add(Movie(id=7, title="new"))
        session.commit()
    done = settle(app)
    assert_index_equals_rows(app, INDEXED)
    assert (done.removed, done.debts) == (1, 1)
    assert numbers(app) == []


def test_statements_of_a_block_are_caught_up_with(app):
    director = Director(id=1, name="Scott")
    app.save(director, *(Movie(id=n, title="A", director=director) for n in range(3)))
    with suspended(), app.session() as session:
        session.execute(sa.update(Director).values(name="Ridley Scott"))
        rows = [{"id": 8, "title": "B"}, {"id": 9, "title": "C"}]
        session.execute(sa.insert(Movie), rows)
        session.execute(sa.delete(Movie).where(Movie.id == 0))
        session.commit()
    assert sorted(indebted(app.engines)) == ["Director", "Movie"]
    settle(app, Director)
    settle(app, Movie)
    assert_index_equals_rows(app, INDEXED)
    assert indebted(app.engines) == {}


def test_only_debts_of_the_model_are_settled(app):
    with suspended():
        app.save(Movie(id=1, title="Alien"), Seat(row="A", number=1))
    settle(app)
    assert numbers(app, Movie) == []
    assert len(numbers(app, Seat)) == 1


def test_debts_of_engines_that_are_not_there_stay(app):
    outbox_of(app).owe([Debt("other", "Movie"), Debt("elasticsearch", "Gone")])
    assert indebted(app.engines) == {}
    settle(app)
    found = {(debt.secondary, debt.model) for debt in outbox_of(app).status().debts}
    assert found == {("other", "Movie"), ("elasticsearch", "Gone")}


def test_ghosts_of_many_batches_are_removed(app):
    schema = app.engines.schema_of(Movie)
    writes = [Write(str(n), 1, b'{"id":%d,"title":"ghost"}' % n) for n in range(2500)]
    app.secondary.write(schema, writes)
    app.save(Movie(id=1000, title="there"))
    done = settle(app)
    assert done.removed == 2499
    assert_index_equals_rows(app, [Movie])


def test_a_ghost_whose_id_no_row_can_have_is_removed(app):
    schema = app.engines.schema_of(Movie)
    (result,) = app.secondary.write(schema, [Write("no number", 1, b"{}")])
    assert result.outcome is Outcome.WRITTEN
    assert settle(app).removed == 1
    assert app.documents(Movie) == {}


def test_a_removed_ghost_is_not_resurrected_by_a_late_write(app):
    app.save(Movie(id=1, title="Alien"))
    delete(app, 1)
    settle(app)
    schema = app.engines.schema_of(Movie)
    (late,) = app.secondary.write(schema, [Write("1", 1, b'{"id":1,"title":"old"}')])
    assert late.outcome is Outcome.SUPERSEDED


def test_many_debts_are_settled_at_once(app):
    outbox_of(app).owe([Debt("elasticsearch", "Movie")] * 2345)
    assert settle(app).debts == 2345
    assert numbers(app) == []


def test_what_the_index_refuses_waits_in_the_outbox_and_is_no_longer_owed(worker_app):
    app = worker_app
    with suspended(Seat):
        app.save(Seat(row="x" * 20, number=1), Seat(row="A", number=2))
    with app.database.begin() as connection:
        # No document id may be as long as this.
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("ALTER TABLE seats ALTER row TYPE text"))
        update = "UPDATE seats SET row = :long WHERE number = 1"
        connection.execute(sa.text(update), {"long": "x" * 600})
    done = settle(app, Seat)
    assert len(done.report.errors) == 1
    assert [entry[0] for entry in app.entries()] == ["Seat"]
    assert numbers(app, Seat) == []
    assert list(app.documents(Seat)) == ["A,2"]


def test_a_catch_up_that_is_broken_off_leaves_the_debts_and_may_be_repeated(app):
    with suspended(Movie):
        app.save(*(Movie(id=number, title="Alien") for number in range(10)))
    use(app, batch_size=4)

    def break_off(report):
        raise SecondaryUnavailable("now")

    with pytest.raises(SecondaryUnavailable):
        settle(app, on_batch=break_off)
    assert len(numbers(app)) == 1
    settle(app)
    assert numbers(app) == []
    assert_index_equals_rows(app, [Movie])


def test_it_works_where_nobody_delivers(worker_app):
    worker_app.save(Movie(id=1, title="in the outbox"))
    with suspended(Movie):
        worker_app.save(Movie(id=2, title="owed"))
    settle(worker_app)
    assert_index_equals_rows(worker_app, [Movie])
    assert len(worker_app.entries()) == 1


# --- races


def test_a_transaction_that_commits_meanwhile_leaves_its_debt(app):
    """Whatever the catch-up has seen of it."""
    use(app, batch_size=2)
    app.save(*(Movie(id=number, title="old") for number in range(4)))
    with suspended(Movie):
        app.save(Movie(id=9, title="seen"))
    batches = []

    def commit_another(report):
        if not batches:
            with suspended(Movie), app.session() as session:
                session.get(Movie, 0).title = "behind the catch-up"
                session.get(Movie, 3).title = "ahead of it"
                session.commit()
        batches.append(report)

    (first,) = numbers(app)
    assert settle(app, on_batch=commit_another).debts == 1
    (second,) = numbers(app)
    assert second > first
    assert app.documents(Movie)["0"]["title"] == "old"
    settle(app)
    assert_index_equals_rows(app, [Movie])
    assert numbers(app) == []


def test_a_debt_that_was_written_before_but_commits_after_is_not_settled(app):
    if app.database.dialect.name == "sqlite":
        pytest.skip("on SQLite there is one writer at a time")
    app.save(Movie(id=1, title="old"))
    with suspended(Movie), app.session() as running:
        running.get(Movie, 1).title = "late"
        running.flush()
        app.save(Movie(id=2, title="early"))
        assert settle(app).debts == 1
        running.commit()
    assert len(numbers(app)) == 1
    settle(app)
    assert_index_equals_rows(app, [Movie])


def test_a_delivery_that_loaded_before_a_silent_delete_removes_its_document(worker_app):
    """It writes after the catch-up looked for documents without a row."""
    app, outbox = worker_app, outbox_of(worker_app)
    app.save(Movie(id=1, title="Alien"))
    with outbox.claim(10) as claim:
        snapshot = claim.draw_and_load([entry_ref(claim.entries[0])])
        delete(app, 1)
        settle(app)
        schema = app.engines.schema_of(Movie)
        text = snapshot.documents["Movie"]["1"]
        (result,) = app.secondary.write(schema, [Write("1", snapshot.version, text)])
        assert result.outcome is Outcome.WRITTEN
        claim.acknowledge(claim.entries)
    assert list(app.documents(Movie)) == ["1"]
    assert app.waiting() == 1
    app.drain()
    assert app.waiting() == 0
    assert_index_equals_rows(app, [Movie])


def test_an_inline_delivery_that_loaded_before_a_silent_delete_leaves_its_entry(
    worker_app,
):
    app, outbox = worker_app, outbox_of(worker_app)
    app.save(Movie(id=1, title="Alien"))
    with outbox.claim(10) as claim:
        entries = list(claim.entries)
    with outbox.claim_own(entries) as claim:
        claim.draw_and_load([entry_ref(entries[0])])
        delete(app, 1)
        settle(app)
        claim.acknowledge(claim.entries)
    assert app.waiting() == 1
    app.drain()
    assert app.waiting() == 0


def test_dead_letters_stay_with_an_entry_that_is_not_acknowledged(worker_app):
    app, outbox = worker_app, outbox_of(worker_app)
    outbox.add([Touch("elasticsearch", "Movie", "1")])
    with outbox.claim(10) as claim:
        claim.refuse(claim.entries[0], "for good", None)
    outbox.add([Touch("elasticsearch", "Movie", "1")])
    with outbox.claim(10) as claim:
        claim.draw_and_load([entry_ref(claim.entries[0])])
        outbox.fence("elasticsearch", "Movie")
        claim.acknowledge(claim.entries)
    assert app.waiting() == 1
    assert len(outbox.dead_letters()) == 1
    app.drain()
    assert (app.waiting(), len(outbox.dead_letters())) == (0, 0)


def test_indexing_that_loaded_before_a_silent_delete_removes_its_document(app):
    """Nothing but the fence can tell it: it has no entries."""
    app.save(Movie(id=1, title="Alien"))
    schema, outbox = app.engines.schema_of(Movie), outbox_of(app)
    app.secondary.write(schema, [Write("1", 2**50, None)])
    outbox.advance_version(2**50)
    load, states = outbox.draw_and_load, []

    def load_and_delete(refs):
        snapshot = load(refs)
        if not states:
            states.append(snapshot)
            delete(app, 1)
            settle(app)
        return snapshot

    outbox.draw_and_load = load_and_delete
    index_all(app.engines, schema)
    assert states[0].documents["Movie"]
    assert_index_equals_rows(app, [Movie])


def test_two_catch_ups_at_the_same_time_do_no_harm(app):
    use(app, batch_size=2)
    app.save(*(Movie(id=number, title="old") for number in range(5)))
    with suspended(Movie), app.session() as session:
        session.delete(session.get(Movie, 3))
        session.get(Movie, 1).title = "new"
        session.commit()
    inner = []

    def run_another(report):
        if not inner:
            inner.append(None)
            inner[0] = settle(app)

    settle(app, on_batch=run_another)
    assert inner[0].debts == 1
    assert numbers(app) == []
    assert_index_equals_rows(app, [Movie])


def test_versions_to_come_are_above_every_fence(app):
    """A primary that was restored has the fence of its backup, and draws again."""
    outbox = outbox_of(app)
    fence = outbox.fence("elasticsearch", "Movie")
    with app.database.begin() as connection:
        high = fence + 2**40
        connection.execute(sa.text(f"UPDATE nefertari_index SET fence = {high}"))
    outbox.advance_version(0)
    assert outbox.draw_and_load([]).version > high
    assert outbox.fence("elasticsearch", "Movie") > high


def test_numbers_of_settled_debts_are_not_given_again(app):
    outbox = outbox_of(app)
    outbox.owe([Debt("elasticsearch", "Movie")])
    settled = numbers(app)
    outbox.settle(settled)
    outbox.owe([Debt("elasticsearch", "Movie")])
    assert not set(settled) & set(numbers(app))


def entry_ref(entry):
    return DocumentRef(entry.touch.model, entry.touch.key)
