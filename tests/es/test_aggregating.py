"""Aggregations over the documents of several models, on each search server."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import InvalidParameter, QueryError
from nefertari_engine_base.generation import generate_document
from nefertari_engine_base.schema import FieldSchema
from nefertari_engine_base.testing.specimens import SPECIMEN
from nefertari_engine_base.testing.workbench import Workbench, where
from nefertari_engine_base.values import Operator, Query, Write

#: ``string`` is what it is in the other model; ``integer`` is another number, and
#: ``text`` something else.
OTHER = replace(
    SPECIMEN,
    name="Other",
    fields={
        "id": SPECIMEN.fields["id"],
        "string": SPECIMEN.fields["string"],
        "integer": FieldSchema(name="integer", kind=Kind.FLOAT),
        "boolean": FieldSchema(name="boolean", kind=Kind.TOKEN),
        "own": FieldSchema(name="own", kind=Kind.TOKEN),
    },
    relations={},
)


@pytest.fixture
def bench(search_engine):
    generate_document(OTHER, search_engine)
    bench = Workbench(search_engine)
    bench.fill(
        {"id": 1, "string": "Blade Runner", "integer": 5},
        {"id": 2, "string": "Alien", "integer": 6},
        {"id": 3, "string": "Alien", "integer": 100, "tags": ["left out"]},
    )
    others = [
        {"id": 1, "string": "Alien", "integer": 2.5, "own": "x"},
        {"id": 2, "string": "Brazil", "integer": 1000, "own": "left out"},
    ]
    writes = [Write(str(one["id"]), 1, orjson.dumps(one)) for one in others]
    search_engine.write(OTHER, writes)
    search_engine.refresh([OTHER])
    return bench


EVERYTHING = Query()


def asked(engine, aggregation, mine=EVERYTHING, other=EVERYTHING):
    questions = [(SPECIMEN, mine), (OTHER, other)]
    return engine.aggregate(questions, {"found": aggregation})["found"]


def counts(answer):
    return {bucket["key"]: bucket["doc_count"] for bucket in answer["buckets"]}


def test_documents_of_several_models_are_counted_together(bench):
    name = bench.engine.shared_name([SPECIMEN, OTHER], "string")
    answer = asked(bench.engine, {"terms": {"field": name}})
    assert counts(answer) == {"Alien": 3, "Blade Runner": 1, "Brazil": 1}
    # The best of all, which neither model's own best would tell.
    answer = asked(bench.engine, {"terms": {"field": name, "size": 1}})
    assert counts(answer) == {"Alien": 3}
    assert answer["sum_other_doc_count"] == 2


def test_numbers_of_several_models_have_one_mean(bench):
    name = bench.engine.shared_name([SPECIMEN, OTHER], "integer")
    answer = asked(
        bench.engine,
        {"avg": {"field": name}},
        Query(filters=(where("string", "Alien"),)),
        Query(filters=(where("own", "x"),)),
    )
    assert answer["value"] == pytest.approx((6 + 100 + 2.5) / 3)


def test_each_query_chooses_among_its_own_documents(bench):
    answer = asked(
        bench.engine,
        {"terms": {"field": "string.raw"}},
        Query(text="alien OR blade", filters=(where("integer", 7, Operator.LT),)),
        Query(text="alien OR brazil", text_fields=("string",)),
    )
    assert counts(answer) == {"Alien": 2, "Blade Runner": 1, "Brazil": 1}


def test_documents_without_the_field_do_not_count(bench):
    name = bench.engine.shared_name([SPECIMEN, OTHER], "own")
    answer = asked(bench.engine, {"terms": {"field": name}})
    assert counts(answer) == {"x": 1, "left out": 1}


def test_a_field_of_several_kinds_is_refused_and_not_counted_in_part(bench):
    with pytest.raises(InvalidParameter, match=r"boolean.*different kinds"):
        bench.engine.shared_name([SPECIMEN, OTHER], "boolean")
    assert bench.engine.shared_name([OTHER], "boolean") == "boolean"
    with pytest.raises(InvalidParameter, match="nonsense"):
        bench.engine.shared_name([SPECIMEN, OTHER], "nonsense")


def test_an_unknown_aggregation_is_an_error_of_the_query(bench):
    with pytest.raises(QueryError):
        asked(bench.engine, {"nonsense": {"field": "own"}})
