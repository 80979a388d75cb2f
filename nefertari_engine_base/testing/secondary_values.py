# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of secondary engines: values of every kind, and filters on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import (
    InvalidParameter,
)
from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.testing.specimens import (
    ORDERED,
    SAMPLES,
    field_name,
)
from nefertari_engine_base.testing.workbench import (
    Workbench,
    raises,
    where,
)
from nefertari_engine_base.values import (
    Filter,
    Operator,
    Query,
    Sort,
)


class ValuesSuite:
    """What an engine promises of values."""

    def test_values_of_every_kind_survive(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.fill(*_samples())
        for kind, values in SAMPLES.items():
            documents = bench.get(*(str(n) for n in range(len(values))))
            have = [getattr(one, field_name(kind)) for one in documents]
            if kind is Kind.IP:
                # An address may come back with its full mask.
                have = [getattr(value, "ip", value) for value in have]
            assert have == list(values), kind

    def test_what_an_index_cannot_hold_survives_in_the_document(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        huge = "1" + "0" * 400 + ".5"
        one = {"id": 1, "float": float("-inf"), "decimal": huge, "string": "x" * 40_000}
        bench.fill(one, {"id": 2, "float": float("nan"), "integer": 5}, {"id": 3})
        first, second = bench.get("1", "2")
        assert first.float == float("-inf")
        assert str(first.decimal) == huge
        assert first.string == "x" * 40_000
        assert second.float != second.float
        assert bench.ids(where("integer", 5)) == ["2"]
        exists = Filter("float", Operator.EXISTS, True)
        assert bench.ids(exists, sort=(Sort("float"),)) == ["1", "2"]

    def test_equal_finds_one_value_of_every_kind(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill(*_samples())
        for kind in ORDERED:
            name = field_name(kind)
            for n, value in enumerate(SAMPLES[kind]):
                assert bench.ids(where(name, value)) == [str(n)], (kind, value)
            chosen = [SAMPLES[kind][1], None, SAMPLES[kind][0]]
            assert bench.ids(where(name, chosen, Operator.IN)) == ["0", "1"], kind

    def test_ranges_compare_values_of_every_kind(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill(*_samples())
        for kind, ordered in ORDERED.items():
            if not ordered:
                continue
            name, values = field_name(kind), SAMPLES[kind]
            all_ids = [str(n) for n in range(len(values))]
            for n, value in enumerate(values):
                expected = {
                    Operator.GT: all_ids[n + 1 :],
                    Operator.GTE: all_ids[n:],
                    Operator.LT: all_ids[:n],
                    Operator.LTE: all_ids[: n + 1],
                }
                for operator, ids in expected.items():
                    found = bench.ids(where(name, value, operator))
                    assert found == ids, (kind, operator, value)

    def test_sorting_orders_values_of_every_kind_with_none_last(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill(*_samples())
        for kind, ordered in ORDERED.items():
            if not ordered:
                continue
            ids = [str(n) for n in range(len(SAMPLES[kind]))]
            rest = [str(n) for n in range(len(ids), _SAMPLE_COUNT)]
            name = field_name(kind)
            assert bench.ids(sort=(Sort(name),)) == ids + rest, kind
            assert bench.ids(sort=(Sort(name, True),)) == ids[::-1] + rest, kind

    def test_exists_tells_values_from_none(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.fill(*_samples())
        for kind in ORDERED:
            name = field_name(kind)
            ids = [str(n) for n in range(len(SAMPLES[kind]))]
            rest = [str(n) for n in range(len(ids), _SAMPLE_COUNT)]
            assert bench.ids(where(name, True, Operator.EXISTS)) == ids, kind
            assert bench.ids(where(name, False, Operator.EXISTS)) == rest, kind
            assert bench.ids(where(name, None)) == rest, kind

    def test_integers_beyond_the_index_are_no_error(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill({"id": 1, "integer": 5}, {"id": 2})
        assert bench.ids(where("integer", 2**70)) == []
        assert bench.ids(where("integer", 2**70, Operator.LT)) == ["1"]
        assert bench.ids(where("integer", 2**70, Operator.GTE)) == []
        assert bench.ids(where("integer", -(2**70), Operator.GT)) == ["1"]

    def test_fields_that_are_not_compared_say_so(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        for query in (
            Query(filters=(where("json", 1),)),
            Query(filters=(where("binary", b"x"),)),
            Query(filters=(where("network", "10.0.0.0/8", Operator.GT),)),
            Query(filters=(where("integer", "no number"),)),
            Query(filters=(where("nothing", 1),)),
            Query(filters=(where("maker.nothing", 1),)),
            Query(sort=(Sort("json"),)),
            Query(sort=(Sort("nothing"),)),
        ):
            raises(InvalidParameter, engine.search, bench.schema, query)
            raises(InvalidParameter, engine.count, bench.schema, query) if (
                query.filters
            ) else None


_SAMPLE_COUNT = 1 + max(len(values) for values in SAMPLES.values())


def _samples() -> Iterable[dict[str, Any]]:
    """One document for each place in the lists of samples, and an empty one."""
    for n in range(_SAMPLE_COUNT):
        yield {
            "id": n,
            **{
                field_name(kind): values[n]
                for kind, values in SAMPLES.items()
                if n < len(values)
            },
        }
