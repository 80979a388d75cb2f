# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of primary engines: entries, claims, versions, and what is loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from nefertari_engine_base.testing.primary_bench import (
    Bench,
    film,
    keys_of,
    refs_of,
)
from nefertari_engine_base.testing.primary_kit import PrimaryKit
from nefertari_engine_base.values import DocumentRef, OutboxEntry


class ClaimingSuite:
    """What an outbox promises of deliveries."""

    # --- claims

    def test_an_entry_has_one_claim_at_a_time(self, bench: Bench[PrimaryKit]) -> None:
        bench.add_films(1, 2, 3)
        with bench.outbox.claim(2) as one, bench.outbox.claim(2) as other:
            assert len(one.entries) == 2
            assert len(other.entries) == 1
            assert sorted(keys_of([*one.entries, *other.entries])) == ["1", "2", "3"]

    def test_what_is_due_first_is_claimed_first(self, bench: Bench[PrimaryKit]) -> None:
        bench.add_films(1)
        bench.pass_time(60)
        bench.add_films(2)
        bench.pass_time(60)
        bench.add_films(3)
        with bench.outbox.claim(2) as claim:
            assert keys_of(claim.entries) == ["1", "2"]

    def test_given_entries_may_be_claimed_and_no_others(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1, 2, 3)
        entries = _entries(bench)
        chosen = [entries["2"].id, 2**40]
        with bench.outbox.claim(10, chosen) as claim:
            assert keys_of(claim.entries) == ["2"]
        with bench.outbox.claim(10, []) as claim:
            assert list(claim.entries) == []

    def test_what_is_acknowledged_is_gone_and_the_rest_is_everybodys(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1, 2)
        with bench.outbox.claim(10) as claim:
            claim.draw_and_load([])
            claim.acknowledge([one for one in claim.entries if one.touch.key == "1"])
        assert bench.outbox.waiting() == 1
        with bench.outbox.claim(10) as claim:
            assert keys_of(claim.entries) == ["2"]

    def test_a_claim_that_ends_by_an_error_gives_everything_back(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1, 2)
        try:
            with bench.outbox.claim(10) as claim:
                claim.draw_and_load([])
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        with bench.outbox.claim(10) as claim:
            assert sorted(keys_of(claim.entries)) == ["1", "2"]

    def test_entries_have_numbers_that_are_never_given_again(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        seen: set[int] = set()
        for _ in range(3):
            bench.add_films(1, 2)
            numbers = {entry.id for entry in _entries(bench).values()}
            assert not seen & numbers
            seen |= numbers
            _acknowledge_all(bench)

    def test_two_entries_for_one_document_are_two(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.outbox.add([film(1), film(1), film(1, secondary="other")])
        assert bench.outbox.waiting() == 3

    def test_workers_share_entries_without_taking_one_twice(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(*range(40))
        taken: list[str] = []

        def work() -> None:
            while bench.outbox.waiting():
                with bench.outbox.claim(3) as claim:
                    taken.extend(keys_of(claim.entries))
                    claim.draw_and_load(refs_of(claim.entries))
                    claim.acknowledge(claim.entries)

        _together(*[work] * 4)
        assert sorted(map(int, taken)) == list(range(40))

    # --- the claim of who has just committed

    def test_who_has_committed_may_deliver_its_entries_without_a_claim(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1, 2)
        entries = _entries(bench)
        with bench.outbox.claim_own([entries["1"]]) as claim:
            assert keys_of(claim.entries) == ["1"]
            claim.draw_and_load(refs_of(claim.entries))
            claim.acknowledge(claim.entries)
        assert bench.entries() == [("Film", "", "2")]

    def test_a_worker_that_has_claimed_the_same_is_waited_for_by_nobody(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1)
        (entry,) = _entries(bench).values()
        with bench.outbox.claim(10) as worker:
            with bench.outbox.claim_own([entry]) as own:
                snapshot = own.draw_and_load(refs_of([entry]))
                own.acknowledge(own.entries)
            assert worker.draw_and_load([]).version > snapshot.version
            worker.acknowledge(worker.entries)
        assert bench.outbox.waiting() == 0

    def test_a_refusal_counts_for_who_has_committed_too(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1)
        (entry,) = _entries(bench).values()
        with bench.outbox.claim_own([entry]) as own:
            own.draw_and_load([])
            own.refuse(entry, "odd", None)
        (letter,) = bench.outbox.dead_letters()
        assert (letter.entry.attempts, letter.reason) == (1, "odd")

    # --- versions and documents

    def test_a_version_is_above_every_one_that_was_drawn_before(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1)
        versions = [bench.outbox.draw_and_load([]).version]
        with bench.outbox.claim(10) as claim:
            versions.append(claim.draw_and_load([]).version)
        versions.append(bench.outbox.fence("memory", "Film"))
        with bench.outbox.claim_own(list(_entries(bench).values())) as own:
            versions.append(own.draw_and_load([]).version)
        versions.append(bench.outbox.draw_and_load([]).version)
        assert versions == sorted(set(versions))

    def test_many_draw_at_once_and_no_version_twice(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        drawn: list[int] = []

        def draw() -> None:
            drawn.extend(bench.outbox.draw_and_load([]).version for _ in range(10))

        _together(*[draw] * 4)
        assert len(set(drawn)) == 40

    def test_versions_are_moved_ahead_and_never_back(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        above = bench.outbox.draw_and_load([]).version + 10**12
        bench.outbox.advance_version(above)
        moved = bench.outbox.draw_and_load([]).version
        assert moved > above
        bench.outbox.advance_version(0)
        assert bench.outbox.draw_and_load([]).version > moved

    def test_versions_are_moved_ahead_of_fences_too(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        fence = bench.outbox.fence("memory", "Film")
        bench.outbox.advance_version(fence - 1)
        assert bench.outbox.draw_and_load([]).version > fence

    def test_documents_are_loaded_as_they_are_committed(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.create("Film", 1, title="Alien")
        with bench.outbox.claim(10) as claim:
            bench.change_where("Film", "id", 1, title="changed since")
            snapshot = claim.draw_and_load(refs_of(claim.entries))
        assert b"changed since" in snapshot.documents["Film"]["1"]

    def test_what_does_not_exist_is_not_in_the_snapshot(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.create("Film", 1, title="Alien")
        bench.create("Film", 2, title="secret", published=False)
        refs = [DocumentRef("Film", id_) for id_ in ("1", "2", "3")]
        refs.append(DocumentRef("Person", "1"))
        snapshot = bench.outbox.draw_and_load(refs)
        assert set(snapshot.documents["Film"]) == {"1"}
        assert not snapshot.documents.get("Person")
        assert not snapshot.errors

    def test_an_id_that_no_document_can_have_is_told_and_its_neighbours_are_loaded(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.create("Film", 1, title="Alien")
        bad = DocumentRef("Film", "no number")
        snapshot = bench.outbox.draw_and_load([bad, DocumentRef("Film", "1")])
        assert set(snapshot.errors) == {bad}
        assert set(snapshot.documents["Film"]) == {"1"}

    def test_one_document_is_the_same_bytes_whoever_asks(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        refs = [DocumentRef("Film", str(key)) for key in (1, 2, 3, 4)]
        together = bench.outbox.draw_and_load(refs).documents["Film"]
        for ref in refs:
            alone = bench.outbox.draw_and_load([ref]).documents["Film"]
            assert alone[ref.id] == together[ref.id]

    # --- entries with a path

    def test_an_entry_with_a_path_is_expanded_in_parts(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _films_of_one_director(bench, 5)
        bench.add_films(1, path="director")
        found = []
        for _ in range(3):
            with bench.outbox.claim(1) as claim:
                (entry,) = claim.entries
                named = claim.expand(entry, 2)
                assert all(one.touch.path == "" for one in named)
                found.append(sorted(keys_of(named)))
                claim.draw_and_load(refs_of(named))
                claim.acknowledge(named)
        assert sorted(key for part in found for key in part) == list("12345")
        assert [len(part) for part in found] == [2, 2, 1]
        assert bench.outbox.waiting() == 0

    def test_entries_that_an_expansion_has_found_are_claimed_with_it(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _films_of_one_director(bench, 3)
        bench.add_films(1, path="director.country")
        with bench.outbox.claim(10) as claim:
            assert len(claim.expand(claim.entries[0], 10)) == 3
            with bench.outbox.claim(10) as other:
                assert list(other.entries) == []
            assert len({entry.id for entry in claim.entries}) == len(claim.entries)

    def test_an_expansion_that_is_broken_off_loses_nothing(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _films_of_one_director(bench, 3)
        bench.add_films(1, path="director")
        try:
            with bench.outbox.claim(10) as claim:
                claim.expand(claim.entries[0], 2)
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        bench.deliver()
        assert set(bench.index()) == {"1", "2", "3"}

    def test_one_large_expansion_does_not_hold_up_others(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _films_of_one_director(bench, 5)
        bench.add_films(1, path="director")
        bench.pass_time(1)
        bench.add_films(9)
        with bench.outbox.claim(1) as claim:
            named = claim.expand(claim.entries[0], 2)
            claim.draw_and_load(refs_of(named))
            claim.acknowledge(named)
        with bench.outbox.claim(1) as claim:
            assert keys_of(claim.entries) == ["9"]

    def test_a_path_that_is_none_is_no_end_of_the_delivery(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.create("Film", 1, title="Alien")
        bench.add_films(1, path="no.such.path")
        with bench.settings(max_attempts=1):
            bench.deliver_due()
        assert set(bench.index()) == {"1"}
        (letter,) = bench.outbox.dead_letters()
        assert letter.entry.touch.path == "no.such.path"

    # --- counting

    def test_remaining_counts_given_entries_and_waiting_all(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1, 2, 3)
        ids = [entry.id for entry in _entries(bench).values()]
        assert bench.outbox.remaining(ids) == bench.outbox.waiting() == 3
        assert bench.outbox.remaining(ids[:2]) == 2
        assert bench.outbox.remaining([]) == 0
        with bench.outbox.claim(1) as claim:
            assert bench.outbox.waiting() == 3
            claim.draw_and_load([])
            claim.acknowledge(claim.entries)
        assert bench.outbox.remaining(ids) == bench.outbox.waiting() == 2

    def test_waiting_keys_are_those_that_entries_of_documents_name(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1, 2)
        bench.outbox.add([film(3, path="director"), film(4, secondary="other")])
        asked = ["1", "3", "4", "5"]
        assert set(bench.outbox.waiting_keys("memory", "Film", asked)) == {"1"}
        assert not bench.outbox.waiting_keys("memory", "Person", asked)
        assert not bench.outbox.waiting_keys("memory", "Film", [])

    def test_a_wake_up_is_a_hint_and_listening_ends(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        woken = threading.Event()
        with bench.outbox.listen(woken.set):
            bench.add_films(1)
        assert bench.outbox.waiting() == 1


def _entries(bench: Bench[PrimaryKit]) -> dict[str, OutboxEntry]:
    """The entries that are due, by key."""
    with bench.outbox.claim(1000) as claim:
        return {entry.touch.key: entry for entry in claim.entries}


def _acknowledge_all(bench: Bench[PrimaryKit]) -> None:
    with bench.outbox.claim(1000) as claim:
        claim.draw_and_load([])
        claim.acknowledge(claim.entries)


def _films_of_one_director(bench: Bench[PrimaryKit], count: int) -> None:
    bench.create("Country", 1, name="UK")
    bench.create("Person", 1, name="Scott", country=1)
    for key in range(1, count + 1):
        bench.create("Film", key, title=str(key), director=1)
    _acknowledge_all(bench)


def _together(*functions: Callable[[], object]) -> None:
    with ThreadPoolExecutor(len(functions)) as threads:
        running = [threads.submit(function) for function in functions]
    for one in running:
        one.result()
