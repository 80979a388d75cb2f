# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of primary engines whose store has transactions, savepoints, locks."""

from __future__ import annotations

from collections.abc import Callable

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.settings import SyncMode
from nefertari_engine_base.sync.suspension import suspended
from nefertari_engine_base.testing.primary_bench import Bench, keys_of, refs_of
from nefertari_engine_base.testing.primary_kit import (
    Died,
    LockingKit,
    PrimaryKit,
    SavepointsKit,
    TransactionalKit,
)
from nefertari_engine_base.testing.workbench import raises

#: Longer than any lease, in seconds.
AN_HOUR = 3600.0


class TransactionalSuite:
    """What an engine with :attr:`~..values.Capability.TRANSACTIONAL` promises."""

    def test_nothing_is_known_of_a_transaction_before_its_commit(
        self, bench: Bench[TransactionalKit]
    ) -> None:
        with bench.kit.transaction():
            bench.create("Film", 1, title="Alien")
            bench.create("Film", 2, title="Aliens")
            assert bench.outbox.waiting() == 0
            assert bench.commits == []
        assert bench.entries() == [("Film", "", "1"), ("Film", "", "2")]
        bench.assert_converged()

    def test_a_transaction_is_announced_once_with_all_its_changes(
        self, bench: Bench[TransactionalKit]
    ) -> None:
        with bench.kit.transaction():
            bench.create("Film", 1, title="Alien")
            bench.change("Film", 1, title="Aliens")
            bench.create("Film", 2, title="Lost")
            bench.delete("Film", 2)
        (event,) = bench.commits
        assert [change.ref.id for change in event.changes] == ["1", "1", "2", "2"]

    def test_a_document_has_one_entry_however_often_a_transaction_changes_it(
        self, bench: Bench[TransactionalKit]
    ) -> None:
        with bench.kit.transaction():
            bench.create("Film", 1, title="0")
            for number in range(1, 4):
                bench.change("Film", 1, title=str(number))
            bench.change_where("Film", "id", 1, year=1979)
        assert bench.entries() == [("Film", "", "1")]
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "3"

    def test_each_kind_of_write_that_is_rolled_back_leaves_nothing(
        self, bench: Bench[TransactionalKit]
    ) -> None:
        bench.fill()
        before = bench.rows()
        for write in _writes(bench):
            raises(_RolledBack, _roll_back, bench, write)
            assert bench.entries() == []
            assert bench.outbox.waiting() == 0
        assert bench.commits == []
        assert bench.rows() == before
        bench.assert_converged()

    def test_a_process_that_dies_before_its_commit_leaves_nothing(
        self, bench: Bench[TransactionalKit]
    ) -> None:
        bench.fill()
        try:
            with bench.kit.transaction():
                for write in _writes(bench):
                    write()
                raise Died
        except Died:
            pass
        assert bench.entries() == []
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "Alien"

    def test_a_debt_is_rolled_back_with_its_transaction(
        self, bench: Bench[TransactionalKit]
    ) -> None:
        def write() -> None:
            with suspended():
                bench.create("Film", 1, title="never")

        raises(_RolledBack, _roll_back, bench, write)
        assert list(bench.outbox.debt_status()) == []
        with bench.kit.transaction():
            write()
        assert [debt.model for debt in bench.outbox.debt_status()] == ["Film"]

    def test_a_veto_undoes_all_of_its_transaction(
        self, bench: Bench[TransactionalKit]
    ) -> None:
        def veto(event: object) -> None:
            raise _RolledBack

        def write() -> None:
            with bench.kit.transaction():
                bench.create("Film", 1, title="first")
                bench.listener = veto
                bench.create("Film", 2, title="second")

        raises(_RolledBack, write)
        bench.listener = None
        assert (bench.rows(), bench.entries()) == ({}, [])

    def test_inline_a_transaction_is_delivered_by_its_commit(
        self, bench: Bench[TransactionalKit]
    ) -> None:
        with bench.settings(sync=SyncMode.INLINE), bench.kit.transaction():
            bench.create("Film", 1, title="Alien")
            bench.create("Film", 2, title="Aliens")
            assert bench.index() == {}
        assert set(bench.index()) == {"1", "2"}


class SavepointsSuite:
    """What an engine with :attr:`~..values.Capability.SAVEPOINTS` promises."""

    def test_what_a_savepoint_undoes_leaves_nothing_and_the_rest_stays(
        self, bench: Bench[SavepointsKit]
    ) -> None:
        with bench.kit.transaction():
            bench.create("Film", 1, title="kept")
            raises(_RolledBack, _undo, bench, lambda: bench.create("Film", 2))
            with bench.kit.savepoint():
                bench.create("Film", 3, title="kept, too")
        assert bench.entries() == [("Film", "", "1"), ("Film", "", "3")]
        (event,) = bench.commits
        assert [change.ref.id for change in event.changes] == ["1", "3"]
        bench.assert_converged()

    def test_a_savepoint_inside_of_another_is_undone_with_it(
        self, bench: Bench[SavepointsKit]
    ) -> None:
        def write() -> None:
            with bench.kit.savepoint():
                bench.create("Film", 2, title="inner")

        with bench.kit.transaction():
            bench.create("Film", 1, title="kept")
            raises(_RolledBack, _undo, bench, write)
        assert bench.entries() == [("Film", "", "1")]
        bench.assert_converged()

    def test_what_is_written_again_after_it_was_undone_is_indexed(
        self, bench: Bench[SavepointsKit]
    ) -> None:
        def write() -> None:
            bench.create("Film", 1, title="first")

        with bench.kit.transaction():
            raises(_RolledBack, _undo, bench, write)
            bench.create("Film", 1, title="second")
        assert bench.entries() == [("Film", "", "1")]
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "second"

    def test_a_debt_is_undone_with_its_savepoint(
        self, bench: Bench[SavepointsKit]
    ) -> None:
        def write() -> None:
            with suspended():
                bench.create("Film", 1, title="never")

        with bench.kit.transaction():
            raises(_RolledBack, _undo, bench, write)
        assert list(bench.outbox.debt_status()) == []


class LockingSuite:
    """What an engine with :attr:`~..values.Capability.SKIP_LOCKED` promises."""

    def test_a_claim_lasts_as_long_as_its_delivery_takes(
        self, bench: Bench[LockingKit]
    ) -> None:
        bench.add_films(1)
        with bench.outbox.claim(10) as claim:
            bench.pass_time(AN_HOUR)
            with bench.outbox.claim(10) as other:
                assert list(other.entries) == []
            claim.draw_and_load([])
            claim.acknowledge(claim.entries)
        assert bench.outbox.waiting() == 0

    def test_entries_of_a_worker_that_died_are_everybodys_at_once(
        self, bench: Bench[LockingKit]
    ) -> None:
        bench.add_films(1)
        died = bench.outbox.claim(10)
        dead = died.__enter__()
        bench.kit.disconnect()
        with bench.outbox.claim(10) as claim:
            assert keys_of(claim.entries) == ["1"]
        raises(Exception, dead.draw_and_load, [])
        error = raises(PrimaryError, died.__exit__, None, None, None)
        assert str(error)
        bench.deliver()

    def test_a_delivery_does_not_wait_for_a_transaction_that_runs(
        self, bench: Bench[LockingKit]
    ) -> None:
        bench.fill()
        bench.change("Film", 1, title="first")
        with bench.kit.transaction():
            bench.change("Film", 1, title="second")
            bench.change("Film", 2, title="second")
            bench.deliver()
            assert bench.index()["1"]["title"] == "first"
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "second"


class LeasingSuite:
    """What an engine without :attr:`~..values.Capability.SKIP_LOCKED` promises.

    No lease is longer than an hour.
    """

    def test_entries_of_a_worker_that_died_are_everybodys_after_its_lease(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1)
        died = bench.outbox.claim(10)
        with died as dead:
            bench.pass_time(AN_HOUR)
            with bench.outbox.claim(10) as claim:
                assert keys_of(claim.entries) == ["1"]
                # Who was taken for dead removes nothing that somebody else has.
                dead.draw_and_load([])
                dead.acknowledge(dead.entries)
                assert bench.outbox.waiting() == 1
                claim.draw_and_load(refs_of(claim.entries))
                claim.acknowledge(claim.entries)
        assert bench.outbox.waiting() == 0

    def test_who_was_taken_for_dead_gives_back_nothing_that_somebody_else_has(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.add_films(1)
        with bench.outbox.claim(10):
            bench.pass_time(AN_HOUR)
            successor = bench.outbox.claim(10)
            successor.__enter__()
        with bench.outbox.claim(10) as other:
            assert list(other.entries) == []
        successor.__exit__(None, None, None)


class _RolledBack(Exception):
    """Raised to have something rolled back."""


def _roll_back(bench: Bench[TransactionalKit], write: Callable[[], object]) -> None:
    with bench.kit.transaction():
        write()
        raise _RolledBack


def _undo(bench: Bench[SavepointsKit], write: Callable[[], object]) -> None:
    with bench.kit.savepoint():
        write()
        raise _RolledBack


def _writes(bench: Bench[TransactionalKit]) -> list[Callable[[], object]]:
    new = {"id": 8, "title": "never", "published": True}
    return [
        lambda: bench.create("Film", 9, title="never", director=1, genres=[1]),
        lambda: bench.change("Film", 1, title="never"),
        lambda: bench.change("Film", 3, director=2, genres=[1]),
        lambda: bench.change("Person", 2, name="never"),
        lambda: bench.create_many("Film", new),
        lambda: bench.change_where("Film", "year", 1979, title="never"),
        lambda: bench.change_where("Country", "id", 1, name="never"),
        lambda: bench.delete("Film", 2),
        lambda: bench.delete_where("Film", "title", "Lost"),
    ]
