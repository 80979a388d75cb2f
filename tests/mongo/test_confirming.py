"""Entries are confirmed after their writes, many at a time, and nobody waits for it."""

from __future__ import annotations

import time

import pytest
from pymongo.errors import AutoReconnect

from nefertari_engine_base.primary.mongo import confirming
from nefertari_engine_base.primary.mongo.collections import (
    WRITER_LEASE,
    translated_errors,
)
from nefertari_engine_base.sync.delivery import deliver
from tests.mongo.films import Films, Picture

OUTBOX = "nefertari_outbox"


def unconfirmed(films):
    """How many entries in the outbox nobody has confirmed."""
    outbox = films.outbox.collections.outbox
    return outbox.count_documents({"writer_until": {"$gt": 0}})


def eventually(ask, seconds=20):
    """Ask again and again, until the answer is yes."""
    deadline = time.monotonic() + seconds
    while not ask():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_write_sends_its_entry_and_itself_and_no_confirmation(films, commands):
    Picture(title="first").save()
    films.deliver()
    commands.taken()
    film = Picture(title="Alien").save()
    film.title = "Aliens"
    film.save()
    sent = commands.taken()
    assert sent["insert", OUTBOX] == 2
    assert sent["update", OUTBOX] <= 1  # a moment may have passed
    films.assert_index_equals_collections()


def test_many_are_confirmed_by_few_commands(films, commands):
    for number in range(60):
        Picture(title=str(number)).save()
    films.outbox.flush()
    assert unconfirmed(films) == 0
    sent = commands.taken()
    assert sent["insert", OUTBOX] == 60
    assert sent["update", OUTBOX] < 30


def test_they_are_confirmed_though_nobody_asks(films):
    Picture(title="Alien").save()
    eventually(lambda: unconfirmed(films) == 0)


def test_very_many_are_confirmed_by_the_write_that_makes_them_so_many(
    films, monkeypatch
):
    monkeypatch.setattr(confirming, "MOST", 20)
    monkeypatch.setattr(confirming, "DELAY", 3600.0)
    Picture.objects.insert([Picture(title=str(n)) for n in range(20)])
    assert unconfirmed(films) == 0


def test_who_looks_for_what_is_due_in_this_process_finds_it_confirmed(films):
    Picture(title="Alien").save()
    report = deliver(films.engines, films.outbox, 10)
    assert (report.documents, films.outbox.waiting()) == (1, 0)


def test_a_confirmation_that_fails_is_logged_and_costs_one_delivery_more(
    films, monkeypatch, caplog
):
    def fail(entries):
        with translated_errors():
            raise AutoReconnect("gone")

    monkeypatch.setattr(films.outbox, "confirm", fail)
    film = Picture(title="Alien").save()
    films.outbox.flush()
    assert "could not be confirmed" in caplog.text
    monkeypatch.undo()
    assert unconfirmed(films) == 1
    now = films.outbox.collections.now
    films.outbox.collections.now = lambda: now() + WRITER_LEASE + 1
    films.assert_index_equals_collections()
    assert films.index(Picture)[str(film.pk)]["title"] == "Alien"


def test_a_process_that_was_forked_leaves_them_to_its_parent(films):
    Picture(title="Alien").save()
    films.outbox.confirmations.renew()
    films.outbox.flush()
    assert unconfirmed(films) == 1
    Picture(title="Aliens").save()
    films.outbox.flush()
    assert unconfirmed(films) == 1


@pytest.fixture
def inline(mongodb):
    films = Films(sync="inline")
    yield films
    films.close()


def test_what_is_delivered_at_once_needs_no_confirmation(inline, commands):
    Picture(title="first").save()
    commands.taken()
    film = Picture(title="Alien").save()
    sent = commands.taken()
    assert sent["update", OUTBOX] == 0
    assert inline.index(Picture)[str(film.pk)]["title"] == "Alien"
    assert inline.outbox.waiting() == 0


def test_what_is_refused_when_it_is_delivered_at_once_is_confirmed(inline):
    inline.secondary.refuse = lambda schema, write: "odd"
    Picture(title="Alien").save()
    (entry,) = inline.outbox.collections.outbox.find()
    assert (entry["writer_until"], entry["attempts"]) == (0, 1)
    assert entry["due_at"] > inline.outbox.collections.now()


def test_what_cannot_be_delivered_at_once_is_confirmed_for_the_workers(inline):
    inline.engines.pause.begin(60)
    Picture(title="Alien").save()
    assert len(inline.entries()) == 1
    assert unconfirmed(inline) == 0
    inline.assert_index_equals_collections()
