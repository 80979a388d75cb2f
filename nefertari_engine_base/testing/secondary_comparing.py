# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of secondary engines: what they tell of all documents of a model."""

from __future__ import annotations

from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.testing.workbench import Workbench, drop, put
from nefertari_engine_base.values import IndexState


class ComparingSuite:
    """What an engine promises those who compare it with a primary."""

    # --- documents below a version

    def test_ids_below_a_version_are_those_of_older_documents(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.write(put("1", 4, id=1), put("2", 5, id=2), put("3", 6, id=3))
        assert below(bench, 5) == ["1"]
        assert below(bench, 6) == ["1", "2"]
        assert below(bench, 4) == []

    def test_ids_below_a_version_are_without_deleted_documents(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.write(put("1", 1, id=1), put("2", 1, id=2))
        bench.write(drop("1", 2), put("2", 3, id=2))
        assert below(bench, 3) == []
        assert below(bench, 4) == ["2"]

    def test_ids_below_a_version_see_every_write_without_a_refresh(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        for number in range(3):
            bench.write(put(str(number), 1, id=number))
            assert len(below(bench, 2)) == number + 1

    def test_ids_below_a_version_are_exact_beyond_doubles(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        high = 2**53
        bench.write(put("1", high, id=1), put("2", high + 1, id=2))
        assert below(bench, high + 1) == ["1"]

    def test_ids_below_a_version_come_in_batches_that_may_be_deleted_meanwhile(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        count = 2500
        bench.write(*(put(str(number), 1, id=number) for number in range(count)))
        found: list[str] = []
        for batch in engine.ids_below(bench.schema, 2):
            found += batch
            bench.write(*(drop(id_, 2) for id_ in batch))
        assert sorted(found) == sorted(map(str, range(count)))
        assert below(bench, 10) == []

    # --- states

    def test_a_state_stays_while_nothing_happens(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill({"id": 1}, {"id": 2})
        before = state(bench)
        assert before.identity
        engine.setup_database()
        bench.refresh()
        assert state(bench) == before

    def test_a_state_counts_writes_and_deletes(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        empty = state(bench)
        assert empty.documents == 0
        bench.write(put("1", 1, id=1), put("2", 1, id=2), put("3", 1, id=3))
        filled = state(bench)
        assert filled.operations > empty.operations
        assert filled.documents >= 3
        bench.write(drop("1", 2), drop("2", 2), drop("3", 2))
        emptied = state(bench)
        assert emptied.operations > filled.operations
        assert emptied.documents == 0
        assert emptied.identity == filled.identity == empty.identity

    def test_there_are_no_states_of_no_models(self, engine: ISecondaryEngine) -> None:
        assert engine.index_states([]) == {}


def below(bench: Workbench, version: int) -> list[str]:
    """Ids of the documents below a version, in their order."""
    batches = bench.engine.ids_below(bench.schema, version)
    return sorted(id_ for batch in batches for id_ in batch)


def state(bench: Workbench) -> IndexState:
    """The state of the bench's index."""
    states = bench.engine.index_states([bench.schema])
    found: IndexState = states[bench.schema.name]
    return found
