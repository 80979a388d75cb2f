"""The outbox of MongoDB: no change without an entry, and none removed too early."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pymongo
import pytest
from mongoengine import Document, StringField

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.primary.mongo.claims import LEASE
from nefertari_engine_base.primary.mongo.collections import (
    VERSION_JUMP,
    translated_errors,
)
from nefertari_engine_base.primary.mongo.loading import Loader
from nefertari_engine_base.primary.mongo.outbox import (
    UNCONFIRMED_DELAY,
    WRITER_LEASE,
    MongoOutbox,
)
from nefertari_engine_base.primary.mongo.schema import describe
from nefertari_engine_base.schema import SecondaryOptions
from nefertari_engine_base.values import Debt, DocumentRef, IndexState, Touch
from tests.mongo.models import Film, Person
from tests.mongo.primary import Clocked


class Note(Document):
    key = StringField(primary_key=True)
    text = StringField()


def loader_of(name):
    model = {"Note": Note, "Film": Film}[name]
    nested = ("director",) if name == "Film" else ()
    options = SecondaryOptions.of(nested=nested)
    return Loader(describe(model, options, lambda model: None))


def note(key, path=""):
    return Touch("memory", "Note", key, path)


@pytest.fixture
def outbox(mongodb):
    outbox = Clocked(mongodb, loader_of)
    outbox.setup()
    return outbox


def keys_of(claim):
    return [entry.touch.key for entry in claim.entries]


def deliver(outbox, limit=100):
    """Claim, load and acknowledge, as a delivery does; what was loaded, by id."""
    with outbox.claim(limit) as claim:
        refs = [DocumentRef(e.touch.model, e.touch.key) for e in claim.entries]
        snapshot = claim.draw_and_load(refs)
        claim.acknowledge(claim.entries)
        return dict(snapshot.documents.get("Note", {}))


# --- claims ------------------------------------------------------------------------


def test_an_entry_has_one_claim_at_a_time(outbox):
    outbox.add([note("a"), note("b"), note("c")])
    with outbox.claim(2) as one, outbox.claim(2) as other:
        assert keys_of(one) == ["a", "b"]
        assert keys_of(other) == ["c"]


def test_what_was_acknowledged_is_gone_and_the_rest_is_free(outbox):
    outbox.add([note("a"), note("b")])
    with outbox.claim(2) as claim:
        claim.draw_and_load([])
        claim.acknowledge(claim.entries[:1])
    assert outbox.waiting() == 1
    with outbox.claim(2) as claim:
        assert keys_of(claim) == ["b"]


def test_a_claim_that_ends_by_an_exception_gives_everything_back(outbox):
    outbox.add([note("a")])
    with pytest.raises(ZeroDivisionError), outbox.claim(1):
        raise ZeroDivisionError
    with outbox.claim(1) as claim:
        assert keys_of(claim) == ["a"]


def test_entries_of_a_worker_that_died_are_free_after_its_lease(outbox):
    outbox.add([note("a")])
    died = outbox.claim(1)
    died.__enter__()
    with outbox.claim(1) as claim:
        assert not claim.entries
    outbox.pass_time(LEASE + 1)
    with outbox.claim(1) as claim:
        assert keys_of(claim) == ["a"]
        # Who was taken for dead removes nothing that somebody else has.
        died.gen.close()
        assert outbox.waiting() == 1


def test_a_claim_of_given_entries_takes_them_though_they_are_not_due(outbox):
    entries = outbox.announce([note("a"), note("b")])
    with outbox.claim(10, [entries[1].id]) as claim:
        assert keys_of(claim) == ["b"]


def test_threads_share_entries_without_taking_one_twice(outbox):
    outbox.add([note(str(number)) for number in range(60)])
    taken, failed = [], []

    def work():
        try:
            while True:
                with outbox.claim(5) as claim:
                    if not claim.entries:
                        return
                    taken.extend(keys_of(claim))
                    claim.draw_and_load([])
                    claim.acknowledge(claim.entries)
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert sorted(taken, key=int) == [str(number) for number in range(60)]
    assert outbox.waiting() == 0


# --- versions ----------------------------------------------------------------------


def test_a_version_is_above_every_one_before(outbox):
    versions = [outbox.draw_and_load([]).version for _ in range(3)]
    assert versions == sorted(set(versions))
    outbox.advance_version(10**12)
    assert outbox.draw_and_load([]).version > 10**12


def test_versions_are_moved_ahead_of_fences_and_never_back(outbox):
    fence = outbox.fence("memory", "Note")
    outbox.collections._counters.update_one({"_id": "version"}, {"$set": {"value": 0}})
    outbox.advance_version(0)
    version = outbox.draw_and_load([]).version
    assert version > fence
    outbox.advance_version(1)
    assert outbox.draw_and_load([]).version > version + VERSION_JUMP


def test_a_document_is_loaded_after_the_version_is_drawn(outbox):
    draw = outbox.collections.draw_version

    def draw_and_write():
        version = draw()
        Note(key="a", text="new").save()
        return version

    outbox.collections.draw_version = draw_and_write
    snapshot = outbox.draw_and_load([DocumentRef("Note", "a")])
    assert b"new" in snapshot.documents["Note"]["a"]


def test_what_cannot_be_loaded_is_told_and_its_neighbours_are_loaded(outbox, mongodb):
    mongodb.film.insert_one({"_id": "no ObjectId"})
    Note(key="a").save()
    refs = [DocumentRef("Note", "a"), DocumentRef("Film", "no ObjectId")]
    snapshot = outbox.draw_and_load(refs)
    assert snapshot.documents["Note"].keys() == {"a"}
    assert snapshot.errors.keys() == {refs[1]}


# --- entries before documents ------------------------------------------------------


def test_an_unconfirmed_entry_waits_for_its_writer_for_a_while(outbox):
    outbox.announce([note("a")])
    assert deliver(outbox) == {}
    with outbox.claim(1) as claim:
        assert not claim.entries
    outbox.pass_time(UNCONFIRMED_DELAY + 1)
    with outbox.claim(1) as claim:
        assert keys_of(claim) == ["a"]


def test_a_confirmed_entry_is_delivered_at_once_and_removed(outbox):
    entries = outbox.announce([note("a")])
    Note(key="a").save()
    outbox.confirm(entries)
    assert deliver(outbox).keys() == {"a"}
    assert outbox.waiting() == 0


def test_an_unconfirmed_entry_outlives_its_delivery_until_it_is_confirmed(outbox):
    entries = outbox.announce([note("a")])
    outbox.pass_time(UNCONFIRMED_DELAY + 1)
    assert deliver(outbox) == {}
    Note(key="a").save()  # the write was slow
    assert outbox.waiting() == 1
    outbox.confirm(entries)
    assert deliver(outbox).keys() == {"a"}
    assert outbox.waiting() == 0


def test_the_change_of_a_writer_that_died_before_it_confirmed_is_delivered(outbox):
    outbox.announce([note("a")])
    Note(key="a").save()
    outbox.pass_time(UNCONFIRMED_DELAY + 1)
    assert deliver(outbox).keys() == {"a"}
    outbox.pass_time(WRITER_LEASE)
    assert deliver(outbox).keys() == {"a"}
    assert outbox.waiting() == 0


@contextmanager
def delivering(outbox):
    """A delivery that has loaded and not yet acknowledged when the block runs."""
    with outbox.claim(10) as claim:
        claim.draw_and_load([])
        yield
        claim.acknowledge(claim.entries)


@pytest.mark.parametrize("passed", [UNCONFIRMED_DELAY + 1, WRITER_LEASE + 1])
def test_an_entry_that_is_confirmed_while_it_is_delivered_is_delivered_again(
    outbox, passed
):
    entries = outbox.announce([note("a")])
    outbox.pass_time(passed)
    with delivering(outbox):
        Note(key="a").save()
        outbox.confirm(entries)
    assert deliver(outbox).keys() == {"a"}
    assert outbox.waiting() == 0


def test_a_writer_that_is_slower_than_its_lease_adds_its_entries_anew(outbox):
    entries = outbox.announce([note("a"), note("b")])
    outbox.pass_time(WRITER_LEASE + 1)
    assert deliver(outbox) == {}
    assert outbox.waiting() == 0
    Note(key="a").save()
    outbox.confirm(entries)
    assert deliver(outbox).keys() == {"a"}


def test_an_own_claim_removes_what_was_confirmed_and_nothing_else(outbox):
    entries = outbox.announce([note("a")])
    outbox.confirm(entries)
    entries += outbox.announce([note("b")])
    with outbox.claim_own(entries) as claim:
        claim.draw_and_load([])
        claim.acknowledge(claim.entries)
    assert outbox.remaining([entry.id for entry in entries]) == 1


def test_an_own_claim_passes_over_what_others_have_delivered(outbox):
    entries = outbox.announce([note("a")])
    outbox.confirm(entries)
    deliver(outbox)
    with outbox.claim_own(entries) as claim:
        assert not claim.entries


# --- entries with a path -----------------------------------------------------------


@pytest.fixture
def films(mongodb):
    person = Person(name="x").save()
    films = [str(Film(director=person).save().pk) for _ in range(3)]
    return str(person.pk), films


def expand_all(outbox, limit):
    """Ids that the deliveries of what is due find; each acknowledges what it finds."""
    found = []
    while True:
        with outbox.claim(1) as claim:
            if not claim.entries:
                return found
            (entry,) = claim.entries
            assert entry.touch.path
            named = claim.expand(entry, limit)
            claim.draw_and_load([])
            claim.acknowledge(named)
            found.append([one.touch.key for one in named])


def test_an_entry_with_a_path_is_expanded_page_by_page(outbox, films):
    person, ids = films
    outbox.add([Touch("memory", "Film", person, "director")])
    assert expand_all(outbox, 2) == [ids[:2], ids[2:]]
    assert outbox.waiting() == 0


def test_documents_that_were_found_stay_if_they_are_not_acknowledged(outbox, films):
    person, ids = films
    outbox.add([Touch("memory", "Film", person, "director")])
    with outbox.claim(1) as claim:
        claim.expand(claim.entries[0], 10)
    with outbox.claim(10) as claim:
        assert keys_of(claim) == ids


def test_an_unconfirmed_path_is_looked_up_from_the_start_once_it_is_confirmed(
    outbox, films
):
    person, ids = films
    entries = outbox.announce([Touch("memory", "Film", person, "director")])
    outbox.pass_time(UNCONFIRMED_DELAY + 1)
    with outbox.claim(1) as claim:
        claim.draw_and_load([])
        claim.acknowledge(claim.expand(claim.entries[0], 2))
        outbox.confirm(entries)
    assert expand_all(outbox, 2) == [ids[:2], ids[2:]]
    assert outbox.waiting() == 0


@pytest.mark.parametrize("passed", [UNCONFIRMED_DELAY + 1, WRITER_LEASE + 1])
@pytest.mark.parametrize("limit", [2, 10])
def test_a_path_that_is_confirmed_since_it_was_claimed_is_looked_up_again(
    outbox, films, passed, limit
):
    person, ids = films
    entries = outbox.announce([Touch("memory", "Film", person, "director")])
    outbox.pass_time(passed)
    with outbox.claim(1) as claim:
        claim.draw_and_load([])
        outbox.confirm(entries)
        claim.acknowledge(claim.expand(claim.entries[0], limit))
    assert expand_all(outbox, 10) == [ids]
    assert outbox.waiting() == 0


def test_an_unconfirmed_path_outlives_its_expansion(outbox, films):
    person, ids = films
    entries = outbox.announce([Touch("memory", "Film", person, "director")])
    outbox.pass_time(UNCONFIRMED_DELAY + 1)
    assert expand_all(outbox, 10) == [ids]
    assert outbox.waiting() == 1
    outbox.confirm(entries)
    assert expand_all(outbox, 10) == [ids]
    assert outbox.waiting() == 0


# --- refusals ----------------------------------------------------------------------


def bury(outbox):
    with outbox.claim(1) as claim:
        claim.draw_and_load([])
        claim.refuse(claim.entries[0], "bad", None)


def test_a_refused_entry_is_tried_again_when_it_is_due(outbox):
    outbox.add([note("a")])
    with outbox.claim(1) as claim:
        claim.refuse(claim.entries[0], "bad", 30.0)
    with outbox.claim(1) as claim:
        assert not claim.entries
    outbox.pass_time(31)
    with outbox.claim(1) as claim:
        assert claim.entries[0].attempts == 1


def test_a_dead_letter_is_listed_retried_and_dropped(outbox):
    outbox.add([note("a")])
    bury(outbox)
    (dead,) = outbox.dead_letters("Note", "a")
    assert (dead.reason, dead.entry.touch, dead.entry.attempts) == ("bad", note("a"), 1)
    assert dead.created_at <= dead.dead_at
    assert not outbox.dead_letters("Film")
    assert outbox.waiting() == outbox.remaining([dead.entry.id]) == 0
    assert outbox.retry(key="a") == 1
    assert outbox.waiting() == 1
    bury(outbox)
    assert outbox.drop("Note") == 1
    assert not outbox.dead_letters()


def test_a_success_clears_the_dead_letters_of_its_document(outbox):
    outbox.add([note("a")])
    bury(outbox)
    outbox.add([note("a"), note("b")])
    deliver(outbox)
    assert not outbox.dead_letters()


def test_a_dead_letter_of_a_later_change_is_not_cleared(outbox):
    outbox.add([note("a")])
    with delivering(outbox):
        outbox.add([note("a")])
        bury(outbox)
    assert len(outbox.dead_letters()) == 1


def test_an_entry_whose_writer_may_still_write_does_not_die(outbox):
    entries = outbox.announce([note("a")])
    outbox.pass_time(UNCONFIRMED_DELAY + 1)
    bury(outbox)
    assert not outbox.dead_letters()
    outbox.confirm(entries)
    with outbox.claim(1) as claim:
        assert claim.entries[0].attempts == 1


# --- debts and fences --------------------------------------------------------------


def test_a_delivery_below_a_fence_acknowledges_nothing(outbox):
    outbox.add([note("a")])
    with delivering(outbox):
        fence = outbox.fence("memory", "Note")
    assert outbox.waiting() == 1
    assert outbox.is_fenced(fence - 1)
    assert not outbox.is_fenced(fence)
    deliver(outbox)
    assert outbox.waiting() == 0


def test_debts_are_settled_by_number(outbox):
    outbox.owe([Debt("memory", "Note"), Debt("other", "Note")])
    outbox.owe([Debt("memory", "Note")])
    numbers = outbox.debts("Note", ["memory"])
    assert len(numbers) == 2
    outbox.settle(numbers[:1])
    assert outbox.debts("Note", ["memory"]) == numbers[1:]
    assert outbox.debts("Film", ["memory"]) == []


def test_a_state_is_remembered_unless_another_process_has_meanwhile(outbox):
    old, new = IndexState("alias", "one", 1, 1), IndexState("alias", "one", 2, 2)
    assert outbox.remember_index("memory", "Note", None, old)
    assert not outbox.remember_index("memory", "Note", None, new, "lost")
    assert outbox.remember_index("memory", "Note", old, new)
    assert not outbox.remember_index("memory", "Note", old, new, "lost")
    assert outbox.index_states("memory") == {("Note", "alias"): new}
    assert not outbox.debts("Note", ["memory"])
    assert outbox.remember_index("memory", "Note", new, old, "lost")
    assert len(outbox.debts("Note", ["memory"])) == 1


def test_a_fence_is_no_state_of_an_index(outbox):
    outbox.fence("memory", "Note")
    assert outbox.index_states("memory") == {}


# --- questions ---------------------------------------------------------------------


def test_the_status_tells_what_waits_by_model_and_who_works(outbox):
    outbox.add([note("a"), note("b"), Touch("memory", "Film", "x")])
    with outbox.claim(1) as claim:
        claim.refuse(claim.entries[0], "bad", 0.0)
    bury(outbox)
    outbox.owe([Debt("memory", "Note", "why")])
    outbox.heartbeat("host-1", 10.0, 5)
    outbox.heartbeat("host-1", 11.0, 6)
    status = outbox.status()
    film, notes = status.models
    assert (film.model, film.waiting, film.dead) == ("Film", 1, 0)
    assert (notes.waiting, notes.retried, notes.dead) == (1, 1, 1)
    assert status.debts[0].reason == "why"
    (worker,) = status.workers
    assert (worker.name, worker.documents, worker.lost) == ("host-1", 6, False)
    outbox.pass_time(61)
    assert outbox.status().workers[0].lost
    outbox.forget_worker("host-1")
    assert not outbox.status().workers


def test_entries_are_recorded_by_path_and_key(outbox):
    outbox.add([note("a"), note("b"), note("c", "path"), note("d", "path")])
    found = outbox.recorded("Note", {"": {"a"}, "path": None})
    assert [one.entry.touch.key for one in found] == ["a", "c", "d"]
    assert found[0].dead_at is None
    assert outbox.recorded("Note", {}) == []


def test_waiting_keys_are_those_that_an_entry_names(outbox):
    outbox.add([note("a"), note("b", "path")])
    assert outbox.waiting_keys("memory", "Note", ["a", "b", "c"]) == {"a"}


def test_what_fails_in_mongodb_is_an_error_of_the_family(mongodb):
    with pytest.raises(PrimaryError, match="call setup_database"):
        MongoOutbox(mongodb, loader_of).draw_and_load([])
    client = pymongo.MongoClient(
        "mongodb://127.0.0.1:1", serverSelectionTimeoutMS=50, connect=False
    )
    with pytest.raises(PrimaryError, match=r"does not answer.*mongodb\.url"):
        MongoOutbox(client["nothing"], loader_of).waiting()
    client.close()
    with (
        pytest.raises(PrimaryError, match=r"MongoDB refused.*E11000"),
        translated_errors(),
    ):
        mongodb.notes.insert_many([{"_id": 1}, {"_id": 1}])


def test_setting_up_twice_changes_nothing(outbox):
    outbox.add([note("a")])
    outbox.setup()
    assert outbox.waiting() == 1
