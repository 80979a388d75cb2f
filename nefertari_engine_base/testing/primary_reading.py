# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of primary engines: reads mean what they mean in the index."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from typing import Any

from nefertari_engine_base.exceptions import (
    InvalidDocumentId,
    QueryError,
    SecondaryUnavailable,
)
from nefertari_engine_base.testing.primary_bench import Bench
from nefertari_engine_base.testing.primary_kit import PrimaryKit
from nefertari_engine_base.testing.workbench import raises, where
from nefertari_engine_base.values import Filter, Operator, Query, Sort

_WORDS = ("alien", "Blade", "runner", "Zoë", "été", "star", "Ω", "the")

#: Values to compare fields with; those that have an order, and those of embedded rows.
ORDERED: dict[str, tuple[Any, ...]] = {
    "id": (1, 17, 40),
    "title": ("alien Blade", "the the", "Zoë star", ""),
    "year": (1979, 1982, 1990),
    "rating": (6.5, -1.5, 0.0),
    "gross": (Decimal("12.50"), Decimal("12.5"), Decimal(0)),
    "released": (date(1979, 5, 25), date(1979, 5, 26)),
}
EMBEDDED: dict[str, tuple[Any, ...]] = {
    "director.id": (1, 2, 9),
    "director.name": ("Scott", "Cameron", "Nobody"),
    "director.country.name": ("UK", "US", "FR"),
    "genres.id": (1, 2, 9),
    "genres.name": ("horror", "space", "western"),
}
_RANGES = (Operator.GT, Operator.GTE, Operator.LT, Operator.LTE)


class ReadingSuite:
    """What an engine promises of reads."""

    def test_equality_finds_what_the_index_finds(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _fill(bench)
        for name, values in {**ORDERED, **EMBEDDED}.items():
            for value in values:
                _compare(bench, where(name, value))
            _compare(bench, where(name, [*values], Operator.IN))
            _compare(bench, where(name, [], Operator.IN))
        _compare(bench, where("published", True))
        _compare(bench, where("published", False))

    def test_ranges_find_what_the_index_finds(self, bench: Bench[PrimaryKit]) -> None:
        _fill(bench)
        for name, values in {**ORDERED, **EMBEDDED}.items():
            for value in values:
                for operator in _RANGES:
                    _compare(bench, where(name, value, operator))

    def test_what_has_a_value_is_told_from_what_has_none(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _fill(bench)
        for name in (*ORDERED, *EMBEDDED):
            _compare(bench, where(name, True, Operator.EXISTS))
            _compare(bench, where(name, False, Operator.EXISTS))

    def test_all_values_may_be_asked_of_many_embedded_rows(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _fill(bench)
        for values in (["horror"], ["horror", "space"], ["horror", "western"]):
            _compare(bench, where("genres.name", values, Operator.ALL))

    def test_one_embedded_row_meets_all_filters_on_it(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _fill(bench)
        _compare(bench, where("genres.name", "horror"), where("genres.id", 1))
        both = where("genres.name", "horror"), where("genres.id", 2)
        _compare(bench, *both)
        assert bench.ids(*both) == []

    def test_sorting_is_that_of_the_index_with_none_last(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _fill(bench)
        for name in ORDERED:
            for descending in (False, True):
                _compare(bench, sort=(Sort(name, descending),))
                _compare(bench, sort=(Sort("year"), Sort(name, descending)))

    def test_pages_are_parts_of_the_whole_with_the_same_total(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _fill(bench)
        sort = (Sort("rating", True),)
        whole = bench.ids(sort=sort, limit=None)
        pages = [
            bench.ids(sort=sort, limit=7, start=start) for start in range(0, 49, 7)
        ]
        assert [id_ for page in pages for id_ in page] == whole
        for limit in (None, 0, 1, 40, 100):
            for start in (0, 1, 39, 40, 70):
                _compare(bench, sort=sort, limit=limit, start=start)

    def test_without_a_sort_the_order_is_that_of_the_key(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        for key in (10, 9, 2, 1, 11):
            bench.create("Film", key, title="x")
        assert bench.ids() == ["1", "2", "9", "10", "11"]

    def test_any_question_has_the_answer_of_the_index(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _fill(bench)
        dice = random.Random(20261121)
        for _ in range(60):
            filters = [_any_filter(dice) for _ in range(dice.randint(0, 3))]
            sort = tuple(
                Sort(dice.choice([*ORDERED]), dice.random() < 0.5)
                for _ in range(dice.randint(0, 2))
            )
            limit, start = (
                dice.choice([0, 1, 7, 20, 100]),
                dice.choice([0, 0, 1, 5, 45]),
            )
            _compare(bench, *filters, sort=sort, limit=limit, start=start)

    def test_a_page_tells_who_answered_and_what_was_asked(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        query = Query(limit=2, start=1, fields=("title",))
        page = bench.primary.search(bench.schema(), query)
        assert (page.engine, page.total, page.start, page.limit, page.fields) == (
            bench.primary.name,
            4,
            1,
            2,
            ("title",),
        )
        assert all(isinstance(one, bench.kit.models["Film"]) for one in page)

    # --- conditions and what only a secondary answers

    def test_in_place_of_the_secondary_it_leaves_out_what_has_no_document(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Film", 1, published=False)
        schema, documents = bench.schema(), Query(documents_only=True)
        assert bench.ids() == ["1", "2", "3", "4"]
        assert bench.ids(documents_only=True) == ["2", "3", "4"]
        assert bench.primary.count(schema, documents) == 3
        assert bench.primary.count(schema, Query()) == 4
        found = bench.primary.get_by_ids(schema, ["1", "2"], documents_only=True)
        assert set(found) == {"2"}

    def test_full_text_and_aggregations_are_refused(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        for query in (Query(text="alien"), Query(aggregations={"a": {}})):
            for ask in (bench.primary.search, bench.primary.count):
                raises(QueryError, ask, bench.schema(), query)

    def test_while_the_secondary_is_away_the_primary_answers(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.memory.available = False
        model: Any = bench.kit.models["Film"]
        page = model.get_collection(year=1979, _sort="title")
        assert (page.engine, [film.id for film in page]) == (bench.primary.name, [1])
        raises(SecondaryUnavailable, lambda: model.get_collection(q="alien"))

    def test_a_hydrated_page_has_instances_in_the_order_of_the_hits(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        model: Any = bench.kit.models["Film"]
        page = model.get_collection(_sort="-title", _limit=3, _hydrate=True)
        assert all(isinstance(film, model) for film in page)
        assert [film.id for film in page] == [4, 3, 2]

    def test_what_is_asked_is_explained_for_people(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        query = Query(filters=(where("year", 1979),), sort=(Sort("title"),))
        explained = bench.primary.explain(bench.schema(), query)
        assert "1979" in str(explained)
        assert all(isinstance(name, str) for name in explained)

    # --- by id

    def test_instances_are_found_by_id_and_what_is_absent_is_left_out(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        found = bench.primary.get_by_ids(bench.schema(), ["3", "99", "1", "3"])
        assert {id_: one.title for id_, one in found.items()} == {
            "1": "Alien",
            "3": "Blade Runner",
        }
        for id_, one in found.items():
            assert bench.primary.document_id(one) == id_
        assert bench.primary.get_by_ids(bench.schema(), []) == {}
        model: Any = bench.kit.models["Film"]
        films = model.get_by_ids(["3", "99", "1"], _query_secondary=False)
        assert [film and film.id for film in films] == [3, None, 1]

    def test_an_id_that_no_instance_can_have_is_a_clear_error(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        for bad in ("x", "1.5", "", "1,2"):
            raises(
                InvalidDocumentId, bench.primary.get_by_ids, bench.schema(), [bad, "1"]
            )

    def test_ids_are_listed_in_the_order_of_the_key_page_by_page(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        for key in (10, 9, 2, 1, 11, 100):
            bench.create("Film", key, title="x")
        schema, found, after = bench.schema(), [], None
        while page := list(bench.primary.list_ids(schema, after, 2)):
            found += page
            after = page[-1]
        assert found == ["1", "2", "9", "10", "11", "100"]
        assert list(bench.primary.list_ids(schema, "3", 2)) == ["9", "10"]
        bench.change_where("Film", "id", 9, published=False)
        listed = bench.primary.list_ids(schema, None, 100)
        assert [id_ for id_ in listed if id_ != "9"] == ["1", "2", "10", "11", "100"]

    def test_an_instance_is_shown_as_its_document(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _fill(bench)
        assert bench.rows() == bench.index()


class RelatedSortSuite:
    """What an engine with :attr:`~..values.Capability.RELATED_SORT` promises."""

    def test_sorting_by_what_is_embedded_is_that_of_the_index(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        _fill(bench)
        for name in ("director.name", "director.country.name"):
            for descending in (False, True):
                _compare(bench, sort=(Sort(name, descending), Sort("year")))


class NoRelatedSortSuite:
    """What an engine without :attr:`~..values.Capability.RELATED_SORT` promises."""

    def test_sorting_by_what_is_embedded_is_refused_and_says_who_can(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        query = Query(sort=(Sort("director.name"),))
        error = raises(QueryError, bench.primary.search, bench.schema(), query)
        assert "director.name" in str(error)
        assert "secondary" in str(error)

    def test_while_the_secondary_is_away_nobody_sorts_like_this(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.memory.available = False
        model: Any = bench.kit.models["Film"]
        raises(
            SecondaryUnavailable, lambda: model.get_collection(_sort="director.name")
        )


def create_films(bench: Bench[PrimaryKit]) -> None:
    """The world, with forty films that differ in everything that is compared."""
    bench.create_world()
    dice = random.Random(20261121)
    for key in range(5, 41):
        values = {
            "title": " ".join(dice.choices(_WORDS, k=2)),
            "year": dice.choice([None, 1979, 1982, 1986, 2001]),
            "rating": dice.choice([None, 6.5, 7.25, 8.0, -1.5]),
            "gross": dice.choice([None, Decimal("12.50"), Decimal("1000000.01")]),
            "released": dice.choice([None, date(1979, 5, 25), date(2001, 1, 1)]),
            "director": dice.choice([None, 1, 2, 3]),
        }
        given = {name: value for name, value in values.items() if value is not None}
        genres = sorted(dice.sample([1, 2, 3], dice.randint(0, 3)))
        bench.create("Film", key, **given, genres=genres)


def _fill(bench: Bench[PrimaryKit]) -> None:
    create_films(bench)
    bench.deliver()


def _any_filter(dice: random.Random) -> Filter:
    fields = {**ORDERED, **EMBEDDED}
    name = dice.choice([*fields])
    operator = dice.choice([Operator.EQ, Operator.IN, Operator.EXISTS, *_RANGES])
    value: Any = dice.choice(fields[name])
    if operator is Operator.IN:
        value = [value, dice.choice(fields[name])]
    elif operator is Operator.EXISTS:
        value = dice.random() < 0.5
    return where(name, value, operator)


def _compare(bench: Bench[PrimaryKit], *filters: Filter, **options: Any) -> None:
    """Both engines give the same answer."""
    query = Query(filters=filters, **{"limit": None, **options})
    schema = bench.schema()
    page = bench.primary.search(schema, query)
    expected = bench.memory.search(schema, query)
    ids = [bench.primary.document_id(one) for one in page]
    assert ids == [document._pk for document in expected], query
    assert page.total == expected.total, query
    assert bench.primary.count(schema, query) == expected.total, query
