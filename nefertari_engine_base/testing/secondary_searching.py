# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of secondary engines: pages, sorting, text."""

from __future__ import annotations

from typing import Any

from nefertari_engine_base.exceptions import (
    InvalidParameter,
    QueryError,
)
from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.testing.secondary_documents import embedding
from nefertari_engine_base.testing.specimens import (
    SPECIMEN,
)
from nefertari_engine_base.testing.workbench import (
    Workbench,
    drop,
    put,
    raises,
    where,
)
from nefertari_engine_base.values import (
    Hit,
    Operator,
    Query,
    Sort,
)


class SearchingSuite:
    """What an engine promises of searches."""

    def test_without_sort_and_text_hits_are_in_the_order_of_the_key(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill(*({"id": n} for n in (10, 9, 2, 33)))
        assert bench.ids() == ["2", "9", "10", "33"]

    def test_pages_neither_overlap_nor_skip(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.fill(*({"id": n, "integer": n % 3} for n in range(50)))
        seen: list[str] = []
        for start in range(0, 50, 7):
            sort = (Sort("integer", True),)
            seen += bench.ids(sort=sort, start=start, limit=7)
        assert len(seen) == 50
        assert set(seen) == {str(n) for n in range(50)}

    def test_a_page_says_where_it_stands(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.fill(*({"id": n} for n in range(30)))
        page = engine.search(bench.schema, Query(start=5, limit=10))
        assert (len(page), page.total, page.start, page.limit) == (10, 30, 5, 10)
        assert page.engine == engine.name
        assert page[0]._pk == "5"
        assert [one._pk for one in page[8:]] == ["13", "14"]
        assert len(engine.search(bench.schema, Query(limit=0))) == 0
        assert engine.search(bench.schema, Query(start=100)).total == 30

    def test_no_limit_means_all_hits_in_order(self, engine: ISecondaryEngine) -> None:
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

    def test_count_counts_all_that_match(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.fill(*({"id": n, "integer": n % 2} for n in range(31)))
        assert engine.count(bench.schema, Query()) == 31
        odd = Query(filters=(where("integer", 1),), limit=3, start=2)
        assert engine.count(bench.schema, odd) == 15

    def test_fields_limit_what_is_returned(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.fill(*embedding())
        fields = ("string", "maker.name", "notes")
        page = engine.search(bench.schema, Query(fields=fields, limit=1))
        data = page[0].to_dict()
        assert data["maker"] == {"name": "Ada"}
        assert len(data["notes"]) == 2
        assert "id" not in data
        assert (data["_pk"], page[0]._pk) == ("1", "1")
        assert page.fields == fields

    def test_ids_only_returns_hits_without_contents(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill({"id": 2}, {"id": 1})
        page = engine.search(bench.schema, Query(ids_only=True))
        assert [(hit.id, hit.source) for hit in page] == [("1", None), ("2", None)]
        assert all(isinstance(hit, Hit) for hit in page)
        assert page.total == 2

    def test_refresh_of_a_query_shows_every_write(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.write(put("1", 1, id=1))
        assert bench.ids(refresh=True) == ["1"]
        bench.write(put("2", 1, id=2))
        assert engine.count(bench.schema, Query(refresh=True)) == 2

    def test_deleted_documents_are_not_found(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.fill({"id": 1}, {"id": 2})
        bench.write(drop("1", 2))
        bench.refresh()
        assert bench.ids() == ["2"]
        assert engine.count(bench.schema, Query()) == 1

    # --- text

    def test_text_searches_all_fields(self, engine: ISecondaryEngine) -> None:
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

    def test_text_may_name_its_field(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.fill(*_texts())
        assert bench.ids(text="string:blade") == ["1"]
        assert bench.ids(text="maker.name:scott") == ["2"]
        assert bench.ids(text="blade", text_fields=("text",)) == ["3"]

    def test_the_first_text_field_weighs_most(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        bench.fill(*_texts())
        assert bench.ids(text="blade", text_fields=("string", "text")) == ["1", "3"]
        assert bench.ids(text="blade", text_fields=("text", "string")) == ["3", "1"]

    def test_text_goes_together_with_filters_and_sort(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine)
        bench.fill(*_texts())
        sort = (Sort("integer", True),)
        assert bench.ids(text="blade", sort=sort) == ["3", "1"]
        assert bench.ids(where("integer", 1), text="blade") == ["1"]
        assert engine.count(bench.schema, Query(text="blade")) == 2

    def test_a_bad_query_is_a_query_error(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        error = raises(QueryError, bench.engine.search, SPECIMEN, Query(text="a:("))
        assert getattr(error, "status", None) == 400
        unknown = Query(text="a", text_fields=("nothing",))
        raises(InvalidParameter, engine.search, bench.schema, unknown)

    def test_explain_says_what_would_be_sent(self, engine: ISecondaryEngine) -> None:
        bench = Workbench(engine)
        assert engine.explain(bench.schema, Query(text="blade"))


def _texts() -> list[dict[str, Any]]:
    return [
        {"id": 1, "string": "Blade Runner", "text": "androids", "integer": 1},
        {"id": 2, "string": "Alien", "maker": {"id": 1, "name": "Ridley Scott"}},
        {"id": 3, "string": "Other", "text": "a vampire called Blade", "integer": 2},
    ]
