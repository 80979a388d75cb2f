"""The conformance suite of secondary engines.

A package with an engine runs it from its own tests, with pytest::

    class TestMyEngine(SecondaryEngineSuite):
        @pytest.fixture
        def engine(self):
            engine = MyEngine(...)      # with no documents, and nothing attached
            yield engine
            engine.close()

Every test is one sentence of what :class:`~..interfaces.ISecondaryEngine` promises.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from zope.interface.verify import verifyObject

from nefertari_engine_base.exceptions import (
    InvalidParameter,
    QueryError,
    SecondaryOwnedError,
)
from nefertari_engine_base.generation import generate_document
from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.testing.specimens import (
    ORDERED,
    SAMPLES,
    SPECIMEN,
    field_name,
)
from nefertari_engine_base.values import (
    Filter,
    Hit,
    Operator,
    Outcome,
    Query,
    Sort,
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


class Workbench:
    """An engine with the specimen model attached, and short ways to ask it."""

    def __init__(self, engine: ISecondaryEngine) -> None:
        self.engine = engine
        self.schema = SPECIMEN
        self.document = generate_document(SPECIMEN, engine)
        engine.setup_database()

    def write(self, *writes: Write) -> list[Outcome]:
        """Outcomes of these writes, in order."""
        results = self.engine.write(self.schema, list(writes))
        assert [result.id for result in results] == [write.id for write in writes]
        return [result.outcome for result in results]

    def fill(self, *documents: dict[str, Any], version: int = 1) -> None:
        """Write documents of these fields, and make them visible."""
        outcomes = self.write(
            *(put(str(one["id"]), version, **one) for one in documents)
        )
        assert set(outcomes) <= {Outcome.WRITTEN}
        self.refresh()

    def refresh(self) -> None:
        """Make every write visible."""
        self.engine.refresh([self.schema])

    def ids(self, *filters: Filter, **query: Any) -> list[str]:
        """Ids of the hits, in order."""
        page = self.engine.search(self.schema, Query(filters=filters, **query))
        return [document._pk for document in page]

    def get(self, *ids: str) -> Sequence[Any]:
        """Documents by id."""
        return self.engine.get(self.schema, ids)


def put(document_id: str, version: int, **fields: Any) -> Write:
    """A write of a document, from values as the primary has them."""
    source = {}
    for name, value in fields.items():
        field = SPECIMEN.fields.get(name)
        source[name] = field.encode(value) if field else value
    return Write(document_id, version, orjson.dumps(source))


def drop(document_id: str, version: int) -> Write:
    """A delete."""
    return Write(document_id, version, None)


def where(field: str, value: Any, operator: Operator = Operator.EQ) -> Filter:
    """A filter."""
    return Filter(field, operator, value)


def raises(error: type[Exception], ask: Any, *arguments: Any) -> Exception:
    """The error that a call raises."""
    try:
        ask(*arguments)
    except error as raised:
        return raised
    raise AssertionError(f"{error.__name__} was not raised")


class SecondaryEngineSuite:
    """Subclass it and provide the fixture ``engine``; see the module."""

    def test_it_provides_the_interface(self, engine):
        assert verifyObject(ISecondaryEngine, engine)
        assert engine.name

    def test_setup_may_be_repeated(self, engine):
        bench = Workbench(engine)
        bench.fill({"id": 1})
        engine.setup_database()
        assert bench.ids() == ["1"]

    # --- versions

    def test_a_higher_version_wins(self, engine):
        bench = Workbench(engine)
        assert bench.write(put("1", 5, id=1, string="old")) == [Outcome.WRITTEN]
        assert bench.write(put("1", 6, id=1, string="new")) == [Outcome.WRITTEN]
        assert bench.get("1")[0].string == "new"

    def test_a_version_that_is_not_higher_is_superseded(self, engine):
        bench = Workbench(engine)
        bench.write(put("1", 5, id=1, string="kept"))
        late = [put("1", 5, id=1, string="same"), put("1", 4, id=1), drop("1", 5)]
        assert bench.write(*late) == [Outcome.SUPERSEDED] * 3
        assert bench.get("1")[0].string == "kept"

    def test_versions_are_exact_beyond_doubles(self, engine):
        bench = Workbench(engine)
        high = 2**53
        bench.write(put("1", high + 1, id=1))
        assert bench.write(put("1", high, id=1)) == [Outcome.SUPERSEDED]
        assert bench.write(put("1", high + 2, id=1)) == [Outcome.WRITTEN]
        assert bench.write(put("2", high + 3, id=2)) == [Outcome.WRITTEN]
        bench.refresh()
        assert engine.highest_version([bench.schema]) == high + 3

    def test_a_late_write_does_not_resurrect_a_deleted_document(self, engine):
        bench = Workbench(engine)
        bench.write(put("1", 1, id=1))
        assert bench.write(drop("1", 3)) == [Outcome.WRITTEN]
        assert bench.write(put("1", 2, id=1)) == [Outcome.SUPERSEDED]
        assert bench.get("1") == [None]
        assert bench.write(put("1", 4, id=1)) == [Outcome.WRITTEN]

    def test_a_delete_of_what_never_was_is_remembered(self, engine):
        bench = Workbench(engine)
        assert bench.write(drop("1", 3)) == [Outcome.WRITTEN]
        assert bench.write(put("1", 2, id=1)) == [Outcome.SUPERSEDED]
        assert bench.get("1") == [None]

    def test_highest_version_is_that_of_any_document(self, engine):
        bench = Workbench(engine)
        assert engine.highest_version([bench.schema]) == 0
        bench.write(put("1", 7, id=1), put("2", 12, id=2), put("3", 9, id=3))
        assert engine.highest_version([bench.schema]) == 12
        assert engine.highest_version([]) == 0

    # --- writes

    def test_no_writes_have_no_results(self, engine):
        bench = Workbench(engine)
        assert list(engine.write(bench.schema, [])) == []

    def test_results_are_in_the_order_of_the_writes(self, engine):
        bench = Workbench(engine)
        bench.write(put("3", 5, id=3))
        writes = [put("1", 1, id=1), put("3", 4, id=3), drop("2", 1), put("0", 1, id=0)]
        assert bench.write(*writes) == [
            Outcome.WRITTEN,
            Outcome.SUPERSEDED,
            Outcome.WRITTEN,
            Outcome.WRITTEN,
        ]

    def test_writes_may_come_from_a_generator(self, engine):
        bench = Workbench(engine)
        count = 2500
        results = engine.write(
            bench.schema, (put(str(n), 1, id=n) for n in range(count))
        )
        assert [result.id for result in results] == [str(n) for n in range(count)]
        assert {result.outcome for result in results} == {Outcome.WRITTEN}

    def test_a_refused_document_does_not_harm_its_neighbours(self, engine):
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

    def test_sources_are_taken_in_any_layout(self, engine):
        bench = Workbench(engine)
        layouts = [b"{}", b" { } \n", b'{"id" : 3,\n "string":"a\\nb" }\n']
        writes = [Write(str(n), 1, text) for n, text in enumerate(layouts)]
        assert bench.write(*writes) == [Outcome.WRITTEN] * 3
        assert bench.get("0")[0].string is None
        assert bench.get("2")[0].string == "a\nb"

    def test_hostile_ids_are_ids(self, engine):
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

    def test_get_is_in_real_time_and_in_order(self, engine):
        bench = Workbench(engine)
        bench.write(put("1", 1, id=1), put("2", 1, id=2))
        assert [one and one._pk for one in bench.get("2", "none", "1", "2")] == [
            "2",
            None,
            "1",
            "2",
        ]
        assert list(bench.get()) == []

    # --- kinds

    def test_values_of_every_kind_survive(self, engine):
        bench = Workbench(engine)
        bench.fill(*_samples())
        for kind, values in SAMPLES.items():
            documents = bench.get(*(str(n) for n in range(len(values))))
            have = [getattr(one, field_name(kind)) for one in documents]
            assert have == list(values), kind

    def test_what_an_index_cannot_hold_survives_in_the_document(self, engine):
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

    def test_equal_finds_one_value_of_every_kind(self, engine):
        bench = Workbench(engine)
        bench.fill(*_samples())
        for kind in ORDERED:
            name = field_name(kind)
            for n, value in enumerate(SAMPLES[kind]):
                assert bench.ids(where(name, value)) == [str(n)], (kind, value)
            chosen = [SAMPLES[kind][1], None, SAMPLES[kind][0]]
            assert bench.ids(where(name, chosen, Operator.IN)) == ["0", "1"], kind

    def test_ranges_compare_values_of_every_kind(self, engine):
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

    def test_sorting_orders_values_of_every_kind_with_none_last(self, engine):
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

    def test_exists_tells_values_from_none(self, engine):
        bench = Workbench(engine)
        bench.fill(*_samples())
        for kind in ORDERED:
            name = field_name(kind)
            ids = [str(n) for n in range(len(SAMPLES[kind]))]
            rest = [str(n) for n in range(len(ids), _SAMPLE_COUNT)]
            assert bench.ids(where(name, True, Operator.EXISTS)) == ids, kind
            assert bench.ids(where(name, False, Operator.EXISTS)) == rest, kind
            assert bench.ids(where(name, None)) == rest, kind

    def test_integers_beyond_the_index_are_no_error(self, engine):
        bench = Workbench(engine)
        bench.fill({"id": 1, "integer": 5}, {"id": 2})
        assert bench.ids(where("integer", 2**70)) == []
        assert bench.ids(where("integer", 2**70, Operator.LT)) == ["1"]
        assert bench.ids(where("integer", 2**70, Operator.GTE)) == []
        assert bench.ids(where("integer", -(2**70), Operator.GT)) == ["1"]

    def test_fields_that_are_not_compared_say_so(self, engine):
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

    # --- lists and embedded documents

    def test_a_list_matches_by_each_of_its_values(self, engine):
        bench = Workbench(engine)
        bench.fill(
            {"id": 1, "tags": ["a", "b"]},
            {"id": 2, "tags": ["b", "c"]},
            {"id": 3, "tags": []},
            {"id": 4},
        )
        assert bench.ids(where("tags", "b")) == ["1", "2"]
        assert bench.ids(where("tags", ["a", "c"], Operator.IN)) == ["1", "2"]
        assert bench.ids(where("tags", ["b", "c"], Operator.ALL)) == ["2"]
        assert bench.ids(where("tags", True, Operator.EXISTS)) == ["1", "2"]
        assert bench.ids(where("tags", False, Operator.EXISTS)) == ["3", "4"]
        assert bench.ids(sort=(Sort("tags"),)) == ["1", "2", "3", "4"]
        assert bench.ids(sort=(Sort("tags", True),)) == ["2", "1", "3", "4"]
        assert bench.get("1")[0].tags == ["a", "b"]

    def test_dotted_names_reach_into_one_embedded_document(self, engine):
        bench = Workbench(engine)
        bench.fill(*_embedding())
        assert bench.ids(where("maker.name", "Ada")) == ["1"]
        assert bench.ids(where("maker.name", False, Operator.EXISTS)) == ["3"]
        assert bench.ids(sort=(Sort("maker.name", True),)) == ["2", "1", "3"]

    def test_dotted_names_reach_into_embedded_lists(self, engine):
        bench = Workbench(engine)
        bench.fill(*_embedding())
        assert bench.ids(where("notes.text", "good")) == ["1", "2"]
        assert bench.ids(where("notes.stars", 4, Operator.GTE)) == ["1", "2"]
        assert bench.ids(where("notes.stars", None)) == ["3"]
        assert bench.ids(where("notes.stars", [1, 5], Operator.ALL)) == ["1"]
        assert bench.ids(where("notes.author.name", "Eve")) == ["2"]
        assert bench.ids(sort=(Sort("notes.stars"),)) == ["1", "2", "3"]
        assert bench.ids(sort=(Sort("notes.stars", True),)) == ["1", "2", "3"]

    def test_conditions_on_a_list_hold_for_one_element(self, engine):
        bench = Workbench(engine)
        bench.fill(*_embedding())
        good = where("notes.text", "good")
        assert bench.ids(good, where("notes.stars", 5)) == ["1"]
        assert bench.ids(good, where("notes.stars", 1)) == []
        assert bench.ids(good, where("notes.author.name", "Eve")) == ["2"]

    def test_documents_have_values_of_the_primary_and_its_behaviour(self, engine):
        bench = Workbench(engine)
        bench.fill(*_embedding())
        document = bench.get("1")[0]
        assert isinstance(document, bench.document)
        assert (document._pk, document._type, document.pk) == ("1", "Specimen", "1")
        assert document.maker.name == "Ada"
        assert [note.stars for note in document.notes] == [5, 1]
        assert document.notes[0].author is None
        assert document.string is None
        assert document.shout() == "ADA"
        assert document.label == "Specimen 1"
        assert not hasattr(document, "nothing")
        third = bench.get("3")[0]
        assert (third.maker, third.notes) == (None, [])

    def test_fields_may_have_names_of_methods(self, engine):
        bench = Workbench(engine)
        bench.fill({"id": 1, "search": "s", "meta": "m", "get": "g", "items": "i"})
        for document in (bench.get("1")[0], *engine.search(bench.schema, Query())):
            have = (document.search, document.meta, document.get, document.items)
            assert have == ("s", "m", "g", "i")
            assert document.to_dict()["meta"] == "m"

    def test_to_dict_is_plain_data_with_type_and_key(self, engine):
        bench = Workbench(engine)
        bench.fill({"id": 1, "decimal": "12.50", "maker": {"id": 7, "name": "Ada"}})
        (document,) = engine.search(bench.schema, Query())
        expected = {
            "id": 1,
            "decimal": "12.50",
            "maker": {"id": 7, "name": "Ada"},
            "_type": "Specimen",
            "_pk": "1",
        }
        assert document.to_dict() == expected
        assert orjson.loads(orjson.dumps(document.to_dict())) == expected

    def test_documents_are_equal_by_class_and_id(self, engine):
        bench = Workbench(engine)
        bench.fill({"id": 1}, {"id": 2})
        first, second = bench.get("1", "2")
        assert first == bench.get("1")[0]
        assert first != second
        assert len({first, second, *bench.get("1", "2")}) == 2
        assert repr(first) == "<Specimen 1>"

    def test_documents_do_not_write_themselves(self, engine):
        bench = Workbench(engine)
        bench.fill({"id": 1})
        (document,) = bench.get("1")
        for method in (document.save, document.update, document.delete):
            raises(SecondaryOwnedError, method)
        assert bench.get("1") == [document]

    # --- search

    def test_without_sort_and_text_hits_are_in_the_order_of_the_key(self, engine):
        bench = Workbench(engine)
        bench.fill(*({"id": n} for n in (10, 9, 2, 33)))
        assert bench.ids() == ["2", "9", "10", "33"]

    def test_pages_neither_overlap_nor_skip(self, engine):
        bench = Workbench(engine)
        bench.fill(*({"id": n, "integer": n % 3} for n in range(50)))
        seen: list[str] = []
        for start in range(0, 50, 7):
            sort = (Sort("integer", True),)
            seen += bench.ids(sort=sort, start=start, limit=7)
        assert len(seen) == 50
        assert set(seen) == {str(n) for n in range(50)}

    def test_a_page_says_where_it_stands(self, engine):
        bench = Workbench(engine)
        bench.fill(*({"id": n} for n in range(30)))
        page = engine.search(bench.schema, Query(start=5, limit=10))
        assert (len(page), page.total, page.start, page.limit) == (10, 30, 5, 10)
        assert page.engine == engine.name
        assert page[0]._pk == "5"
        assert [one._pk for one in page[8:]] == ["13", "14"]
        assert len(engine.search(bench.schema, Query(limit=0))) == 0
        assert engine.search(bench.schema, Query(start=100)).total == 30

    def test_no_limit_means_all_hits_in_order(self, engine):
        bench = Workbench(engine)
        count = 1200
        bench.fill(*({"id": n, "integer": -n} for n in range(count)))
        everything = [str(n) for n in reversed(range(count))]
        assert bench.ids(limit=None, sort=(Sort("integer"),)) == everything
        assert bench.ids(limit=None, sort=(Sort("integer"),), start=7) == everything[7:]
        some = where("id", 600, Operator.LT)
        page = engine.search(bench.schema, Query(filters=(some,), limit=None))
        assert (len(page), page.total) == (600, 600)
        ids = engine.search(bench.schema, Query(limit=None, ids_only=True))
        assert {hit.id for hit in ids} == set(everything)

    def test_count_counts_all_that_match(self, engine):
        bench = Workbench(engine)
        bench.fill(*({"id": n, "integer": n % 2} for n in range(31)))
        assert engine.count(bench.schema, Query()) == 31
        odd = Query(filters=(where("integer", 1),), limit=3, start=2)
        assert engine.count(bench.schema, odd) == 15

    def test_fields_limit_what_is_returned(self, engine):
        bench = Workbench(engine)
        bench.fill(*_embedding())
        fields = ("string", "maker.name", "notes")
        page = engine.search(bench.schema, Query(fields=fields, limit=1))
        data = page[0].to_dict()
        assert data["maker"] == {"name": "Ada"}
        assert len(data["notes"]) == 2
        assert "id" not in data
        assert (data["_pk"], page[0]._pk) == ("1", "1")
        assert page.fields == fields

    def test_ids_only_returns_hits_without_contents(self, engine):
        bench = Workbench(engine)
        bench.fill({"id": 2}, {"id": 1})
        page = engine.search(bench.schema, Query(ids_only=True))
        assert [(hit.id, hit.source) for hit in page] == [("1", None), ("2", None)]
        assert all(isinstance(hit, Hit) for hit in page)
        assert page.total == 2

    def test_refresh_of_a_query_shows_every_write(self, engine):
        bench = Workbench(engine)
        bench.write(put("1", 1, id=1))
        assert bench.ids(refresh=True) == ["1"]
        bench.write(put("2", 1, id=2))
        assert engine.count(bench.schema, Query(refresh=True)) == 2

    def test_deleted_documents_are_not_found(self, engine):
        bench = Workbench(engine)
        bench.fill({"id": 1}, {"id": 2})
        bench.write(drop("1", 2))
        bench.refresh()
        assert bench.ids() == ["2"]
        assert engine.count(bench.schema, Query()) == 1

    # --- text

    def test_text_searches_all_fields(self, engine):
        bench = Workbench(engine)
        bench.fill(*_texts())
        assert bench.ids(text="runner") == ["1"]
        assert sorted(bench.ids(text="blade alien")) == ["1", "2", "3"]
        assert bench.ids(text="blade AND runner") == ["1"]
        assert bench.ids(text='"blade runner"') == ["1"]
        assert bench.ids(text="run*") == ["1"]
        assert bench.ids(text="Scott") == ["2"]
        assert bench.ids(text="*") == ["1", "2", "3"]
        assert bench.ids(text="nothing of the kind") == []

    def test_text_may_name_its_field(self, engine):
        bench = Workbench(engine)
        bench.fill(*_texts())
        assert bench.ids(text="string:blade") == ["1"]
        assert bench.ids(text="maker.name:scott") == ["2"]
        assert bench.ids(text="blade", text_fields=("text",)) == ["3"]

    def test_the_first_text_field_weighs_most(self, engine):
        bench = Workbench(engine)
        bench.fill(*_texts())
        assert bench.ids(text="blade", text_fields=("string", "text")) == ["1", "3"]
        assert bench.ids(text="blade", text_fields=("text", "string")) == ["3", "1"]

    def test_text_goes_together_with_filters_and_sort(self, engine):
        bench = Workbench(engine)
        bench.fill(*_texts())
        sort = (Sort("integer", True),)
        assert bench.ids(text="blade", sort=sort) == ["3", "1"]
        assert bench.ids(where("integer", 1), text="blade") == ["1"]
        assert engine.count(bench.schema, Query(text="blade")) == 2

    def test_a_bad_query_is_a_query_error(self, engine):
        bench = Workbench(engine)
        error = raises(QueryError, bench.engine.search, SPECIMEN, Query(text="a:("))
        assert getattr(error, "status", None) == 400
        unknown = Query(text="a", text_fields=("nothing",))
        raises(InvalidParameter, engine.search, bench.schema, unknown)

    def test_explain_says_what_would_be_sent(self, engine):
        bench = Workbench(engine)
        assert engine.explain(bench.schema, Query(text="blade"))


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


def _embedding() -> list[dict[str, Any]]:
    eve = {"id": 9, "name": "Eve"}
    return [
        {
            "id": 1,
            "maker": {"id": 7, "name": "Ada"},
            "notes": [
                {"id": 1, "text": "good", "stars": 5},
                {"id": 2, "text": "bad", "stars": 1},
            ],
        },
        {
            "id": 2,
            "maker": {"id": 8, "name": "Bob"},
            "notes": [{"id": 3, "text": "good", "stars": 4, "author": eve}],
        },
        {"id": 3, "maker": None, "notes": []},
    ]


def _texts() -> list[dict[str, Any]]:
    return [
        {"id": 1, "string": "Blade Runner", "text": "androids", "integer": 1},
        {"id": 2, "string": "Alien", "maker": {"id": 1, "name": "Ridley Scott"}},
        {"id": 3, "string": "Other", "text": "a vampire called Blade", "integer": 2},
    ]
