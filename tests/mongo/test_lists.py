"""Entries of one write are stored in lists, and keep every promise of single ones."""

from __future__ import annotations

from collections import Counter

import mongoengine as me
import pytest
from pymongo.errors import AutoReconnect, BulkWriteError

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.primary.mongo.claims import LEASE
from nefertari_engine_base.primary.mongo.collections import translated_errors
from nefertari_engine_base.primary.mongo.entries import KEYS_OF_A_LIST, inserted
from nefertari_engine_base.primary.mongo.outbox import (
    UNCONFIRMED_DELAY,
    WRITER_LEASE,
)
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.values import Touch
from tests.mongo.films import Films, Picture
from tests.mongo.primary import Clocked
from tests.mongo.test_outbox import Note, deliver, keys_of, loader_of, note

KEYS = list("abcdef")


@pytest.fixture
def outbox(mongodb):
    outbox = Clocked(mongodb, loader_of)
    outbox.setup()
    return outbox


def announce(outbox, keys=KEYS):
    return outbox.announce([note(key) for key in keys])


def save_all(keys=KEYS):
    for key in keys:
        Note(key=key, text="new").save()


def stored(outbox):
    return list(outbox.collections.outbox.find().sort("_id"))


def taking(outbox, limit, acknowledged=None):
    """Deliver once; the keys that were claimed."""
    with outbox.claim(limit) as claim:
        claim.draw_and_load([])
        claim.acknowledge(claim.entries[:acknowledged])
        return keys_of(claim)


# --- what is stored ----------------------------------------------------------------


def test_a_write_of_many_is_stored_in_few_documents(outbox):
    entries = announce(outbox, [str(n) for n in range(2 * KEYS_OF_A_LIST + 1)])
    assert [len(one.get("keys", "x")) for one in stored(outbox)] == [
        KEYS_OF_A_LIST,
        KEYS_OF_A_LIST,
        1,
    ]
    assert len({entry.id for entry in entries}) == outbox.waiting() == len(entries)
    assert outbox.remaining([entry.id for entry in entries]) == len(entries)


def test_models_secondaries_and_paths_are_told_apart(outbox):
    touches = [
        note("a"),
        Touch("other", "Note", "a"),
        Touch("memory", "Film", "a"),
        note("b"),
        note("a", "parent"),
        note("b", "parent"),
    ]
    entries = outbox.announce(touches)
    assert Counter(entry.touch for entry in entries) == Counter(touches)
    assert len(stored(outbox)) == 5


def test_lists_are_counted_and_found_by_the_keys_in_them(outbox):
    announce(outbox)
    outbox.add([note("a")])
    (status,) = outbox.status().models
    assert (status.model, status.waiting, status.retried) == ("Note", 7, 0)
    assert outbox.waiting_keys("memory", "Note", ["a", "b", "x"]) == {"a", "b"}
    found = outbox.recorded("Note", {"": ["a", "c", "x"]})
    assert sorted(one.entry.touch.key for one in found) == ["a", "a", "c"]
    assert len(outbox.recorded("Note", {"": None})) == 7


def test_single_entries_and_lists_are_delivered_together(outbox):
    inserted(outbox.collections, [note("x"), note("y")])
    outbox.confirm(announce(outbox))
    save_all()
    assert deliver(outbox).keys() == set(KEYS)
    assert outbox.waiting() == 0


# --- claims ------------------------------------------------------------------------


def test_a_claim_takes_no_more_of_a_list_than_it_was_asked_for(outbox):
    outbox.confirm(announce(outbox))
    assert [taking(outbox, 4), taking(outbox, 4)] == [KEYS[:4], KEYS[4:]]
    assert not stored(outbox)


def test_a_claim_takes_no_more_lists_than_it_needs(outbox):
    for start in range(0, 6, 2):
        outbox.confirm(announce(outbox, KEYS[start : start + 2]))
    with outbox.claim(3) as one, outbox.claim(3) as other:
        assert keys_of(one) == KEYS[:3]
        assert keys_of(other) == KEYS[4:]


def test_what_is_not_acknowledged_stays_in_its_list_under_its_number(outbox):
    entries = announce(outbox)
    outbox.confirm(entries)
    assert taking(outbox, 10, acknowledged=2) == KEYS
    assert outbox.waiting() == 4
    assert outbox.remaining([entry.id for entry in entries[:3]]) == 1
    with outbox.claim(10) as claim:
        assert claim.entries == entries[2:]
        claim.draw_and_load([])
        for entry in claim.entries:  # one by one, as by several secondaries
            claim.acknowledge([entry])
    assert not stored(outbox)


def test_entries_are_claimed_by_their_numbers(outbox):
    entries = announce(outbox)
    chosen = [entries[1], entries[4]]
    with outbox.claim(10, [entry.id for entry in chosen]) as claim:
        assert claim.entries == chosen


def test_a_list_of_a_worker_that_died_is_free_after_its_lease(outbox):
    outbox.confirm(announce(outbox))
    died = outbox.claim(10)
    claim = died.__enter__()
    claim.draw_and_load([])
    claim.acknowledge(claim.entries[:1])
    assert not taking(outbox, 10)
    outbox.pass_time(LEASE + 1)
    with outbox.claim(10) as other:
        assert keys_of(other) == KEYS[1:]
        # Who was taken for dead takes nothing from it any more.
        claim.acknowledge(claim.entries[1:])
        assert outbox.waiting() == 5
        died.gen.close()


# --- the writer --------------------------------------------------------------------


def test_an_unconfirmed_list_outlives_its_delivery_whole(outbox):
    entries = announce(outbox)
    outbox.pass_time(UNCONFIRMED_DELAY + 1)
    assert taking(outbox, 4) == KEYS[:4]
    assert outbox.waiting() == 6
    save_all()
    outbox.confirm(entries)
    assert deliver(outbox).keys() == set(KEYS)
    assert outbox.waiting() == 0


def test_the_list_of_a_writer_that_died_after_its_write_is_delivered(outbox):
    announce(outbox)
    save_all()
    outbox.pass_time(WRITER_LEASE + 1)
    assert deliver(outbox).keys() == set(KEYS)
    assert outbox.waiting() == 0


@pytest.mark.parametrize("taken", [2, 6])
def test_a_writer_that_is_slower_than_its_lease_adds_all_of_a_list_that_was_begun(
    outbox, taken
):
    entries = announce(outbox)
    outbox.pass_time(WRITER_LEASE + 1)
    taking(outbox, 10, acknowledged=taken)
    save_all()
    outbox.confirm(entries)
    assert deliver(outbox).keys() == set(KEYS)
    assert outbox.waiting() == 0


@pytest.mark.parametrize("passed", [UNCONFIRMED_DELAY + 1, WRITER_LEASE + 1])
@pytest.mark.parametrize("steps", [[6], [2, 4], [0, 6]])
def test_a_list_that_is_confirmed_while_it_is_delivered_is_delivered_again(
    outbox, passed, steps
):
    entries = announce(outbox)
    outbox.pass_time(passed)
    with outbox.claim(10) as claim:
        claim.draw_and_load([])
        save_all()
        outbox.confirm(entries)
        rest = list(claim.entries)
        for step in steps:
            chosen, rest = rest[:step], rest[step:]
            claim.acknowledge(chosen)
    assert deliver(outbox).keys() == set(KEYS)
    assert outbox.waiting() == 0


def test_a_delivery_that_was_overtaken_by_the_writer_takes_nothing_more(outbox):
    entries = announce(outbox)
    outbox.pass_time(WRITER_LEASE + 1)
    with outbox.claim(10) as claim:
        claim.draw_and_load([])
        save_all()
        outbox.confirm(entries)
        claim.acknowledge(claim.entries[:1])
        claim.refuse(claim.entries[1], "bad", None)
        claim.acknowledge(claim.entries[2:])
    assert deliver(outbox).keys() == set(KEYS)
    # Its dead letter went with the success that came later.
    assert not stored(outbox)


def test_many_lists_are_confirmed_together_and_those_that_are_gone_added(outbox):
    gone = announce(outbox, ["a", "b"])
    outbox.pass_time(WRITER_LEASE + 1)
    assert taking(outbox, 10) == ["a", "b"]
    there = announce(outbox, ["c", "d"])
    outbox.confirm([*gone, *there])
    save_all("abcd")
    assert deliver(outbox).keys() == set("abcd")


# --- own claims --------------------------------------------------------------------


def test_own_entries_are_removed_part_by_part_without_a_confirmation(outbox, commands):
    entries = announce(outbox)
    outbox.confirmations.add(entries)
    for chosen in (entries[:4], entries[4:]):
        with outbox.claim_own(chosen) as claim:
            assert claim.entries == chosen
            claim.draw_and_load([])
            claim.acknowledge(claim.entries)
    assert not stored(outbox)
    commands.taken()
    outbox.flush()
    assert not commands.taken()["update", "nefertari_outbox"]


def test_what_an_own_claim_does_not_deliver_is_confirmed(outbox):
    entries = announce(outbox)
    outbox.confirmations.add(entries)
    with pytest.raises(ZeroDivisionError), outbox.claim_own(entries[:2]):
        raise ZeroDivisionError
    outbox.flush()
    assert taking(outbox, 10) == KEYS


def test_an_own_claim_of_a_list_that_others_have_begun_adds_it_anew(outbox):
    entries = announce(outbox)
    outbox.pass_time(WRITER_LEASE + 1)
    taking(outbox, 2)  # loaded before the write
    save_all()
    outbox.confirmations.add(entries)
    with outbox.claim_own(entries) as claim:
        assert claim.entries == entries[2:]
        claim.draw_and_load([])
        claim.acknowledge(claim.entries)
    assert deliver(outbox).keys() == set(KEYS)


def test_an_own_claim_whose_list_is_taken_from_meanwhile_adds_it_anew(outbox):
    entries = announce(outbox)
    outbox.pass_time(WRITER_LEASE + 1)
    outbox.confirmations.add(entries)
    with outbox.claim_own(entries[:4]) as own:
        own.draw_and_load([])
        name = {"claimed_by": "worker", "claimed_until": 0.0, "writer_until": 0.0}
        outbox.collections.outbox.update_many({}, {"$set": name})
        own.acknowledge(own.entries)
    save_all()
    assert deliver(outbox).keys() == set(KEYS)


# --- refusals ----------------------------------------------------------------------


def test_a_refused_entry_leaves_its_list_and_is_tried_again_by_itself(outbox):
    entries = announce(outbox)
    outbox.confirm(entries)
    with outbox.claim(10) as claim:
        claim.draw_and_load([])
        claim.refuse(claim.entries[2], "bad", 30.0)
        claim.acknowledge([*claim.entries[:2], *claim.entries[3:]])
    (alone,) = stored(outbox)
    assert (alone["key"], alone["attempts"], alone["reason"]) == ("c", 1, "bad")
    assert outbox.remaining([entry.id for entry in entries]) == 1
    assert not taking(outbox, 10)
    outbox.pass_time(31)
    with outbox.claim(10) as claim:
        (entry,) = claim.entries
        assert (entry.id, entry.attempts) == (entries[2].id, 1)
        claim.draw_and_load([])
        claim.acknowledge(claim.entries)
    assert not stored(outbox)


def test_each_refused_entry_of_a_list_is_a_dead_letter_of_its_own(outbox):
    outbox.confirm(announce(outbox))
    with outbox.claim(10) as claim:
        claim.draw_and_load([])
        for entry in claim.entries:
            claim.refuse(entry, f"bad {entry.touch.key}", None)
    dead = outbox.dead_letters("Note")
    assert {one.entry.touch.key: one.reason for one in dead} == {
        key: f"bad {key}" for key in KEYS
    }
    assert outbox.waiting() == 0
    assert outbox.retry(key="a") == 1
    assert outbox.drop(key="b") == 1
    assert taking(outbox, 10) == ["a"]
    assert len(outbox.dead_letters()) == 4


def test_a_success_in_a_list_clears_the_dead_letters_of_its_document(outbox):
    outbox.confirm(announce(outbox, ["a", "b"]))
    with outbox.claim(10) as claim:
        claim.draw_and_load([])
        claim.refuse(claim.entries[0], "bad", None)
    outbox.confirm(announce(outbox, ["a", "c"]))
    taking(outbox, 10)
    assert not stored(outbox)


def test_an_entry_of_a_list_whose_writer_may_still_write_does_not_die(outbox):
    entries = announce(outbox)
    outbox.pass_time(UNCONFIRMED_DELAY + 1)
    with outbox.claim(10) as claim:
        claim.draw_and_load([])
        claim.refuse(claim.entries[0], "bad", None)
        claim.acknowledge(claim.entries[1:])
    assert not outbox.dead_letters()
    assert not taking(outbox, 10)  # as if it were delivered: nobody asks in a circle
    save_all()
    outbox.confirm(entries)
    assert deliver(outbox).keys() == set(KEYS)


def test_what_an_own_claim_refuses_is_confirmed_with_its_list(outbox):
    entries = announce(outbox)
    outbox.confirmations.add(entries)
    with outbox.claim_own(entries) as claim:
        claim.draw_and_load([])
        claim.refuse(claim.entries[0], "bad", None)
    assert len(outbox.dead_letters()) == 1
    assert taking(outbox, 10) == KEYS[1:]


def test_a_crash_between_the_two_steps_of_a_refusal_repeats_a_delivery(
    outbox, monkeypatch
):
    outbox.confirm(announce(outbox))
    with monkeypatch.context() as patch, outbox.claim(10) as claim:
        claim.draw_and_load([])
        patch.setattr(type(claim), "_shorten", lambda *args: None)
        claim.refuse(claim.entries[0], "bad", None)
    assert outbox.waiting() == 6
    save_all()
    assert deliver(outbox).keys() == set(KEYS)
    assert not stored(outbox)


# --- writes ------------------------------------------------------------------------


@pytest.fixture
def many(mongodb):
    films = Films()
    Picture.objects.insert([Picture(title=str(n), code=str(n)) for n in range(8)])
    films.assert_index_equals_collections()
    yield films
    films.close()


def pass_time(films, seconds):
    now = films.outbox.collections.now
    films.outbox.collections.now = lambda: now() + seconds


@pytest.mark.parametrize("passed", [UNCONFIRMED_DELAY + 1, WRITER_LEASE + 1])
@pytest.mark.parametrize(
    "write",
    [
        lambda: Picture.objects(title__ne="3").update(set__year=1999),
        lambda: Picture.objects(title__ne="3").delete(),
        lambda: Picture.objects.insert([Picture(title="new") for _ in range(5)]),
    ],
    ids=["update", "delete", "insert"],
)
def test_confirmations_that_a_crash_has_lost_cost_no_change(many, write, passed):
    write()
    # The process is gone before it sends what it has to confirm.
    many.outbox.confirmations.renew()
    assert stored(many.outbox)
    pass_time(many, passed)
    drain(many.engines)
    pass_time(many, WRITER_LEASE)
    many.assert_index_equals_collections()


@pytest.mark.parametrize("ordered", [True, False])
def test_what_an_insert_of_many_has_inserted_around_what_is_refused_is_delivered(
    many, ordered
):
    raws = [{"t": "new", "code": code} for code in ("x", "y", "1", "z", "2")]
    with pytest.raises(BulkWriteError):
        Picture._get_collection().insert_many(raws, ordered=ordered)
    assert Picture.objects(title="new").count() == (2 if ordered else 3)
    many.assert_index_equals_collections()


def test_what_an_update_has_changed_before_it_is_refused_is_delivered(many):
    with pytest.raises(me.errors.NotUniqueError):
        Picture.objects(title__in=["4", "5", "6"]).update(set__code="new")
    assert Picture.objects(code="new").count() == 1
    many.assert_index_equals_collections()


def test_a_write_whose_lists_cannot_be_stored_is_not_made(many, monkeypatch):
    def fail(documents):
        with translated_errors():
            raise AutoReconnect("gone")

    outbox = many.outbox.collections.outbox
    monkeypatch.setattr(outbox, "insert_one", fail, raising=False)
    with pytest.raises(PrimaryError):
        Picture.objects.update(set__year=1999)
    assert not Picture.objects(year=1999).count()
