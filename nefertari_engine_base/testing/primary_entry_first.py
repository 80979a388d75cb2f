# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of primary engines whose store has no transactions.

The entry is written before the document. So it may be there without the document, for a
while or for good, and it must not go before the document has come.
"""

from __future__ import annotations

from collections.abc import Callable

from nefertari_engine_base.sync.suspension import suspended
from nefertari_engine_base.testing.primary_bench import Bench
from nefertari_engine_base.testing.primary_kit import Died, EntryFirstKit
from nefertari_engine_base.testing.workbench import raises

#: Longer than the lease of any writer, and than any time until an entry that nobody
#: has confirmed is due; in seconds.
AN_HOUR = 3600.0


class EntryFirstSuite:
    """What an engine without :attr:`~..values.Capability.TRANSACTIONAL` promises."""

    def test_the_entry_is_there_before_the_document_is_written(
        self, bench: Bench[EntryFirstKit]
    ) -> None:
        bench.fill()
        seen: list[object] = []

        def look() -> None:
            seen.append((bench.entries(), bench.rows()["1"]["title"]))

        with bench.kit.intercepted(before=look, after=look):
            _change(bench)
        entries = [("Film", "", "1")]
        assert seen == [(entries, "Alien"), (entries, "changed")]
        assert bench.entries() == entries
        bench.assert_converged()

    def test_an_entry_is_due_when_its_writer_has_told_that_it_has_written(
        self, bench: Bench[EntryFirstKit]
    ) -> None:
        bench.fill()
        with bench.kit.intercepted(after=bench.deliver_due):
            _change(bench)
        assert bench.index()["1"]["title"] == "Alien"
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "changed"

    def test_an_entry_whose_writer_died_before_its_write_is_harmless(
        self, bench: Bench[EntryFirstKit]
    ) -> None:
        bench.fill()
        with bench.kit.intercepted(before=_die):
            raises_death(lambda: _change(bench))
        assert bench.entries() == [("Film", "", "1")]
        bench.pass_time(AN_HOUR)
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "Alien"

    def test_the_write_of_a_writer_that_died_before_it_told_is_caught_up_with(
        self, bench: Bench[EntryFirstKit]
    ) -> None:
        bench.fill()
        with bench.kit.intercepted(after=_die):
            raises_death(lambda: _change(bench))
            raises_death(lambda: bench.change_where("Country", "id", 2, name="States"))
        bench.pass_time(AN_HOUR)
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "changed"
        assert bench.index()["2"]["director"]["country"]["name"] == "States"

    def test_an_entry_outlives_a_delivery_before_its_write(
        self, bench: Bench[EntryFirstKit]
    ) -> None:
        bench.fill()

        def deliver() -> None:
            for _ in range(12):
                bench.pass_time(3)
                bench.deliver_due()
            assert bench.outbox.waiting() == 1

        with bench.kit.intercepted(before=deliver):
            _change(bench)
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "changed"

    def test_a_writer_that_died_after_a_write_that_was_slow_is_caught_up_with(
        self, bench: Bench[EntryFirstKit]
    ) -> None:
        bench.fill()

        def deliver() -> None:
            for _ in range(4):
                bench.pass_time(3)
                bench.deliver_due()

        with bench.kit.intercepted(before=deliver, after=_die):
            raises_death(lambda: _change(bench))
            raises_death(lambda: bench.change_where("Country", "id", 2, name="States"))
        bench.pass_time(AN_HOUR)
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "changed"
        assert bench.index()["2"]["director"]["country"]["name"] == "States"

    def test_a_writer_that_is_slower_than_its_lease_loses_nothing(
        self, bench: Bench[EntryFirstKit]
    ) -> None:
        bench.fill()

        def deliver() -> None:
            bench.pass_time(AN_HOUR)
            bench.deliver()

        with bench.kit.intercepted(before=deliver):
            _change(bench)
            bench.change_where("Person", "name", "Scott", name="Ridley")
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "changed"
        assert bench.index()["3"]["director"]["name"] == "Ridley"

    def test_a_delivery_that_has_loaded_before_the_write_does_not_remove_its_entry(
        self, bench: Bench[EntryFirstKit]
    ) -> None:
        bench.fill()
        for passed in (10.0, AN_HOUR):
            _deliver_around_a_write(bench, passed)
            bench.assert_converged()
            assert bench.index()["1"]["title"] == str(passed)

    def test_an_entry_whose_writer_may_still_write_does_not_die(
        self, bench: Bench[EntryFirstKit]
    ) -> None:
        bench.fill()

        def refuse() -> None:
            bench.memory.refuse = lambda schema, write: "odd"
            bench.pass_time(10)
            with bench.settings(max_attempts=1):
                bench.deliver_due()
            assert list(bench.outbox.dead_letters()) == []
            bench.memory.refuse = None

        with bench.kit.intercepted(before=refuse):
            _change(bench)
        assert list(bench.outbox.dead_letters()) == []
        bench.assert_converged()

    def test_a_veto_leaves_no_entry(self, bench: Bench[EntryFirstKit]) -> None:
        bench.fill()
        with bench.kit.intercepted(before=_die):
            bench.listener = _refuse
            raises(ValueError, _change, bench)
        assert bench.entries() == []

    def test_a_catch_up_settles_no_debt_of_a_write_that_is_under_way(
        self, bench: Bench[EntryFirstKit]
    ) -> None:
        bench.fill()

        def catch_up() -> None:
            bench.catch_up()
            assert bench.outbox.debt_status()

        with bench.kit.intercepted(before=catch_up), suspended():
            _change(bench)
        bench.catch_up()
        assert not bench.outbox.debt_status()
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "changed"

    def test_the_debt_of_a_writer_that_died_is_caught_up_with(
        self, bench: Bench[EntryFirstKit]
    ) -> None:
        bench.fill()
        with bench.kit.intercepted(after=_die), suspended():
            raises_death(lambda: _change(bench))
        bench.pass_time(AN_HOUR)
        bench.catch_up()
        assert not bench.outbox.debt_status()
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "changed"


def raises_death(write: Callable[[], object]) -> None:
    """Make a write whose process dies in it."""
    try:
        write()
    except Died:
        return
    raise AssertionError("The writer did not die: nothing was intercepted.")


def _change(bench: Bench[EntryFirstKit], title: str = "changed") -> None:
    bench.change_where("Film", "year", 1979, title=title)


def _die() -> None:
    raise Died


def _refuse(event: object) -> None:
    raise ValueError("no")


def _deliver_around_a_write(bench: Bench[EntryFirstKit], passed: float) -> None:
    """A delivery that claims and loads before a write, and acknowledges after it."""
    claims = []

    def claim() -> None:
        bench.pass_time(passed)
        manager = bench.outbox.claim(10)
        one = manager.__enter__()
        assert len(one.entries) == 1
        one.draw_and_load([])
        claims.append((manager, one))

    with bench.kit.intercepted(before=claim):
        _change(bench, str(passed))
    ((manager, one),) = claims
    one.acknowledge(one.entries)
    manager.__exit__(None, None, None)
    assert bench.outbox.waiting() == 1
