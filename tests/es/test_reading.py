"""Reading from the servers: what only they have, and their errors."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from elasticsearch.dsl import A

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import (
    InvalidParameter,
    QueryError,
    SecondaryError,
    SecondaryOwnedError,
    SecondaryUnavailable,
    UnknownModel,
    UnmappableField,
)
from nefertari_engine_base.generation import generate_document
from nefertari_engine_base.schema import FieldSchema
from nefertari_engine_base.testing.specimens import SPECIMEN
from nefertari_engine_base.testing.workbench import Workbench, where
from nefertari_engine_base.values import Filter, Operator, Query, Write
from nefertari_es.engine import ElasticsearchEngine
from nefertari_es.settings import ElasticsearchSettings


@pytest.fixture
def bench(search_engine):
    bench = Workbench(search_engine)
    bench.fill(
        {"id": 1, "string": "Blade Runner", "integer": 5, "tags": ["a", "b"]},
        {"id": 2, "string": "Alien", "tags": ["b"]},
        {"id": 3, "notes": [{"id": 9, "text": "good"}], "meta": "m"},
    )
    return bench


def test_a_class_has_a_search_whose_hits_are_its_documents(bench):
    found = list(bench.document.search().query("match", string="alien"))
    assert found == bench.get("2")
    assert found[0].string == "Alien"
    assert found[0]._score > 0
    assert bench.document.search().count() == 3
    assert {one.id for one in bench.document.search().scan()} == {1, 2, 3}
    nested = bench.document.search().query(
        "nested", path="notes", query={"match": {"notes.text": "good"}}, inner_hits={}
    )
    (note,) = nested.execute()[0]._hit["inner_hits"]["notes"]
    assert note.text == "good"


def test_documents_know_what_the_server_says_of_them(search_engine):
    schema = replace(
        SPECIMEN, fields={"id": SPECIMEN.fields["id"]}, relations={}, name="Bare"
    )
    document = generate_document(schema, search_engine)
    search_engine.setup_database()
    search_engine.write(schema, [Write("1", 7, b'{"id":1}')])
    (one,) = search_engine.get(schema, ["1"])
    assert (one.meta.id, one.meta.version) == ("1", 7)
    assert isinstance(one, document)


def test_fields_of_the_class_are_query_expressions(bench):
    document = bench.document
    assert str(document.string) == "string"
    assert str(document.maker.name) == "maker.name"
    assert callable(document.search)
    ordered = document.search().sort(-document.integer).execute()
    assert ordered[0].id == 1


def test_the_search_of_a_class_cannot_delete(bench):
    with pytest.raises(SecondaryOwnedError):
        bench.document.search().delete()
    for method in (bench.document.bulk, bench.document.init):
        with pytest.raises(SecondaryOwnedError):
            method()


def test_errors_of_a_class_search_are_of_the_family(bench):
    with pytest.raises(QueryError):
        bench.document.search().query("query_string", query="a:(").execute()


def test_aggregations_are_passed_on(bench):
    aggregations = {"tags": A("terms", field="tags").to_dict()}
    page = bench.engine.search(bench.schema, Query(limit=0, aggregations=aggregations))
    buckets = page.aggregations["tags"]["buckets"]
    assert [(one["key"], one["doc_count"]) for one in buckets] == [("b", 2), ("a", 1)]


def test_explain_is_the_request(bench):
    request = bench.engine.explain(bench.schema, Query(filters=(where("integer", 5),)))
    assert request["method"] == "POST"
    assert request["path"].startswith(f"/{bench.engine.model_of(SPECIMEN).alias}/")
    answer = bench.engine.client.perform_request(
        "POST",
        request["path"],
        headers={"accept": "application/json", "content-type": "application/json"},
        body=request["body"],
    )
    assert answer["hits"]["total"]["value"] == 1


def test_pages_end_at_the_window(bench):
    with pytest.raises(InvalidParameter, match="10000"):
        bench.ids(start=9_990, limit=20)


def test_addresses_are_found_in_either_form(bench):
    bench.fill(
        {"id": 10, "ip": "10.0.0.5"},
        {"id": 11, "ip": "10.0.0.5/32"},
        {"id": 12, "ip": "10.0.0.5/8"},
    )
    assert bench.ids(where("ip", "10.0.0.5")) == ["10", "11"]
    assert bench.ids(where("ip", "10.0.0.5/8")) == ["12"]
    assert bench.ids(where("ip", True, Operator.EXISTS)) == ["10", "11", "12"]


def test_more_values_than_one_clause_takes_are_allowed(bench):
    many = Filter("integer", Operator.IN, range(70_000))
    assert bench.ids(many) == ["1"]
    assert bench.ids(Filter("integer", Operator.IN, [])) == []


def test_documents_can_be_pickled(bench, monkeypatch):
    import nefertari_engine_base.testing.specimens as module

    # What generate_document says of the class is where the model has it.
    monkeypatch.setattr(module.Specimen, "secondary", bench.document, raising=False)
    (document,) = bench.get("1")
    copy = pickle.loads(pickle.dumps(document))
    assert (copy, copy.string) == (document, "Blade Runner")


def test_documents_may_be_made_by_hand(bench):
    document = bench.document(id=7, string="x", maker={"id": 1, "name": "Ada"})
    assert (document._pk, document.maker.name) == ("7", "Ada")
    with pytest.raises(TypeError, match="nothing"):
        bench.document(nothing=1)


def test_a_missing_index_says_how_to_make_it(bench):
    engine, alias = bench.engine, bench.engine.model_of(SPECIMEN).alias
    engine.client.indices.delete(index=f"{alias}-000001")
    for ask in (
        lambda: engine.search(SPECIMEN, Query()),
        lambda: engine.count(SPECIMEN, Query()),
        lambda: engine.get(SPECIMEN, ["1"]),
        lambda: engine.refresh([SPECIMEN]),
    ):
        with pytest.raises(SecondaryError, match="setup_database"):
            ask()
    assert engine.highest_version([SPECIMEN]) == 0


def test_a_server_that_is_not_there_is_unavailable():
    engine = ElasticsearchEngine(ElasticsearchSettings(hosts=("http://127.0.0.1:1",)))
    with pytest.raises(SecondaryUnavailable):
        Workbench(engine)
    for ask in (
        lambda: engine.search(SPECIMEN, Query()),
        lambda: engine.count(SPECIMEN, Query()),
        lambda: engine.get(SPECIMEN, ["1"]),
        lambda: engine.highest_version([SPECIMEN]),
    ):
        with pytest.raises(SecondaryUnavailable) as caught:
            ask()
        assert caught.value.__cause__ is not None
    engine.close()


def test_a_model_that_is_not_attached_is_unknown():
    engine = ElasticsearchEngine()
    with pytest.raises(UnknownModel):
        engine.search(SPECIMEN, Query())
    engine.close()


def test_a_field_that_is_declared_as_something_else_is_named():
    engine = ElasticsearchEngine()
    field = FieldSchema(name="title", kind=Kind.STRING, declared="text")
    with pytest.raises(UnmappableField, match=r"Movie\.title"):
        engine.make_field("Movie", field)
    engine.close()


def test_aggregations_know_whole_values_by_the_name_that_the_engine_tells(bench):
    name = bench.engine.shared_name([bench.schema], "string")
    assert name == "string.raw"
    assert bench.engine.shared_name([bench.schema], "integer") == "integer"
    query = Query(aggregations={"by": {"terms": {"field": name}}})
    buckets = bench.engine.search(bench.schema, query).aggregations["by"]["buckets"]
    assert {bucket["key"] for bucket in buckets} == {"Blade Runner", "Alien"}
    with pytest.raises(InvalidParameter):
        bench.engine.shared_name([bench.schema], "nonsense")
