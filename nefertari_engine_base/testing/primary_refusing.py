# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of primary engines: refused documents, dead letters, what is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from nefertari_engine_base.exceptions import SecondaryUnavailable
from nefertari_engine_base.testing.primary_bench import Bench, bury, film, keys_of
from nefertari_engine_base.testing.primary_kit import PrimaryKit
from nefertari_engine_base.testing.workbench import raises
from nefertari_engine_base.values import OutboxEntry, Touch

#: How far clocks of the store and of this process may be apart.
_MARGIN = timedelta(seconds=5)


class RefusingSuite:
    """What an outbox promises of what goes wrong."""

    def test_a_refused_document_is_tried_again_when_its_time_has_come(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1)
        with bench.outbox.claim(10) as claim:
            claim.draw_and_load([])
            claim.refuse(claim.entries[0], "odd", 60)
        assert bench.outbox.waiting() == 1
        assert _due(bench) == []
        bench.pass_time(50)
        assert _due(bench) == []
        bench.pass_time(20)
        (entry,) = _due(bench)
        assert entry.attempts == 1

    def test_a_refusal_counts_against_its_entry_and_no_other(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.memory.refuse = lambda schema, write: (
            "odd" if write.id == "1" and write.source else None
        )
        bench.change("Person", 1, name="Ridley")
        bench.deliver_due()
        assert bench.index()["3"]["director"]["name"] == "Ridley"
        assert bench.index()["1"]["director"]["name"] == "Scott"
        bench.memory.refuse = None
        bench.pass_time(3600)
        bench.assert_converged()
        assert bench.index()["1"]["director"]["name"] == "Ridley"

    def test_a_document_that_is_refused_too_often_becomes_a_dead_letter(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.memory.refuse = lambda schema, write: "too [odd]"
        before = datetime.now(UTC)
        bench.create("Film", 1, title="Alien")
        for _ in range(3):
            with bench.settings(max_attempts=3):
                bench.deliver_due()
            bench.pass_time(3600)
        (letter,) = bench.outbox.dead_letters()
        assert letter.entry.touch == film(1)
        assert (letter.entry.attempts, letter.reason) == (3, "too [odd]")
        assert letter.created_at <= letter.dead_at
        assert abs(before - letter.dead_at) < timedelta(hours=4) + _MARGIN
        assert bench.outbox.waiting() == 0
        assert bench.outbox.remaining([letter.entry.id]) == 0
        assert _due(bench) == []

    def test_dead_letters_are_chosen_by_model_and_key(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        person = Touch("memory", "Person", "1")
        bury(bench, film(1), film(2), person)
        outbox = bench.outbox
        assert _dead(bench) == [film(1), film(2), person]
        assert len(outbox.dead_letters("Film")) == 2
        assert keys_of(one.entry for one in outbox.dead_letters("Film", "2")) == ["2"]
        assert outbox.dead_letters("Nobody") == outbox.dead_letters("Film", "9")
        assert outbox.drop("Film", "2") == 1
        assert outbox.retry("Film") == 1
        assert _dead(bench) == [person]
        assert (outbox.drop(), outbox.drop(), outbox.retry()) == (1, 0, 0)
        assert outbox.waiting() == 1

    def test_a_dead_letter_that_is_retried_is_due_with_no_attempt_counted(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.create("Film", 1, title="Alien")
        bench.deliver()
        bury(bench, film(1))
        assert bench.outbox.retry("Film", "1") == 1
        (entry,) = _due(bench)
        assert entry.attempts == 0
        bench.assert_converged()
        assert bench.outbox.dead_letters() == bench.outbox.dead_letters("Nobody")

    def test_a_later_success_clears_the_dead_letters_of_the_document(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        others = [film(2), film(1, secondary="other"), film(1, path="director")]
        bury(bench, film(1), film(1), *others)
        bench.change("Film", 1, title="changed")
        bench.deliver()
        assert set(_dead(bench)) == set(others)

    def test_a_success_for_what_is_embedded_clears_dead_letters_too(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bury(bench, film(1), film(2))
        bench.change("Person", 1, name="Ridley")
        bench.deliver()
        assert _dead(bench) == [film(2)]

    def test_a_success_of_who_has_committed_clears_dead_letters_too(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bury(bench, film(1), film(2))
        bench.add_films(1)
        entries = _due(bench)
        with bench.outbox.claim_own(entries) as own:
            own.draw_and_load([])
            own.acknowledge(own.entries)
        assert _dead(bench) == [film(2)]

    def test_a_letter_that_died_after_the_version_was_drawn_stays(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1)
        with bench.outbox.claim(10) as claim:
            claim.draw_and_load([])
            bury(bench, film(1, secondary="memory"))
            claim.acknowledge(claim.entries)
        assert _dead(bench) == [film(1)]

    def test_a_refusal_clears_nothing(self, bench: Bench[PrimaryKit]) -> None:
        bury(bench, film(1))
        bench.add_films(1)
        with bench.outbox.claim(10) as claim:
            claim.draw_and_load([])
            claim.refuse(claim.entries[0], "again", 60)
            claim.acknowledge([])
        assert _dead(bench) == [film(1)]

    def test_a_dead_letter_is_waited_for_by_nobody_and_named_to_who_asks(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bury(bench, film(1))
        assert bench.outbox.waiting() == 0
        assert set(bench.outbox.waiting_keys("memory", "Film", ["1"])) == {"1"}

    def test_while_the_secondary_is_away_nothing_is_counted_and_nothing_lost(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.create("Film", 1, title="Alien")
        bench.memory.available = False
        raises(SecondaryUnavailable, bench.deliver_due)
        bench.memory.available = True
        (entry,) = _due(bench)
        assert entry.attempts == 0
        bench.assert_converged()

    def test_entries_of_another_secondary_become_dead_letters_in_the_end(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.outbox.add([film(1, secondary="gone"), Touch("memory", "Gone", "1")])
        with bench.settings(max_attempts=1):
            bench.deliver_due()
        assert len(bench.outbox.dead_letters()) == 2

    # --- what is told

    def test_entries_are_told_with_what_is_known_of_their_deliveries(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1)
        with bench.outbox.claim(10) as claim:
            claim.refuse(claim.entries[0], "odd", 600)
        bury(bench, film(2), film(1, path="director"), film(1, path="genres"))
        told = bench.outbox.recorded("Film", {"": ["1", "2"], "director": None})
        assert [(one.entry.touch.key, one.entry.touch.path) for one in told] == [
            ("1", ""),
            ("2", ""),
            ("1", "director"),
        ]
        refused, dead, _ = told
        assert (refused.reason, refused.entry.attempts, refused.dead_at) == (
            "odd",
            1,
            None,
        )
        assert refused.due_at > refused.created_at
        assert dead.dead_at is not None
        assert bench.outbox.recorded("Film", {"": ["9"]}) == bench.outbox.recorded(
            "Film", {}
        )

    def test_the_status_counts_by_model(self, bench: Bench[PrimaryKit]) -> None:
        outbox = bench.outbox
        assert outbox.status().models == ()
        bury(bench, film(8), film(9))
        bench.add_films(1)
        bench.pass_time(100)
        bench.add_films(2)
        outbox.add([Touch("memory", "Person", "1")])
        with outbox.claim(1) as claim:
            claim.refuse(claim.entries[0], "odd", 0)
        films, persons = outbox.status().models
        assert (films.model, films.waiting, films.retried, films.dead) == (
            "Film",
            2,
            1,
            2,
        )
        assert films.oldest is not None
        assert 99 < films.oldest < 160
        assert (persons.model, persons.waiting, persons.dead) == ("Person", 1, 0)
        assert persons.oldest is not None
        assert persons.oldest < 60

    def test_a_worker_is_seen_from_its_first_word_until_it_ends(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        outbox = bench.outbox
        outbox.heartbeat("b:2", 100.0, 7)
        outbox.heartbeat("a:1", 10.0, 1)
        outbox.heartbeat("a:1", 15.0, 21, 4.0)
        first, second = outbox.status().workers
        assert (first.name, first.documents, first.per_second) == ("a:1", 21, 4.0)
        assert (second.name, second.documents, second.lost) == ("b:2", 7, False)
        uptime = (first.seen_at - first.started_at).total_seconds()
        assert abs(uptime - 15) < 1
        outbox.forget_worker("a:1")
        outbox.forget_worker("nobody")
        assert [worker.name for worker in outbox.status().workers] == ["b:2"]

    def test_a_silent_worker_is_lost_and_after_a_day_forgotten(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.outbox.heartbeat("a:1", 10.0, 1)
        bench.pass_time(600)
        bench.outbox.heartbeat("b:2", 10.0, 1)
        assert [worker.lost for worker in bench.outbox.status().workers] == [
            True,
            False,
        ]
        bench.pass_time(86_400)
        bench.outbox.heartbeat("b:2", 10.0, 1)
        assert [worker.name for worker in bench.outbox.status().workers] == ["b:2"]


def _due(bench: Bench[PrimaryKit]) -> list[OutboxEntry]:
    with bench.outbox.claim(1000) as claim:
        return list(claim.entries)


def _dead(bench: Bench[PrimaryKit]) -> list[Touch]:
    return [letter.entry.touch for letter in bench.outbox.dead_letters()]
