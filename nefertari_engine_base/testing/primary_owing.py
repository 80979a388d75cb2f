# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of primary engines: debts, fences, and what is known of indices."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from nefertari_engine_base.sync.suspension import suspended
from nefertari_engine_base.testing.primary_bench import MEMORY, Bench, refs_of
from nefertari_engine_base.testing.primary_kit import PrimaryKit
from nefertari_engine_base.values import Debt, IndexState
from nefertari_engine_base.values.debts import SUSPENDED

#: A secondary that the application does not have: nobody else remembers its indices.
OTHER = "other"


class OwingSuite:
    """What an engine promises of what no entry names."""

    # --- suspended

    def test_each_kind_of_write_is_owed_while_sync_is_suspended(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        new = {"id": 7, "title": "new", "published": True}
        writes: list[Callable[[], object]] = [
            lambda: bench.create("Film", 6, title="new"),
            lambda: bench.change("Film", 1, title="changed"),
            lambda: bench.delete("Film", 2),
            lambda: bench.create_many("Film", new),
            lambda: bench.change_where("Film", "year", 1982, title="changed"),
            lambda: bench.delete_where("Film", "title", "Lost"),
        ]
        bench.fill()
        for write in writes:
            before = bench.index()
            with suspended():
                write()
            assert bench.entries() == []
            assert _owed(bench) == [("Film", SUSPENDED)]
            bench.deliver()
            assert bench.index() == before
            bench.catch_up()
            assert _owed(bench) == []
            bench.assert_converged()
            assert bench.index() != before

    def test_documents_are_suspended_by_their_own_model(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        with suspended(bench.kit.models["Film"]):
            bench.change("Person", 1, name="Ridley")
            bench.change_where("Person", "name", "Cameron", name="James")
        assert _owed(bench) == [("Film", SUSPENDED)]
        bench.deliver()
        assert bench.index("Person")["1"]["name"] == "Ridley"
        assert bench.index("Person")["2"]["name"] == "James"
        assert bench.index()["1"]["director"]["name"] == "Scott"
        bench.catch_up()
        bench.assert_converged()
        assert bench.index()["1"]["director"]["name"] == "Ridley"

    def test_what_is_only_embedded_is_owed_to_those_that_show_it(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        with suspended():
            bench.change("Country", 1, name="Britain")
            bench.change_where("Genre", "name", "space", name="outer space")
        assert bench.entries() == []
        assert _owed(bench) == [("Film", SUSPENDED), ("Person", SUSPENDED)]
        bench.catch_up()
        bench.assert_converged()

    def test_events_are_sent_while_sync_is_suspended(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        with suspended():
            bench.create("Film", 1, title="Alien")
        assert bench.events() == [("DocumentCreated", "Film", ("1",))]

    # --- debts

    def test_debts_are_settled_by_number(self, bench: Bench[PrimaryKit]) -> None:
        outbox = bench.outbox
        outbox.owe([Debt(MEMORY, "Film", "why")] * 2)
        outbox.owe([Debt("other", "Film", "why"), Debt(MEMORY, "Person", "why")])
        numbers = list(outbox.debts("Film", [MEMORY]))
        assert len(numbers) == 2
        assert len(outbox.debts("Film", [MEMORY, "other"])) == 3
        assert len(outbox.debts("Film", [])) == 0
        outbox.owe([Debt(MEMORY, "Film", "later")])
        outbox.settle(numbers)
        outbox.settle([])
        assert len(outbox.debts("Film", [MEMORY])) == 1
        assert len(outbox.debts("Person", [MEMORY])) == 1

    def test_the_status_tells_why_what_is_owed_since_when_and_by_how_many(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        outbox = bench.outbox
        outbox.owe([Debt(MEMORY, "Film", "b")] * 3 + [Debt(MEMORY, "Film", "a")])
        outbox.owe([Debt(MEMORY, "Person", "a")])
        told = [(one.model, one.reason, one.count) for one in outbox.debt_status()]
        assert sorted(told) == [("Film", "a", 1), ("Film", "b", 3), ("Person", "a", 1)]
        assert sorted(outbox.status().debts, key=repr) == sorted(
            outbox.debt_status(), key=repr
        )
        assert all(one.since.tzinfo is not None for one in outbox.debt_status())

    def test_a_debt_that_was_made_meanwhile_outlives_a_catch_up(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        with suspended():
            bench.change("Film", 1, title="first")
        numbers = bench.outbox.debts("Film", [MEMORY])
        with suspended():
            bench.change("Film", 2, title="second")
        bench.outbox.settle(numbers)
        assert _owed(bench) == [("Film", SUSPENDED)]
        bench.catch_up()
        bench.assert_converged()

    # --- fences

    def test_who_has_drawn_below_a_fence_acknowledges_nothing(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1, 2)
        with bench.outbox.claim(1) as claim:
            claim.draw_and_load(refs_of(claim.entries))
            bench.outbox.fence(MEMORY, "Film")
            claim.acknowledge(claim.entries)
        assert bench.outbox.waiting() == 2
        with bench.outbox.claim(10) as claim:
            claim.draw_and_load(refs_of(claim.entries))
            claim.acknowledge(claim.entries)
        assert bench.outbox.waiting() == 0

    def test_who_has_committed_heeds_a_fence_too(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1)
        with bench.outbox.claim(10) as claim:
            entries = list(claim.entries)
        with bench.outbox.claim_own(entries) as own:
            own.draw_and_load(refs_of(entries))
            bench.outbox.fence(MEMORY, "Film")
            own.acknowledge(own.entries)
        assert bench.outbox.waiting() == 1

    def test_a_version_is_fenced_by_any_fence_above_it(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        outbox = bench.outbox
        below = outbox.draw_and_load([]).version
        assert not outbox.is_fenced(below)
        fence = outbox.fence(MEMORY, "Film")
        assert fence > below
        assert outbox.is_fenced(below)
        assert not outbox.is_fenced(fence)
        assert not outbox.is_fenced(outbox.draw_and_load([]).version)

    def test_a_fence_is_never_lowered(self, bench: Bench[PrimaryKit]) -> None:
        def raise_fences() -> list[int]:
            return [bench.outbox.fence(MEMORY, "Film") for _ in range(10)]

        with ThreadPoolExecutor(3) as threads:
            raised = [threads.submit(raise_fences) for _ in range(3)]
        highest = max(fence for one in raised for fence in one.result())
        assert bench.outbox.is_fenced(highest - 1)

    # --- indices

    def test_the_state_of_an_index_is_remembered_by_model_and_place(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        outbox = bench.outbox
        assert outbox.index_states(OTHER) == {}
        here, there = IndexState("here", "a", 5, 2), IndexState("there", "b")
        assert outbox.remember_index(OTHER, "Film", None, here)
        assert outbox.remember_index(OTHER, "Film", None, there)
        assert outbox.remember_index("another", "Film", None, here)
        assert outbox.index_states(OTHER) == {
            ("Film", "here"): here,
            ("Film", "there"): there,
        }

    def test_who_knew_something_else_of_an_index_remembers_nothing(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        outbox = bench.outbox
        old, new = IndexState("here", "a", 5, 2), IndexState("here", "a", 9, 3)
        assert outbox.remember_index(OTHER, "Film", None, old)
        assert not outbox.remember_index(OTHER, "Film", None, new, "lost")
        assert outbox.remember_index(OTHER, "Film", old, new)
        assert not outbox.remember_index(OTHER, "Film", old, new, "lost")
        assert outbox.index_states(OTHER) == {("Film", "here"): new}
        assert outbox.debt_status() == outbox.status().debts
        assert len(outbox.debt_status()) == 0

    def test_a_loss_is_remembered_with_its_debt(self, bench: Bench[PrimaryKit]) -> None:
        outbox = bench.outbox
        old, new = IndexState("here", "a", 5), IndexState("here", "b")
        outbox.remember_index(OTHER, "Film", None, old)
        assert outbox.remember_index(OTHER, "Film", old, new, "replaced")
        assert _owed(bench, OTHER) == [("Film", "replaced")]

    def test_of_many_that_see_one_loss_one_owes_it(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        outbox = bench.outbox
        old, new = IndexState("here", "a", 5), IndexState("here", "b")
        outbox.remember_index(OTHER, "Film", None, old)

        def see(_: int) -> bool:
            return outbox.remember_index(OTHER, "Film", old, new, "replaced")

        with ThreadPoolExecutor(4) as threads:
            remembered = list(threads.map(see, range(8)))
        assert sum(remembered) == 1
        assert [debt.count for debt in outbox.debt_status()] == [1]

    def test_a_fence_and_what_is_remembered_of_an_index_do_not_meet(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        state = IndexState("here", "a", 5)
        fence = bench.outbox.fence(OTHER, "Film")
        assert bench.outbox.remember_index(OTHER, "Film", None, state)
        bench.outbox.fence(OTHER, "Film")
        assert bench.outbox.index_states(OTHER) == {("Film", "here"): state}
        assert bench.outbox.is_fenced(fence)


def _owed(bench: Bench[PrimaryKit], secondary: str = MEMORY) -> list[tuple[str, str]]:
    """Model and reason of what is owed, sorted."""
    return sorted(
        (one.model, one.reason)
        for one in bench.outbox.debt_status()
        if one.secondary == secondary
    )
