"""Aggregations beside a query that keeps documents from whoever asks."""

from __future__ import annotations

import os

import pytest

from nefertari_engine_base.exceptions import InvalidParameter
from nefertari_engine_base.testing.secondary_access import access_of
from nefertari_engine_base.testing.specimens import GUARDED
from nefertari_engine_base.testing.workbench import Workbench, where
from nefertari_engine_base.values import Query
from nefertari_es.engine import ElasticsearchEngine
from nefertari_es.settings import ElasticsearchSettings

MINE = [{"action": "allow", "principal": "ada", "permission": "view"}]


@pytest.fixture(scope="module", params=["elasticsearch", "opensearch"])
def bench(request, server_of):
    """A document that ada sees, and one that nobody does."""
    prefix = f"scope-{os.getpid()}"
    settings = ElasticsearchSettings(
        hosts=(server_of(request.param).url,), index_prefix=prefix
    )
    engine = ElasticsearchEngine(settings)
    bench = Workbench(engine, GUARDED)
    bench.fill(
        {"id": 1, "title": "seen", "acl": MINE, "crew": [{"id": 1, "name": "Ash"}]},
        {"id": 2, "title": "hidden", "acl": []},
    )
    yield bench
    found = engine.client.indices.get(index=f"{prefix}*").body
    engine.client.indices.delete(index=",".join(found))
    engine.close()


def aggregated(bench, aggregation, who="ada"):
    query = Query(
        filters=(where("acl", access_of(who)),),
        limit=0,
        aggregations={"x": aggregation},
    )
    return bench.engine.search(GUARDED, query).aggregations["x"]


def test_aggregations_count_what_the_query_finds(bench):
    titles = aggregated(bench, {"terms": {"field": "title.raw", "min_doc_count": 1}})
    assert [bucket["key"] for bucket in titles["buckets"]] == ["seen"]
    assert aggregated(bench, {"max": {"field": "id"}})["value"] == 1
    assert aggregated(bench, {"max": {"field": "id"}}, "bob")["value"] is None
    within = {"histogram": {"field": "id", "interval": "1"}, "aggs": {"y": SUM}}
    assert len(aggregated(bench, within)["buckets"]) == 1


SUM = {"sum": {"field": "id"}}
TERMS = {"field": "title.raw"}


@pytest.mark.parametrize("field", ["crew.name.raw", "acl.principal", "crew.id"])
def test_aggregations_by_name_reach_neither_lists_nor_what_has_one(bench, field):
    assert aggregated(bench, {"terms": {"field": field}})["buckets"] == []


@pytest.mark.parametrize(
    "aggregation",
    [
        {"global": {}, "aggs": {"y": {"terms": TERMS}}},
        {"terms": {**TERMS, "min_doc_count": 0}},
        {"terms": {**TERMS, "min_doc_count": "0"}},
        {"terms": {**TERMS, "min_doc_count": "00"}},
        {"terms": {**TERMS, "min_doc_count": 0.5}},
        {"terms": {"script": "doc['title']"}},
        {"sum": {"field": "id", "script": {"source": "1"}}},
        {"terms": TERMS, "aggs": {"y": {"global": {}}}},
        {"terms": TERMS, "aggregations": {"y": {"top_hits": {}}}},
        {"significant_terms": TERMS},
        {"top_hits": {}},
        {"nested": {"path": "acl"}, "aggs": {"y": {"terms": TERMS}}},
        {"nested": {"path": "crew"}, "aggs": {"y": {"terms": TERMS}}},
        {"filter": {"term": {"title": "hidden"}}},
        {"anything": {"new": 1}},
        "terms",
        {"terms": "title"},
    ],
    ids=str,
)
def test_what_tells_of_other_documents_is_refused(bench, aggregation):
    with pytest.raises(InvalidParameter) as caught:
        aggregated(bench, aggregation)
    assert caught.value.parameter == "_aggs"
