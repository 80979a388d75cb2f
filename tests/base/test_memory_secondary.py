"""The in-memory engine keeps the promises of a secondary engine."""

from __future__ import annotations

import pytest

from nefertari_engine_base.exceptions import QueryError, SecondaryUnavailable
from nefertari_engine_base.testing.memory import MemoryEngine
from nefertari_engine_base.testing.secondary_suite import SecondaryEngineSuite
from nefertari_engine_base.testing.workbench import Workbench, put
from nefertari_engine_base.values import Outcome, Query


class TestMemoryEngine(SecondaryEngineSuite):
    @pytest.fixture
    def engine(self):
        return MemoryEngine()


class TestMemoryEngineWithRefresh(SecondaryEngineSuite):
    @pytest.fixture
    def engine(self):
        return MemoryEngine(immediate=False)


def test_writes_wait_for_a_refresh_if_told_so():
    bench = Workbench(MemoryEngine(immediate=False))
    bench.write(put("1", 1, id=1))
    assert bench.ids() == []
    bench.refresh()
    assert bench.ids() == ["1"]


def test_an_engine_that_is_switched_off_is_unavailable():
    bench = Workbench(MemoryEngine())
    bench.engine.available = False
    for ask in (
        lambda: bench.write(put("1", 1, id=1)),
        bench.ids,
        lambda: bench.get("1"),
        bench.refresh,
    ):
        with pytest.raises(SecondaryUnavailable):
            ask()
    bench.engine.available = True
    assert bench.ids() == []


def test_refusals_can_be_asked_for():
    bench = Workbench(MemoryEngine())
    bench.engine.refuse = lambda schema, write: "why" if write.id == "2" else None
    outcomes = bench.write(put("1", 1, id=1), put("2", 1, id=2))
    assert outcomes == [Outcome.WRITTEN, Outcome.REFUSED]


@pytest.mark.parametrize("text", ["a AND b OR c", "a~", "[1 TO 2]", "(a)", '"open'])
def test_syntax_that_it_does_not_know_is_refused(text):
    bench = Workbench(MemoryEngine())
    with pytest.raises(QueryError):
        bench.ids(text=text)


def test_aggregations_are_refused():
    bench = Workbench(MemoryEngine())
    with pytest.raises(QueryError):
        bench.engine.search(bench.schema, Query(aggregations={"a": {}}))
    with pytest.raises(QueryError):
        bench.engine.aggregate([(bench.schema, Query())], {"a": {}})
