"""Dead letters are listed, tried again, dropped, and cleared by a later success."""

from __future__ import annotations

import datetime as dt
import secrets

import pytest
import sqlalchemy as sa

from nefertari_engine_base.primary.sqla import texts
from nefertari_engine_base.primary.sqla.asking import fetch
from nefertari_engine_base.primary.sqla.json_loading import array_literal
from nefertari_engine_base.values import Touch
from tests.application import assert_index_equals_rows
from tests.sync.models import INDEXED, Director, Movie


@pytest.fixture
def outbox(worker_app):
    (outbox,) = worker_app.engines.outboxes()
    return outbox


def bury(outbox, *touches, reason="for a reason"):
    """Add entries and make them dead letters."""
    outbox.add(touches)
    with outbox.claim(1000) as claim:
        found = [entry for entry in claim.entries if entry.touch in touches]
        assert len(found) == len(touches)
        for entry in found:
            claim.refuse(entry, reason, None)


def film(key, path="", secondary="elasticsearch"):
    return Touch(secondary, "Movie", key, path)


def dead(outbox):
    return [letter.entry.touch for letter in outbox.dead_letters()]


def test_a_dead_letter_tells_what_was_refused_how_often_why_and_when(outbox):
    before = dt.datetime.now(dt.UTC)
    outbox.add([film("1")])
    for delay in (0, 0, None):
        with outbox.claim(10) as claim:
            claim.refuse(claim.entries[0], "too [odd]", delay)
    (letter,) = outbox.dead_letters()
    assert letter.entry.touch == film("1")
    assert letter.entry.attempts == 3
    assert letter.reason == "too [odd]"
    # SQLite's clock has milliseconds.
    margin = dt.timedelta(milliseconds=2)
    assert before - margin <= letter.created_at <= letter.dead_at
    assert letter.dead_at <= dt.datetime.now(dt.UTC) + margin


def test_dead_letters_are_chosen_by_model_and_id(outbox):
    director = Touch("elasticsearch", "Director", "1")
    bury(outbox, film("1"), film("2"), director)
    assert dead(outbox) == [film("1"), film("2"), director]
    assert len(outbox.dead_letters("Movie")) == 2
    assert len(outbox.dead_letters("Movie", "2")) == 1
    assert outbox.drop("Movie", "2") == 1
    assert outbox.retry("Movie") == 1
    assert dead(outbox) == [director]
    assert outbox.drop() == 1
    assert outbox.retry() == 0
    assert outbox.waiting() == 1


def test_a_letter_that_is_tried_again_is_delivered_at_once(worker_app, outbox):
    app = worker_app
    app.save(Movie(id=1, title="Alien"))
    with outbox.claim(10) as claim:
        claim.refuse(claim.entries[0], "for a while", None)
    assert app.drain().entries == 0
    assert outbox.retry("Movie", "1") == 1
    with outbox.claim(10) as claim:
        assert [entry.attempts for entry in claim.entries] == [0]
    assert app.drain().entries == 1
    assert_index_equals_rows(app, INDEXED)
    assert app.entries() == []


def test_a_later_success_of_the_document_clears_its_dead_letters(worker_app, outbox):
    bury(outbox, film("1"), film("1"), film("2"), film("1", secondary="other"))
    worker_app.save(Movie(id=1, title="Alien"))
    worker_app.drain()
    assert dead(outbox) == [film("2"), film("1", secondary="other")]


def test_a_later_inline_success_clears_dead_letters_too(app):
    (outbox,) = app.engines.outboxes()
    bury(outbox, film("1"), film("2"))
    app.save(Movie(id=1, title="Alien"))
    assert dead(outbox) == [film("2")]


def test_a_success_by_a_fan_out_clears_dead_letters_too(worker_app, outbox):
    worker_app.save(Director(id=1, name="Scott"), Movie(id=1, director_id=1, title="A"))
    worker_app.drain()
    bury(outbox, film("1"))
    outbox.add([film("1", path="director")])
    worker_app.drain()
    assert worker_app.entries() == []


def test_a_dead_letter_with_a_path_stays_until_somebody_decides(worker_app, outbox):
    by_path = film("1", path="director")
    bury(outbox, by_path)
    worker_app.save(Director(id=1, name="Scott"), Movie(id=1, director_id=1, title="A"))
    worker_app.drain()
    assert dead(outbox) == [by_path]


def test_a_refusal_clears_nothing(worker_app, outbox):
    bury(outbox, film("1"))
    worker_app.save(Movie(id=1, title="Alien"))
    with outbox.claim(10) as claim:
        claim.draw_and_load([])
        claim.refuse(claim.entries[0], "again", 60)
        claim.acknowledge([])
    assert dead(outbox) == [film("1")]


def test_a_letter_that_died_after_the_version_was_drawn_is_kept(worker_app, outbox):
    """What was loaded may lack its change."""
    worker_app.save(Movie(id=1, title="Alien"))
    with outbox.claim(10) as claim:
        claim.draw_and_load([])
        with worker_app.database.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO nefertari_outbox "
                    "(secondary, model, path, key, dead_at) "
                    "VALUES ('elasticsearch', 'Movie', '', '1', 1)"
                )
            )
        claim.acknowledge(claim.entries)
    assert dead(outbox) == [film("1")]


def test_a_document_may_die_of_its_long_id(worker_app, outbox):
    # Random, so that PostgreSQL cannot compress it.
    outbox.add([film(secrets.token_hex(5_000))])
    with outbox.claim(10) as claim:
        claim.refuse(claim.entries[0], "id is too long", None)
    assert len(dead(outbox)) == 1


@pytest.mark.parametrize("analyzed", [False, True])
@pytest.mark.parametrize("all_dead", [False, True])
def test_with_100_000_entries_clearing_scans_no_table(
    worker_app, outbox, all_dead, analyzed
):
    if worker_app.database.dialect.name != "postgresql":
        pytest.skip("looks at PostgreSQL's plans")
    every = 1 if all_dead else 1000
    with worker_app.database.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO nefertari_outbox (secondary, model, path, key, dead_at) "
                "SELECT 'elasticsearch', 'Movie', '', n::text, "
                f"CASE WHEN n % {every} = 0 THEN 1 END "
                "FROM generate_series(1, 100000) n"
            )
        )
        if analyzed:
            connection.execute(sa.text("ANALYZE nefertari_outbox"))
    for statement in (
        texts.DRAW_CLAIMED,
        texts.SEE_AND_DRAW,
        texts.ACKNOWLEDGE,
        texts.ACKNOWLEDGE_FREE,
    ):
        with outbox.transaction() as connection:
            values = {"ids": array_literal(range(1, 501)), "version": 1}
            rows = fetch(connection, f"EXPLAIN {statement}", values)
        plan = "\n".join(row[0] for row in rows)
        assert "Index Scan" in plan
        assert "Seq Scan on nefertari_outbox" not in plan, plan
