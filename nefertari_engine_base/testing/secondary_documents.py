# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of secondary engines: lists, embedded documents, generated classes."""

from __future__ import annotations

from typing import Any

import orjson

from nefertari_engine_base.exceptions import (
    SecondaryOwnedError,
)
from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.testing.workbench import (
    Workbench,
    raises,
    where,
)
from nefertari_engine_base.values import (
    Operator,
    Query,
    Sort,
)


class DocumentsSuite:
    """What an engine promises of documents."""

    def test_a_list_matches_by_each_of_its_values(
        self, engine: ISecondaryEngine
    ) -> None:
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

    def test_dotted_names_reach_into_one_embedded_document(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill(*embedding())
        assert bench.ids(where("maker.name", "Ada")) == ["1"]
        assert bench.ids(where("maker.name", False, Operator.EXISTS)) == ["3"]
        assert bench.ids(sort=(Sort("maker.name", True),)) == ["2", "1", "3"]

    def test_dotted_names_reach_into_embedded_lists(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill(*embedding())
        assert bench.ids(where("notes.text", "good")) == ["1", "2"]
        assert bench.ids(where("notes.stars", 4, Operator.GTE)) == ["1", "2"]
        assert bench.ids(where("notes.stars", None)) == ["3"]
        assert bench.ids(where("notes.stars", [1, 5], Operator.ALL)) == ["1"]
        assert bench.ids(where("notes.author.name", "Eve")) == ["2"]
        assert bench.ids(sort=(Sort("notes.stars"),)) == ["1", "2", "3"]
        assert bench.ids(sort=(Sort("notes.stars", True),)) == ["1", "2", "3"]

    def test_conditions_on_a_list_hold_for_one_element(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill(*embedding())
        good = where("notes.text", "good")
        assert bench.ids(good, where("notes.stars", 5)) == ["1"]
        assert bench.ids(good, where("notes.stars", 1)) == []
        assert bench.ids(good, where("notes.author.name", "Eve")) == ["2"]

    def test_documents_have_values_of_the_primary_and_its_behaviour(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill(*embedding())
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

    def test_fields_may_have_names_of_methods(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.fill({"id": 1, "search": "s", "meta": "m", "get": "g", "items": "i"})
        for document in (bench.get("1")[0], *engine.search(bench.schema, Query())):
            have = (document.search, document.meta, document.get, document.items)
            assert have == ("s", "m", "g", "i")
            assert document.to_dict()["meta"] == "m"

    def test_to_dict_is_plain_data_with_type_and_key(
        self, engine: ISecondaryEngine
    ) -> None:
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

    def test_documents_are_equal_by_class_and_id(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill({"id": 1}, {"id": 2})
        first, second = bench.get("1", "2")
        assert first == bench.get("1")[0]
        assert first != second
        assert len({first, second, *bench.get("1", "2")}) == 2
        assert repr(first) == "<Specimen 1>"

    def test_documents_do_not_write_themselves(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.fill({"id": 1})
        (document,) = bench.get("1")
        for method in (document.save, document.update, document.delete):
            raises(SecondaryOwnedError, method)
        assert bench.get("1") == [document]


def embedding() -> list[dict[str, Any]]:
    """Documents with one embedded document, lists of such, and none."""
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
