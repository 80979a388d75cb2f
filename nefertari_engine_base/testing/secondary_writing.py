# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of secondary engines: versions, writes, reading by id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from zope.interface.verify import verifyObject

from nefertari_engine_base.clock import elapsed
from nefertari_engine_base.encoding import content_hash
from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.testing.workbench import (
    Workbench,
    drop,
    put,
)
from nefertari_engine_base.values import (
    Outcome,
    Write,
)

#: Ids that are hard to carry through URLs, bulk lines and query strings.
HOSTILE_IDS = (
    "plain",
    "with space",
    "slash/and?query=1&b=2#x",
    "comma,and\\backslash",
    "quote\"and'apostrophe",
    "line\nfeed\ttab",
    "日本語 😀",
    ".",
    "_search",
    "%2F",
    "*",
    "é" * 256,
)


class WritingSuite:
    """What an engine promises of writes."""

    def test_it_provides_the_interface(self, engine: ISecondaryEngine) -> None:
        assert verifyObject(ISecondaryEngine, engine)
        assert engine.name

    def test_setup_may_be_repeated(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.fill({"id": 1})
        engine.setup_database()
        assert bench.ids() == ["1"]

    # --- versions

    def test_a_higher_version_wins(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        assert bench.write(put("1", 5, id=1, string="old")) == [Outcome.WRITTEN]
        assert bench.write(put("1", 6, id=1, string="new")) == [Outcome.WRITTEN]
        assert bench.get("1")[0].string == "new"

    def test_a_version_that_is_not_higher_is_superseded(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.write(put("1", 5, id=1, string="kept"))
        late = [put("1", 5, id=1, string="same"), put("1", 4, id=1), drop("1", 5)]
        assert bench.write(*late) == [Outcome.SUPERSEDED] * 3
        assert bench.get("1")[0].string == "kept"

    def test_what_supersedes_a_write_tells_its_version(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        high = 2**53 + 1
        bench.write(put("1", high, id=1), drop("2", 7), drop("3", 9))
        late = [put("1", 4, id=1), put("2", 6, id=2), drop("3", 9)]
        results = engine.write(bench.schema, late)
        assert [result.stored for result in results] == [high, 7, 9]

    def test_versions_are_exact_beyond_doubles(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        high = 2**53
        bench.write(put("1", high + 1, id=1))
        assert bench.write(put("1", high, id=1)) == [Outcome.SUPERSEDED]
        assert bench.write(put("1", high + 2, id=1)) == [Outcome.WRITTEN]
        assert bench.write(put("2", high + 3, id=2)) == [Outcome.WRITTEN]
        bench.refresh()
        assert engine.highest_version([bench.schema]) == high + 3

    def test_a_late_write_does_not_resurrect_a_deleted_document(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.write(put("1", 1, id=1))
        assert bench.write(drop("1", 3)) == [Outcome.WRITTEN]
        assert bench.write(put("1", 2, id=1)) == [Outcome.SUPERSEDED]
        assert bench.get("1") == [None]
        assert bench.write(put("1", 4, id=1)) == [Outcome.WRITTEN]

    def test_what_was_loaded_too_long_ago_is_not_written(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        writes = [put("1", 1, id=1), drop("2", 1)]
        (late, gone) = engine.write(bench.schema, writes, until=elapsed() - 1)
        assert (late.outcome, gone.outcome) == (Outcome.EXPIRED, Outcome.EXPIRED)
        assert bench.get("1") == [None]
        (soon, _) = engine.write(bench.schema, writes, until=elapsed() + 60)
        assert soon.outcome is Outcome.WRITTEN

    def test_a_delete_of_what_never_was_is_remembered(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        assert bench.write(drop("1", 3)) == [Outcome.WRITTEN]
        assert bench.write(put("1", 2, id=1)) == [Outcome.SUPERSEDED]
        assert bench.get("1") == [None]

    def test_highest_version_is_that_of_any_document(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        assert engine.highest_version([bench.schema]) == 0
        bench.write(put("1", 7, id=1), put("2", 12, id=2), put("3", 9, id=3))
        assert engine.highest_version([bench.schema]) == 12
        assert engine.highest_version([]) == 0

    # --- writes

    def test_no_writes_have_no_results(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        assert list(engine.write(bench.schema, [])) == []

    def test_results_are_in_the_order_of_the_writes(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.write(put("3", 5, id=3))
        writes = [put("1", 1, id=1), put("3", 4, id=3), drop("2", 1), put("0", 1, id=0)]
        assert bench.write(*writes) == [
            Outcome.WRITTEN,
            Outcome.SUPERSEDED,
            Outcome.WRITTEN,
            Outcome.WRITTEN,
        ]

    def test_writes_may_come_from_a_generator(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        count = 2500
        results = engine.write(
            bench.schema, (put(str(n), 1, id=n) for n in range(count))
        )
        assert [result.id for result in results] == [str(n) for n in range(count)]
        assert {result.outcome for result in results} == {Outcome.WRITTEN}

    def test_a_refused_document_does_not_harm_its_neighbours(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bad = Write("bad", 1, b'{"id":3,"integer":"no number"}')
        writes = [put("1", 1, id=1), bad, put("x" * 513, 1, id=4), put("2", 1, id=2)]
        results = engine.write(bench.schema, writes)
        assert [result.outcome for result in results] == [
            Outcome.WRITTEN,
            Outcome.REFUSED,
            Outcome.REFUSED,
            Outcome.WRITTEN,
        ]
        assert all(results[n].reason for n in (1, 2))
        assert [bool(one) for one in bench.get("1", "bad", "2")] == [True, False, True]

    def test_sources_are_taken_in_any_layout(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        layouts = [b"{}", b" { } \n", b'{"id" : 3,\n "string":"a\\nb" }\n']
        writes = [Write(str(n), 1, text) for n, text in enumerate(layouts)]
        assert bench.write(*writes) == [Outcome.WRITTEN] * 3
        assert bench.get("0")[0].string is None
        assert bench.get("2")[0].string == "a\nb"

    def test_hostile_ids_are_ids(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        writes = [put(name, 1, id=n) for n, name in enumerate(HOSTILE_IDS)]
        assert set(bench.write(*writes)) == {Outcome.WRITTEN}
        assert [one.id for one in bench.get(*HOSTILE_IDS)] == list(range(len(writes)))
        bench.refresh()
        assert bench.ids() == list(HOSTILE_IDS)
        assert set(bench.write(*(drop(name, 2) for name in HOSTILE_IDS))) == {
            Outcome.WRITTEN
        }
        assert bench.get(*HOSTILE_IDS) == [None] * len(writes)

    # --- get

    def test_get_is_in_real_time_and_in_order(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.write(put("1", 1, id=1), put("2", 1, id=2))
        assert [one and one._pk for one in bench.get("2", "none", "1", "2")] == [
            "2",
            None,
            "1",
            "2",
        ]
        assert list(bench.get()) == []

    # --- inspection

    def test_a_stored_document_tells_its_version_and_when_and_why_it_was_written(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        sources = (b'{"id":1,"string":"a"}', b'{ "id": 2 }', b"{}")
        writes = [
            Write("1", 2**53 + 1, sources[0], "index"),
            Write("2", 7, sources[1], "change of related.deeper"),
            Write("3", 8, sources[2]),
        ]
        before = datetime.now(UTC) - timedelta(seconds=1)
        bench.write(*writes)
        after = datetime.now(UTC)
        told = engine.stored(bench.schema, ["3", "1", "none", "2"])
        assert told[2] is None
        three, one, two = told[0], told[1], told[3]
        assert (one.version, one.noted_version) == (2**53 + 1, 2**53 + 1)
        assert one.source == {"id": 1, "string": "a"}
        assert one.hash == content_hash(sources[0])
        assert two.hash == content_hash(sources[1])
        reasons = [document.why for document in (one, two, three)]
        assert reasons == ["index", "change of related.deeper", "change"]
        assert all(before <= document.written_at <= after for document in (one, two))

    def test_a_later_write_tells_its_own_reason(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.write(put("1", 5, id=1), Write("2", 5, b'{"id":2}'))
        (first,) = engine.stored(bench.schema, ["1"])
        bench.write(Write("1", 4, b'{"id":1}', "index"))
        assert list(engine.stored(bench.schema, ["1"])) == [first]
        bench.write(Write("1", 6, b'{"id":1}', "index"))
        (second,) = engine.stored(bench.schema, ["1"])
        assert (second.version, second.why) == (6, "index")
        assert second.hash == first.hash

    def test_nothing_is_stored_of_a_deleted_document(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.write(put("1", 1, id=1))
        bench.write(drop("1", 2))
        assert list(engine.stored(bench.schema, ["1"])) == [None]
        assert list(engine.stored(bench.schema, [])) == []

    def test_nothing_is_missing_after_setup(self, engine: ISecondaryEngine) -> None:
        Workbench(engine)
        assert list(engine.missing(60.0)) == []
